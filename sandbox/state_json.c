/* The texts of a container's state: state.json in and out, exit.json, what `state` shows. See state.h. */
#include "sandbox/state.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/json_path.h"

#define ARENA_BYTES     (4u * STATE_BYTES)
#define GROUP_DEPTH_MAX 32

const char *state_status_name(enum state_status s)
{
	static const char *const names[STATE_STATUSES] = {
		[STATE_CREATING] = "creating", [STATE_CREATED] = "created",
		[STATE_RUNNING] = "running",   [STATE_PAUSED] = "paused",
		[STATE_STOPPED] = "stopped",
	};

	return names[s];
}

/* The members that are strings: name, place, and what they must be. */
enum rule { RULE_TEXT, RULE_ABSOLUTE, RULE_ID };
static const struct {
	const char *key;
	size_t offset;
	enum rule rule;
} texts[] = {
	{"ociVersion", offsetof(struct state, oci_version), RULE_TEXT    },
	{"id",         offsetof(struct state, id),          RULE_ID      },
	{"bundle",     offsetof(struct state, bundle),      RULE_ABSOLUTE},
	{"rootfs",     offsetof(struct state, rootfs),      RULE_ABSOLUTE},
	{"created",    offsetof(struct state, created),     RULE_TEXT    },
	{"owner",      offsetof(struct state, owner),       RULE_TEXT    },
	{"cgroup",     offsetof(struct state, group),       RULE_TEXT    },
};

static const char **text_at(const struct state *s, size_t i)
{
	return (const char **)((char *)s + texts[i].offset);
}

/* ---- in ---- */

static int keep(struct state *s, const char *text, const char **ret, struct err *e)
{
	*ret = arena_strdup(s->arena, text);
	return *ret ? 0 : err_set(e, ENOMEM, "state: out of memory");
}

static int take_path(struct state *s, const struct node *n, const char **ret, struct err *e)
{
	const char *text = NULL;
	int r = node_text(n, &text, e);

	if (r < 0 || !text)
		return r;
	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return node_fail(n, e, "not an absolute path");
	return keep(s, text, ret, e);
}

static int take_text(struct state *s, const struct node *top, size_t i, struct err *e)
{
	struct node n = node_get(top, texts[i].key);
	const char *text = NULL;
	int r = node_need(&n, e);

	if (r == 0 && texts[i].rule == RULE_ABSOLUTE)
		return take_path(s, &n, text_at(s, i), e);
	if (r == 0)
		r = node_text(&n, &text, e);
	if (r == 0 && texts[i].rule == RULE_ID)
		r = state_check_id(text, e);
	return r < 0 ? r : keep(s, text, text_at(s, i), e);
}

static int take_process(struct state *s, const struct node *top, struct err *e)
{
	struct node pid = node_get(top, "pid"), start = node_get(top, "pidStart"),
		    complete = node_get(top, "complete"), attached = node_get(top, "attached");
	int64_t number = 0, since = 0;
	int r = node_number(&pid, 0, INT_MAX, &number, e);

	if (r == 0)
		r = node_number(&start, 0, NODE_NUMBER_MAX, &since, e);
	if (r == 0)
		r = node_bool(&complete, &s->is_complete, e);
	if (r == 0)
		r = node_bool(&attached, &s->is_attached, e);
	s->pid = (pid_t)number;
	s->pid_start = (uint64_t)since;
	return r;
}

static int take_group_path(struct state *s, const struct node *n, struct err *e)
{
	enum cg_hierarchy h = cg_hierarchy_by_name(n->key);
	const char *text = NULL;
	int r = node_text(n, &text, e);

	if (r < 0 || !text)
		return r;
	if (h == CG_HIERARCHIES)
		return node_fail(n, e, "no hierarchy");
	if (text[0] != '/' || !str_copy(s->paths->dir[h], PATH_MAX, text))
		return node_fail(n, e, "not an absolute path");
	return 0;
}

static int take_groups(struct state *s, const struct node *top, struct err *e)
{
	struct node paths = node_get(top, "cgroupPaths"), depth = node_get(top, "cgroupDepth");
	const char *key;
	json_t *value;
	int r = node_object(&paths, e);

	if (r < 0 || !paths.json)
		return r;
	s->paths = arena_get(s->arena, sizeof(*s->paths));
	if (!s->paths)
		return err_set(e, ENOMEM, "state: out of memory");
	r = node_need(&depth, e);
	if (r == 0)
		r = node_u32(&depth, 1, GROUP_DEPTH_MAX, &s->paths->depth, e);
	json_object_foreach((json_t *)paths.json, key, value)
	{
		struct node n = node_get(&paths, key);

		if (r == 0)
			r = take_group_path(s, &n, e);
	}
	return r;
}

static int take_annotations(struct state *s, const struct node *top, struct err *e)
{
	struct node n = node_get(top, "annotations");
	size_t count = json_object_size(n.json), i = 0;
	const char *key;
	json_t *value;
	int r = node_object(&n, e);

	if (r == 0 && count > STATE_ANNOTATIONS_MAX)
		r = node_fail(&n, e, "more than %d members", STATE_ANNOTATIONS_MAX);
	if (r < 0 || count == 0)
		return r;
	s->annotations = arena_get(s->arena, 2 * count * sizeof(*s->annotations));
	if (!s->annotations)
		return err_set(e, ENOMEM, "state: out of memory");
	json_object_foreach((json_t *)n.json, key, value)
	{
		if (!json_is_string(value))
			return node_fail(&n, e, "'%s' is not a string", key);
		r = keep(s, key, &s->annotations[i], e);
		if (r == 0)
			r = keep(s, json_string_value(value), &s->annotations[i + 1], e);
		if (r < 0)
			return r;
		i += 2;
	}
	s->n_annotations = count;
	return 0;
}

static int take_all(struct state *s, const struct node *top, struct err *e)
{
	struct node version = node_get(top, "version");
	int64_t number = 0;
	int r = json_is_object(top->json) ? node_need(&version, e)
					  : node_fail(top, e, "not an object");

	if (r == 0)
		r = node_number(&version, STATE_VERSION, STATE_VERSION, &number, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = take_text(s, top, i, e);
	if (r == 0)
		r = take_process(s, top, e);
	if (r == 0)
		r = take_groups(s, top, e);
	return r < 0 ? r : take_annotations(s, top, e);
}

int state_parse(const char *text, size_t n, struct state *ret, struct err *e)
{
	struct state s = STATE_INIT;
	json_error_t why;
	json_t *json;
	struct node top;
	int r;

	if (n >= STATE_BYTES)
		return err_set(e, EFBIG, "state.json: more than %u bytes", STATE_BYTES);
	json = node_load(text, n, &why);
	if (!json)
		return err_set(e, EINVAL, "state.json:%d: %s", why.line, why.text);
	top = node_root(json, "state.json");
	s.arena = arena_new(ARENA_BYTES);
	r = s.arena ? take_all(&s, &top, e) : err_set(e, ENOMEM, "state: out of memory");
	json_decref(json);
	if (r < 0) {
		state_fini(&s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- out ---- */

static const char *bool_text(bool b)
{
	return b ? "true" : "false";
}

/* `"key": "value"`, with what comes before: the comma and the indentation. */
static void put_text(struct buf *out, const char *before, const char *key, const char *between,
		     const char *value)
{
	buf_puts(out, before);
	buf_json_string(out, key, strlen(key));
	buf_puts(out, between);
	buf_json_string(out, value, strlen(value));
}

static void put_annotations(const struct state *s, const char *before, const char *deeper,
			    const char *between, struct buf *out)
{
	if (s->n_annotations == 0)
		return;
	buf_printf(out, ",%s\"annotations\"%s{", before, between);
	for (size_t i = 0; i < 2 * s->n_annotations; i += 2) {
		buf_puts(out, i == 0 ? "" : ",");
		put_text(out, deeper, s->annotations[i], between, s->annotations[i + 1]);
	}
	buf_printf(out, "%s}", before);
}

static int finish(const struct buf *out, struct err *e)
{
	return buf_failed(out) ? err_set(e, EFBIG, "state: more than %u bytes", STATE_BYTES) : 0;
}

static void put_groups(const struct cg_paths *paths, struct buf *out)
{
	const char *comma = "";

	if (!paths)
		return;
	buf_printf(out, ",\"cgroupDepth\":%u,\"cgroupPaths\":{", paths->depth);
	for (int h = 0; h < CG_HIERARCHIES; h++) {
		if (!paths->dir[h][0])
			continue;
		put_text(out, comma, cg_hierarchy_name((enum cg_hierarchy)h), ":", paths->dir[h]);
		comma = ",";
	}
	buf_puts(out, "}");
}

int state_format(const struct state *s, struct buf *out, struct err *e)
{
	buf_printf(out, "{\"version\":%d,\"pid\":%d,\"pidStart\":%llu", STATE_VERSION, (int)s->pid,
		   (unsigned long long)s->pid_start);
	buf_printf(out, ",\"complete\":%s,\"attached\":%s", bool_text(s->is_complete),
		   bool_text(s->is_attached));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		put_text(out, ",", texts[i].key, ":", *text_at(s, i) ?: "");
	put_groups(s->paths, out);
	put_annotations(s, "", "", ":", out);
	buf_puts(out, "}\n");
	return finish(out, e);
}

static void show_for_hook(const struct state *s, enum state_status status, struct buf *out)
{
	buf_puts(out, "{");
	put_text(out, "", "ociVersion", ":", s->oci_version);
	put_text(out, ",", "id", ":", s->id);
	put_text(out, ",", "status", ":", state_status_name(status));
	if (s->pid > 0 && status != STATE_STOPPED)
		buf_printf(out, ",\"pid\":%d", (int)s->pid);
	put_text(out, ",", "bundle", ":", s->bundle);
	put_annotations(s, "", "", ":", out);
	buf_puts(out, "}");
}

int state_show(const struct state *s, const struct state_view *view, struct buf *out, struct err *e)
{
	bool has_process = view->status != STATE_STOPPED && view->status != STATE_CREATING;
	bool is_line = view->layout == STATE_LINE;
	const char *line = is_line ? "" : "\n  ", *deeper = is_line ? "" : "\n    ",
		   *next = is_line ? "," : ",\n  ", *is = is_line ? ":" : ": ";

	if (view->layout == STATE_FOR_HOOK) {
		show_for_hook(s, view->status, out);
		return finish(out, e);
	}
	buf_puts(out, "{");
	put_text(out, line, "ociVersion", is, s->oci_version);
	put_text(out, next, "id", is, s->id);
	buf_printf(out, "%s\"pid\"%s%d", next, is, has_process ? (int)s->pid : 0);
	put_text(out, next, "status", is, state_status_name(view->status));
	put_text(out, next, "bundle", is, s->bundle);
	put_text(out, next, "rootfs", is, s->rootfs);
	put_text(out, next, "created", is, s->created);
	put_annotations(s, line, deeper, is, out);
	put_text(out, next, "owner", is, s->owner);
	if (view->exit && view->exit->is_known)
		buf_printf(out, "%s\"exitStatus\"%s%d%s\"oomKilled\"%s%s", next, is,
			   view->exit->status, next, is, bool_text(view->exit->oom_killed));
	buf_puts(out, is_line ? "}" : "\n}");
	return finish(out, e);
}

/* ---- exit.json ---- */

int state_format_exit(const struct state_exit *x, struct buf *out, struct err *e)
{
	buf_printf(out, "{\"version\":%d,\"known\":%s,\"status\":%d,\"oomKilled\":%s}\n",
		   STATE_VERSION, bool_text(x->is_known), x->status, bool_text(x->oom_killed));
	return finish(out, e);
}

int state_parse_exit(const char *text, size_t n, struct state_exit *ret, struct err *e)
{
	json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
	struct node top = node_root(json, "exit.json"), known = node_get(&top, "known"),
		    status = node_get(&top, "status"), oom = node_get(&top, "oomKilled");
	struct state_exit x = {.is_known = false};
	int64_t number = 0;
	int r = json_is_object(json) ? 0 : node_fail(&top, e, "not an object");

	if (r == 0)
		r = node_bool(&known, &x.is_known, e);
	if (r == 0)
		r = node_number(&status, 0, 255, &number, e);
	if (r == 0)
		r = node_bool(&oom, &x.oom_killed, e);
	json_decref(json);
	x.status = (int)number;
	if (r == 0)
		*ret = x;
	return r;
}

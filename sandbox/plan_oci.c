/*
 * An OCI bundle as a plan: config.json's file and top level, and what its parts must agree on. See plan_oci.h.
 *
 * Unknown members are ignored, as the specification says. Known members that are not honoured are refused
 * by name when they ask for something: nothing that was asked for is left out in silence.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sys.h"

#define HOST_NAME_MAX_BYTES 64 /* __NEW_UTS_LEN */
#define WORDS_MAX           64 /* of one array */

/* ---- for the parts ---- */

void *oci_alloc(struct oci *o, size_t bytes, struct err *e)
{
	void *p = arena_get(o->plan->arena, bytes);

	if (!p)
		err_set(e, ENOMEM, "config.json: the plan would need over %u bytes",
			SBX_PLAN_BYTES);
	return p;
}

static int copy_text(struct oci *o, const char *text, const char **ret, struct err *e)
{
	size_t n = strlen(text) + 1;
	char *copy = oci_alloc(o, n, e);

	if (!copy)
		return -e->code;
	*ret = memcpy(copy, text, n);
	return 0;
}

int oci_text(struct oci *o, const struct node *n, const char **ret, struct err *e)
{
	const char *text = NULL;
	int r = node_text(n, &text, e);

	return r < 0 || !text ? r : copy_text(o, text, ret, e);
}

int oci_word(const struct node *n, const struct oci_word *words, size_t n_words, uint64_t *ret,
	     struct err *e)
{
	const char *word = NULL;
	int r = node_text(n, &word, e);

	if (r < 0 || !word)
		return r;
	for (size_t i = 0; i < n_words; i++)
		if (str_is(words[i].word, word)) {
			*ret = words[i].value;
			return 0;
		}
	return node_fail(n, e, "'%s' is not known", word);
}

int oci_words(const struct node *n, const struct oci_word *words, size_t n_words, uint64_t *ret,
	      struct err *e)
{
	uint64_t all = 0;
	size_t count;
	int r = node_list(n, WORDS_MAX, &count, e);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct node item = node_at(n, i);
		uint64_t value = 0;

		r = node_need(&item, e);
		if (r == 0)
			r = oci_word(&item, words, n_words, &value, e);
		all |= value;
	}
	if (r == 0)
		*ret = all;
	return r;
}

void oci_warn(struct oci *o, const char *fmt, ...)
{
	struct sbx_plan *p = o->plan;
	char text[ERR_TEXT_MAX];
	struct err lost = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A config with more to be said about, or too large to say it, has been warned of enough. */
	if (p->n_warnings < SBX_WARNINGS_MAX &&
	    copy_text(o, text, &p->warnings[p->n_warnings], &lost) == 0)
		p->n_warnings++;
}

int oci_host_path(struct oci *o, const struct node *n, const char **ret, struct err *e)
{
	const char *path = NULL;
	char full[PATH_MAX];
	int r = node_text(n, &path, e), w;

	if (r < 0 || !path)
		return r;
	if (!*path)
		return node_fail(n, e, "an empty path");
	w = path[0] == '/' ? snprintf(full, sizeof(full), "%s", path)
			   : snprintf(full, sizeof(full), "%s/%s", o->bundle, path);
	if (w < 0 || (size_t)w >= sizeof(full))
		return node_fail(n, e, "longer than a path can be");
	return copy_text(o, full, ret, e);
}

int oci_texts(struct oci *o, const struct node *n, size_t max, const char ***ret, uint32_t *ret_n,
	      struct err *e)
{
	const char **texts;
	size_t count;
	int r = node_list(n, max, &count, e);

	if (r < 0 || !n->json)
		return r;
	texts = oci_alloc(o, (count + 1) * sizeof(*texts), e);
	if (!texts)
		return -e->code;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct node item = node_at(n, i);

		r = node_need(&item, e);
		if (r == 0)
			r = oci_text(o, &item, &texts[i], e);
	}
	if (r < 0)
		return r;
	*ret = texts;
	*ret_n = (uint32_t)count;
	return 0;
}

int oci_paths(struct oci *o, const struct node *n, size_t max, const char ***ret, uint32_t *ret_n,
	      struct err *e)
{
	const char **paths = NULL;
	uint32_t count = 0;
	int r = oci_texts(o, n, max, &paths, &count, e);

	for (uint32_t i = 0; r == 0 && i < count; i++) {
		struct node item = node_at(n, i);

		if (paths[i][0] != '/')
			r = node_fail(&item, e, "not an absolute path");
	}
	if (r < 0 || !paths)
		return r;
	*ret = paths;
	*ret_n = count;
	return 0;
}

/* ---- the top level ---- */

static int version(struct oci *o, const struct node *top, struct err *e)
{
	struct node n = node_get(top, "ociVersion");
	const char *text = NULL;
	int r = node_need(&n, e);

	if (r == 0)
		r = node_text(&n, &text, e);
	if (r == 0 && !str_has_prefix(text, "1."))
		r = node_fail(&n, e, "'%s': only 1.x is understood", text);
	return r < 0 ? r : oci_text(o, &n, &o->plan->oci_version, e);
}

static int root(struct oci *o, const struct node *top, struct err *e)
{
	struct node n = node_get(top, "root"), path = node_get(&n, "path"),
		    readonly = node_get(&n, "readonly");
	struct sbx_root *root = &o->plan->root;
	int r = node_need(&n, e);

	if (r == 0)
		r = node_object(&n, e);
	if (r == 0)
		r = node_need(&path, e);
	if (r == 0)
		r = oci_host_path(o, &path, &root->path, e);
	if (r == 0)
		r = node_bool(&readonly, &root->is_readonly, e);
	return r;
}

static int names(struct oci *o, const struct node *top, struct err *e)
{
	const char **to[] = {&o->plan->hostname, &o->plan->domainname};
	static const char *const keys[] = {"hostname", "domainname"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		struct node n = node_get(top, keys[i]);

		r = node_is_empty(&n) ? 0 : oci_text(o, &n, to[i], e);
		if (r == 0 && *to[i] && strlen(*to[i]) > HOST_NAME_MAX_BYTES)
			r = node_fail(&n, e, "longer than %d bytes", HOST_NAME_MAX_BYTES);
		if (r == 0 && *to[i] && !sbx_plan_has(o->plan, CLONE_NEWUTS))
			r = node_fail(&n, e, "needs a namespace of type uts");
	}
	return r;
}

/* ---- what the parts must agree on ---- */

static int check_namespaces(const struct oci *o, const struct node *top, struct err *e)
{
	const struct sbx_plan *p = o->plan;
	struct node part = node_get(top, "linux"), spaces = node_get(&part, "namespaces"),
		    maps = node_get(&part, "uidMappings");
	bool has_maps = p->n_uid_maps > 0 && p->n_gid_maps > 0;

	if (!sbx_plan_has(p, CLONE_NEWNS))
		return node_fail(&spaces, e, "a namespace of type mount is needed");
	if (p->namespaces & CLONE_NEWUSER && !has_maps)
		return node_fail(&maps, e, "and gidMappings are needed for a user namespace");
	if (!sbx_plan_has(p, CLONE_NEWUSER) && (p->n_uid_maps > 0 || p->n_gid_maps > 0))
		return node_fail(&maps, e, "needs a namespace of type user");
	return 0;
}

static int compile(struct oci *o, const struct node *top, struct err *e)
{
	static const char *const unsupported[] = {"vm", "zos", "solaris", "windows", NULL};
	struct node process = node_get(top, "process"), mounts = node_get(top, "mounts"),
		    part = node_get(top, "linux"), hooks = node_get(top, "hooks"),
		    notes = node_get(top, "annotations");
	int r = json_is_object(top->json) ? version(o, top, e) : node_fail(top, e, "not an object");

	if (r == 0)
		r = node_refuse(top, unsupported, e);
	if (r == 0)
		r = root(o, top, e);
	if (r == 0)
		r = oci_process(o, &process, e);
	if (r == 0)
		r = oci_linux(o, &part, e);
	if (r == 0)
		r = oci_mounts(o, &mounts, &part, e);
	if (r == 0)
		r = oci_devices(o, &part, e);
	if (r == 0)
		r = names(o, top, e);
	if (r == 0)
		r = oci_hooks(o, &hooks, e);
	if (r == 0)
		r = oci_annotations(o, &notes, e);
	if (r == 0)
		r = oci_in_namespaces(o, &part, e);
	if (r == 0)
		r = check_namespaces(o, top, e);
	if (r == 0)
		r = oci_in_user_namespace(o, top, e);
	/* What cannot be limited by number cannot be opened where the bundle has a node of it. */
	o->plan->root.no_devices = sbx_plan_has(o->plan, CLONE_NEWUSER);
	o->plan->resources.devices_may_fail = sbx_plan_has(o->plan, CLONE_NEWUSER);
	return r;
}

json_t *plan_oci_load(const char *text, size_t n, const char *name, struct err *e)
{
	json_error_t why;
	json_t *json = node_load(text, n, &why);

	if (!json)
		err_set(e, EINVAL, "%s:%d: %s", name, why.line, why.text);
	return json;
}

int plan_oci_compile_at(const char *cache_root, const json_t *json, const char *bundle,
			struct sbx_plan **ret, struct err *e)
{
	struct node top = node_root(json, "config.json");
	struct oci o = {.bundle = bundle, .cache_root = cache_root};
	int r;

	o.plan = calloc(1, sizeof(*o.plan));
	if (o.plan)
		o.plan->arena = arena_new(SBX_PLAN_BYTES);
	r = o.plan && o.plan->arena ? compile(&o, &top, e) : err_set(e, ENOMEM, "out of memory");
	if (r < 0) {
		sbx_plan_free(o.plan);
		return r;
	}
	*ret = o.plan;
	return 0;
}

int plan_oci_compile(const json_t *json, const char *bundle, struct sbx_plan **ret, struct err *e)
{
	return plan_oci_compile_at(NULL, json, bundle, ret, e);
}

int plan_oci_parse_at(const char *cache_root, const char *text, size_t n, const char *bundle,
		      struct sbx_plan **ret, struct err *e)
{
	json_t *json = plan_oci_load(text, n, "config.json", e);
	int r = json ? plan_oci_compile_at(cache_root, json, bundle, ret, e) : -e->code;

	json_decref(json);
	return r;
}

int plan_oci_parse(const char *text, size_t n, const char *bundle, struct sbx_plan **ret,
		   struct err *e)
{
	return plan_oci_parse_at(NULL, text, n, bundle, ret, e);
}

int sbx_plan_from_oci(const char *bundle_dir, struct sbx_plan **ret, struct err *e)
{
	_cleanup_free_ char *bundle = realpath(bundle_dir, NULL), *text = malloc(OCI_CONFIG_BYTES);
	_cleanup_fd_ int dir = -1;
	int r;

	if (!bundle)
		return err_errno(e, "bundle '%s'", bundle_dir);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	r = file_open_dir(AT_FDCWD, bundle, &dir, e);
	if (r == 0)
		r = file_read(dir, "config.json", text, OCI_CONFIG_BYTES, e);
	if (r < 0)
		return err_wrap(e, "bundle '%s'", bundle_dir);
	return plan_oci_parse(text, strlen(text), bundle, ret, e);
}

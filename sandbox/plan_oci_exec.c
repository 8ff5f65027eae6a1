/*
 * A further process of a container: its config with another process, compiled as any config is. So there is one
 * place that understands, checks and refuses, for the first process and for all others. See plan_oci.h.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/caps.h"
#include "sandbox/plan_oci.h"
#include "sandbox/user.h"

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* json_object_set_new() and json_array_append_new() take NULL for a failure too. */
static int put(json_t *object, const char *key, json_t *value, struct err *e)
{
	return json_object_set_new(object, key, value) < 0 ? no_memory(e) : 0;
}

/* The member, made if it is missing or null; borrowed. */
static json_t *need(json_t *object, const char *key, json_t *(*make)(void), struct err *e)
{
	json_t *member = json_object_get(object, key);

	if (member && !json_is_null(member))
		return member;
	return put(object, key, make(), e) < 0 ? NULL : json_object_get(object, key);
}

static int append(json_t *object, const char *key, json_t *value, struct err *e)
{
	json_t *list = need(object, key, json_array, e);

	if (!list) {
		json_decref(value);
		return -e->code;
	}
	/* Of another type, it is refused when it is compiled. */
	if (!json_is_array(list)) {
		json_decref(value);
		return 0;
	}
	return json_array_append_new(list, value) < 0 ? no_memory(e) : 0;
}

static int set_arguments(json_t *process, const struct sbx_wish *w, struct err *e)
{
	int r = w->argv.n > 0 ? put(process, "args", json_array(), e) : 0;

	for (int i = 0; r == 0 && i < w->argv.n; i++) {
		json_t *word = json_string(w->argv.words[i]);

		r = word ? append(process, "args", word, e)
			 : err_set(e, EINVAL, "argument %d is not UTF-8", i + 1);
	}
	return r;
}

/* getenv(3) takes the first of a name, shells the last: there must be one. */
static void unset(json_t *env, const char *assignment)
{
	size_t n = strcspn(assignment, "=") + 1;

	for (size_t i = json_array_size(env); i > 0; i--) {
		const char *old = json_string_value(json_array_get(env, i - 1));

		if (old && strncmp(old, assignment, n) == 0)
			(void)json_array_remove(env, i - 1);
	}
}

static int set_environment(json_t *process, const struct sbx_wish *w, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->env.n; i++) {
		const char *text = w->env.items[i];
		json_t *word;

		if (!strchr(text, '=') || text[0] == '=')
			return err_set(e, EINVAL, "--env '%s': not NAME=VALUE", text);
		word = json_string(text);
		if (!word)
			return err_set(e, EINVAL, "--env: not UTF-8");
		unset(json_object_get(process, "env"), text);
		r = append(process, "env", word, e);
	}
	return r;
}

static int set_user(json_t *process, const struct sbx_wish *w, struct err *e)
{
	json_t *user = need(process, "user", json_object, e);
	struct user_ids ids = {0};
	int r = user ? 0 : -e->code;

	if (r == 0 && w->user) {
		r = user_parse(w->user, &ids, e);
		if (r < 0)
			return err_wrap(e, "--user");
		r = put(user, "uid", json_real(ids.uid), e);
		if (r == 0 && ids.has_gid)
			r = put(user, "gid", json_real(ids.gid), e);
	}
	for (size_t i = 0; r == 0 && i < w->groups.n; i++) {
		uint32_t gid = 0;

		r = user_parse_id(w->groups.items[i], "--additional-gids", &gid, e);
		if (r == 0)
			r = append(user, "additionalGids", json_real(gid), e);
	}
	return r;
}

/* Not the inheritable and ambient ones: a program of the container would pass them on (CVE-2022-29162). */
static int add_capabilities(json_t *process, const struct sbx_wish *w, struct err *e)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};
	json_t *caps = w->caps.n > 0 ? need(process, "capabilities", json_object, e) : NULL;
	int r = w->caps.n > 0 && !caps ? -e->code : 0;

	for (size_t i = 0; r == 0 && i < w->caps.n; i++)
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(sets); k++)
			r = append(caps, sets[k], json_string(w->caps.items[i]), e);
	return r;
}

static int set_others(json_t *process, const struct sbx_wish *w, struct err *e)
{
	const struct {
		const char *key;
		json_t *value; /* NULL: nothing is asked for */
	} members[] = {
		{"cwd",             w->cwd ? json_string(w->cwd) : NULL          },
		{"apparmorProfile", w->apparmor ? json_string(w->apparmor) : NULL},
		{"selinuxLabel",    w->label ? json_string(w->label) : NULL      },
		{"terminal",        w->terminal ? json_true() : NULL             },
		{"noNewPrivileges", w->no_new_privs ? json_true() : NULL         },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].value && put(process, members[i].key, members[i].value, e) < 0)
			r = -e->code;
	return r;
}

/* The config's process, or the one that was given, completed by it; *ret is the caller's. */
static int choose(json_t *config, const struct sbx_wish *w, json_t **ret, struct err *e)
{
	static const char *const own[] = {"args", "env", "terminal", "consoleSize"};
	json_t *old = json_object_get(config, "process"), *process;

	if (!json_is_object(old))
		return err_set(e, EINVAL, "config.json: process: is missing");
	if (!w->process) {
		(void)json_object_del(old, "args");
		(void)json_object_del(old, "terminal");
		*ret = json_incref(old);
		return 0;
	}
	process = plan_oci_load(w->process, strlen(w->process), "--process", e);
	if (!process)
		return -e->code;
	if (!json_is_object(process)) {
		json_decref(process);
		return err_set(e, EINVAL, "--process: not an object");
	}
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		(void)json_object_del(old, own[i]); /* missing is fine */
	*ret = process;
	if (json_object_update_missing(process, old) == 0)
		return 0;
	json_decref(process);
	return no_memory(e);
}

static int change(json_t *config, const struct sbx_wish *w, struct err *e)
{
	json_t *process = NULL;
	int r = choose(config, w, &process, e);

	if (r < 0)
		return r;
	r = set_arguments(process, w, e);
	if (r == 0)
		r = set_environment(process, w, e);
	if (r == 0)
		r = set_user(process, w, e);
	if (r == 0)
		r = add_capabilities(process, w, e);
	if (r == 0)
		r = set_others(process, w, e);
	if (r < 0) {
		json_decref(process);
		return r;
	}
	return put(config, "process", process, e);
}

int sbx_plan_for_exec(const char *cache_root, const char *config, const char *bundle,
		      const struct sbx_wish *w, struct sbx_plan **ret, struct err *e)
{
	json_t *json = plan_oci_load(config, strlen(config), "config.json", e);
	struct sbx_plan *plan = NULL;
	int r = json ? change(json, w, e) : -e->code;

	if (r == 0)
		r = plan_oci_compile_at(cache_root, json, bundle, &plan, e);
	json_decref(json);
	/* A filter without its listener would be another filter. */
	if (r == 0 && plan->drop.filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		sbx_plan_free(plan);
		return err_set(e, ENOTSUP,
			       "config.json: linux.seccomp.listenerPath: exec has no listener to "
			       "hand over, so nothing is executed in this container");
	}
	if (r == 0)
		*ret = plan;
	return r;
}

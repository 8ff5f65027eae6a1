/* config.json: hooks and annotations. See plan_oci.h. */
#include "sandbox/plan_oci.h"

#include <errno.h>

#include "base/mem.h"
#include "sandbox/hook.h"

#define ANNOTATIONS_MAX 4096
#define TIMEOUT_S_MAX   86400

const char *oci_hook_word(size_t i)
{
	return i < SBX_HOOK_KINDS ? hook_kind_name((enum sbx_hook_kind)i) : NULL;
}

/* Left out they are [path], and the environment of what the hook belongs to: hook.h. */
static int words(struct oci *o, const struct node *n, struct sbx_hook *h, struct err *e)
{
	struct node args = node_get(n, "args"), env = node_get(n, "env");
	uint32_t n_args = 0, n_env = 0;
	int r = oci_texts(o, &args, SBX_ARGS_MAX, &h->argv, &n_args, e);

	if (r == 0)
		r = oci_texts(o, &env, SBX_ARGS_MAX, &h->env, &n_env, e);
	if (r == 0 && n_args == 0) {
		h->argv = oci_alloc(o, 2 * sizeof(*h->argv), e);
		if (!h->argv)
			return -e->code;
		h->argv[0] = h->path;
	}
	if (r == 0 && !h->env && env.json) {
		h->env = oci_alloc(o, sizeof(*h->env), e);
		if (!h->env)
			return -e->code;
	}
	return r;
}

static int one(struct oci *o, const struct node *n, struct sbx_hook *h, struct err *e)
{
	struct node path = node_get(n, "path"), timeout = node_get(n, "timeout");
	int r = node_need(n, e);

	if (r == 0)
		r = node_object(n, e);
	if (r == 0)
		r = node_need(&path, e);
	if (r == 0)
		r = oci_text(o, &path, &h->path, e);
	if (r == 0 && h->path[0] != '/')
		r = node_fail(&path, e, "not an absolute path");
	if (r == 0)
		r = node_u32(&timeout, 1, TIMEOUT_S_MAX, &h->timeout_s, e);
	return r < 0 ? r : words(o, n, h, e);
}

int oci_hooks(struct oci *o, const struct node *hooks, struct err *e)
{
	int r = node_object(hooks, e);

	for (size_t k = 0; r == 0 && k < SBX_HOOK_KINDS; k++) {
		struct node list = node_get(hooks, oci_hook_word(k));
		struct sbx_hooks *to = &o->plan->hooks[k];
		size_t n = 0;

		r = node_list(&list, SBX_HOOKS_MAX, &n, e);
		if (r == 0 && n > 0) {
			to->hooks = oci_alloc(o, n * sizeof(*to->hooks), e);
			r = to->hooks ? 0 : -e->code;
		}
		for (size_t i = 0; r == 0 && i < n; i++) {
			struct node item = node_at(&list, i);

			r = one(o, &item, &to->hooks[i], e);
		}
		to->n = (uint32_t)n;
	}
	return r;
}

int oci_annotations(struct oci *o, const struct node *annotations, struct err *e)
{
	size_t n = json_object_size(annotations->json), i = 0;
	struct sbx_plan *p = o->plan;
	const char *key;
	json_t *value;
	int r = node_object(annotations, e);

	if (r == 0 && n > ANNOTATIONS_MAX)
		r = node_fail(annotations, e, "more than %d members", ANNOTATIONS_MAX);
	if (r < 0 || n == 0)
		return r;
	p->annotations = oci_alloc(o, 2 * n * sizeof(*p->annotations), e);
	if (!p->annotations)
		return -e->code;
	json_object_foreach((json_t *)annotations->json, key, value)
	{
		struct node name = {.json = json_string(key), .up = annotations, .key = key},
			    text = node_get(annotations, key);

		r = *key ? node_need(&text, e) : node_fail(annotations, e, "an empty name");
		if (r == 0)
			r = oci_text(o, &name, &p->annotations[i], e);
		if (r == 0)
			r = oci_text(o, &text, &p->annotations[i + 1], e);
		json_decref((json_t *)name.json);
		if (r < 0)
			return r;
		i += 2;
	}
	p->n_annotations = (uint32_t)n;
	return 0;
}

/* Typed getters that know their place in the document: see json_path.h. */
#include "sandbox/json_path.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PATH_TEXT_MAX 256
#define FAIL_TEXT_MAX 200

struct node node_root(const json_t *json, const char *name)
{
	return (struct node){.json = json, .key = name};
}

/* NULL is not an object and has no elements. */
struct node node_get(const struct node *up, const char *key)
{
	const json_t *json = json_object_get(up->json, key);

	return (struct node){.json = json_is_null(json) ? NULL : json, .up = up, .key = key};
}

struct node node_at(const struct node *up, size_t index)
{
	const json_t *json = json_array_get(up->json, index);

	return (struct node){.json = json_is_null(json) ? NULL : json, .up = up, .index = index};
}

/* "config.json: linux.uidMappings[2].size"; returns the length so far. Depth is that of our own code. */
static size_t print_path(const struct node *n, char *out, size_t size)
{
	size_t used = n->up ? print_path(n->up, out, size) : 0;
	const char *between = !n->up ? "" : !n->up->up ? ": " : ".";
	int w;

	if (n->key)
		w = snprintf(out + used, size - used, "%s%s", between, n->key);
	else
		w = snprintf(out + used, size - used, "[%zu]", n->index);
	return w < 0 || (size_t)w >= size - used ? size - 1 : used + (size_t)w;
}

int node_fail(const struct node *n, struct err *e, const char *fmt, ...)
{
	char path[PATH_TEXT_MAX], text[FAIL_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); /* cut if a value in it is long */
	va_end(ap);
	(void)print_path(n, path, sizeof(path));
	return err_set(e, EINVAL, "%s: %s", path, text);
}

bool node_is_empty(const struct node *n)
{
	const json_t *j = n->json;

	return !j || json_is_false(j) || (json_is_string(j) && json_string_length(j) == 0) ||
	       (json_is_array(j) && json_array_size(j) == 0) ||
	       (json_is_object(j) && json_object_size(j) == 0);
}

int node_need(const struct node *n, struct err *e)
{
	return n->json ? 0 : node_fail(n, e, "is missing");
}

int node_object(const struct node *n, struct err *e)
{
	return !n->json || json_is_object(n->json) ? 0 : node_fail(n, e, "not an object");
}

int node_list(const struct node *n, size_t max, size_t *ret_n, struct err *e)
{
	if (n->json && !json_is_array(n->json))
		return node_fail(n, e, "not an array");
	if (json_array_size(n->json) > max)
		return node_fail(n, e, "more than %zu elements", max);
	*ret_n = json_array_size(n->json);
	return 0;
}

int node_bool(const struct node *n, bool *ret, struct err *e)
{
	if (!n->json)
		return 0;
	if (!json_is_boolean(n->json))
		return node_fail(n, e, "neither true nor false");
	*ret = json_is_true(n->json);
	return 0;
}

int node_text(const struct node *n, const char **ret, struct err *e)
{
	if (!n->json)
		return 0;
	if (!json_is_string(n->json))
		return node_fail(n, e, "not a string");
	*ret = json_string_value(n->json);
	return 0;
}

int node_refuse(const struct node *n, const char *const *keys, struct err *e)
{
	for (; *keys; keys++) {
		struct node member = node_get(n, *keys);

		if (!node_is_empty(&member))
			return node_fail(&member, e, NODE_REFUSED);
	}
	return 0;
}

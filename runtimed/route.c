/* The API's table of routes, and what stands in paths. */
#include "runtimed/route.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/handlers.h"

#define LAMBDA  "/2015-03-31/functions"
#define ARN_MAX 256

/* clang-format off */
static const struct route routes[] = {
	{"POST", LAMBDA "/{f}/invocations", API_BODY_MAX, false, api_invoke},
	{"GET", LAMBDA "/{f}/configuration", 0, false, api_get_configuration},
	{"PUT", LAMBDA "/{f}/configuration", API_BODY_MAX, false, api_update_configuration},
	{"PUT", LAMBDA "/{f}/code", API_CODE_BODY_MAX, false, api_update_code},
	{"GET", LAMBDA "/{f}", 0, false, api_get_function},
	{"DELETE", LAMBDA "/{f}", 0, false, api_delete_function},
	{"GET", LAMBDA, 0, false, api_list_functions},
	{"POST", LAMBDA, API_CODE_BODY_MAX, false, api_create_function},
	{"GET", "/v1/images", 0, false, api_images},
	{"GET", "/v1/functions/{f}/bundle", 0, false, api_bundle},
	{"GET", "/v1/functions/{f}/usage", 0, false, api_usage},
	{"GET", "/v1/functions/{f}/logs", 0, false, api_logs},
	{"GET", "/healthz", 0, true, api_health},
	{"GET", "/metrics", 0, true, api_metrics},
};
/* clang-format on */

bool route_unescape(const char *s, size_t n, char *ret)
{
	return n >= 3 && s[0] == '%' && str_unhex((char[]){s[1], s[2], '\0'}, ret, 1);
}

/* n percent-encoded bytes as a string; false when badly encoded, with a NUL in it, or too long. */
static bool decode(const char *s, size_t n, char *out, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			if (!route_unescape(s + i, n - i, &c) || c == '\0')
				return false;
			i += 2;
		}
		if (--size == 0)
			return false;
		*out++ = c;
	}
	*out = '\0';
	return true;
}

/*
 * Does path have the form of pattern? The segment in the place of {f} is given back. One leading '/' of
 * path has been passed, and of pattern too.
 */
static bool matches(const char *pattern, const char *path, const char **ret_arg, size_t *ret_n)
{
	while (*pattern) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		*ret_arg = path;
		*ret_n = strcspn(path, "/");
		path += *ret_n;
		pattern = strchr(pattern, '}') + 1;
		if (*ret_n == 0)
			return false;
	}
	return *path == '\0' || str_is(path, "/");
}

int route_find(const char *method, const char *path, const struct route **ret,
	       char ret_name[FUNC_NAME_MAX + 1], struct err *e)
{
	int r = ROUTE_E_NOT_FOUND;

	while (path[0] == '/' && path[1] == '/') /* clients that join "http://host/" and "/path" */
		path++;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const char *arg = NULL;
		char text[ARN_MAX];
		size_t n = 0;

		if (!matches(routes[i].pattern, path, &arg, &n))
			continue;
		r = ROUTE_E_METHOD;
		if (!str_is(routes[i].method, method))
			continue;
		*ret = &routes[i];
		ret_name[0] = '\0';
		if (!arg)
			return 0;
		if (decode(arg, n, text, sizeof(text)))
			return route_function_name(text, ret_name, e);
		err_set(e, EINVAL, "FunctionName: not well encoded, or too long");
		return ROUTE_E_BAD_NAME;
	}
	return r;
}

static int bad_name(const char *text, struct err *e)
{
	err_set(e, EINVAL, "FunctionName: '%s' is neither a name nor an ARN of a function", text);
	return ROUTE_E_BAD_NAME;
}

/* name[:q], ACCOUNT:function:name[:q], arn:aws:lambda:REGION:ACCOUNT:function:name[:q] */
int route_function_name(const char *text, char ret_name[FUNC_NAME_MAX + 1], struct err *e)
{
	const char *at = text, *qualifier;
	size_t n;

	if (str_has_prefix(text, "arn:"))
		at = strstr(text, ":function:");
	else if (strstr(text, ":function:"))
		at = strchr(text, ':');
	if (at != text && (!at || !str_has_prefix(at, ":function:")))
		return bad_name(text, e);
	at += at == text ? 0 : strlen(":function:");
	n = strcspn(at, ":");
	qualifier = at[n] ? at + n + 1 : "$LATEST";
	if (n == 0 || n > FUNC_NAME_MAX ||
	    strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != n)
		return bad_name(text, e);
	memcpy(ret_name, at, n);
	ret_name[n] = '\0';
	if (str_is(qualifier, "$LATEST"))
		return 0;
	err_set(e, ENOENT, "Function not found: %s has no version or alias '%s'", ret_name,
		qualifier);
	return ROUTE_E_NO_VERSION;
}

/* The encoded value of a parameter, or NULL. */
static const char *find_query(const char *query, const char *name, size_t *ret_n)
{
	size_t n_name = strlen(name);

	for (const char *at = query; *at; at += strcspn(at, "&"), at += *at == '&') {
		size_t n = strcspn(at, "&");

		if (n < n_name || strncmp(at, name, n_name) != 0 ||
		    (n > n_name && at[n_name] != '='))
			continue;
		*ret_n = n > n_name ? n - n_name - 1 : 0;
		return n > n_name ? at + n_name + 1 : "";
	}
	return NULL;
}

bool route_query(const char *query, const char *name, char *out, size_t size)
{
	size_t n;
	const char *value = find_query(query, name, &n);

	return value && decode(value, n, out, size);
}

bool route_is_latest(const char *query)
{
	char qualifier[sizeof("$LATEST")];
	size_t n;
	const char *value = find_query(query, "Qualifier", &n);

	return !value ||
	       (decode(value, n, qualifier, sizeof(qualifier)) && str_is(qualifier, "$LATEST"));
}

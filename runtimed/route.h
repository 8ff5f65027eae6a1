/*
 * From method and path to a handler: one table (route.c). Pure.
 *
 * In a pattern "{f}" stands for one path segment that identifies a function: a name, "name:$LATEST",
 * "ACCOUNT:function:name" or an ARN, percent-encoded or not. A trailing '/' is tolerated, and so are
 * several leading ones.
 */
#ifndef RUNTIMED_ROUTE_H
#define RUNTIMED_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtimed/func.h"

struct call;

struct route {
	const char *method;
	const char *pattern;
	size_t body_max;
	bool is_open; /* no signature wanted on TCP */
	void (*handler)(struct call *c);
};

/*
 * Find the route. Returns 0, ROUTE_E_NOT_FOUND, ROUTE_E_METHOD (the path exists with another method), or
 * ROUTE_E_BAD_NAME: the segment names no function in any form, or another version than $LATEST; e says
 * which.
 */
enum route_outcome { ROUTE_E_NOT_FOUND = 1, ROUTE_E_METHOD, ROUTE_E_BAD_NAME, ROUTE_E_NO_VERSION };
int route_find(const char *method, const char *path, const struct route **ret,
	       char ret_name[FUNC_NAME_MAX + 1], struct err *e);

/* What a function is called by in paths and bodies -> its name. Outcomes as route_find()'s last two. */
int route_function_name(const char *text, char ret_name[FUNC_NAME_MAX + 1], struct err *e);

/*
 * The value of a query parameter, decoded, into out. False when it is absent, does not fit or is not
 * well encoded.
 */
bool route_query(const char *query, const char *name, char *out, size_t size);

/* Whether the query's Qualifier, if there is one, is "$LATEST", the only version. */
bool route_is_latest(const char *query);

/* If the n bytes at s begin with "%XX": the byte it stands for. */
bool route_unescape(const char *s, size_t n, char *ret);

#endif

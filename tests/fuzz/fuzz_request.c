/*
 * Any head of a request, whole: routing and the check of its signature must stay within bounds, and no
 * request but the one in the corpus that was signed with the key passes the check.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtimed/http.h"
#include "runtimed/route.h"
#include "runtimed/sigv4.h"

#define NOW_US UINT64_C(1795244700000000) /* 2026-11-21 07:05 UTC */

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_request: %s\n", #cond);                              \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_route(const struct http_request *req)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	const struct route *route = NULL;
	char name[FUNC_NAME_MAX + 1] = "", value[32];
	struct err e = ERR_INIT;
	int r = route_find(req->method, req->path, &route, name, &e);

	MUST(r >= 0);
	MUST(r != 0 || (route && name[strspn(name, letters)] == '\0'));
	if (route_query(req->query, "Marker", value, sizeof(value)))
		MUST(strlen(value) < sizeof(value));
}

static void check_signature(const struct http_request *req)
{
	static const struct sigv4_key key = {"AKIDTEST", "SECRETTEST"};
	struct sigv4 *s = NULL;
	struct err e = ERR_INIT;
	int r;

	MUST(sigv4_new(&s, &e) == 0);
	r = sigv4_check(s, &key, req, NOW_US, &e);
	MUST(r >= 0);
	MUST(r != 0 || strcmp(req->path, "/2015-03-31/functions/") == 0);
	MUST(r == 0 || e.text[0]);
	sigv4_free(s);
}

int fuzz_request(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct http h;
	size_t used;

	http_init(&h);
	if (http_feed(&h, (const char *)data, size, &used, &e) == HTTP_GOT_HEAD) {
		check_route(&h.req);
		check_signature(&h.req);
	}
	http_fini(&h);
	return 0;
}

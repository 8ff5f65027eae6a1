/*
 * Any bytes, cut at places the first byte chooses: the parser must stay within its bounds, end every
 * request it begins, and say the same about the whole and about the pieces.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtimed/http.h"

#define BODY_MAX 4096

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_http: %s\n", #cond);                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_request(const struct http_request *req)
{
	MUST(req->target[0] == '/' && strlen(req->target) <= HTTP_TARGET_MAX);
	MUST(strncmp(req->target, req->path, strlen(req->path)) == 0);
	MUST(req->n_fields <= HTTP_FIELDS_MAX);
	MUST(req->body.len <= BODY_MAX);
	MUST(req->is_chunked || req->body.len == req->content_length);
	for (size_t i = 0; i < req->n_fields; i++) {
		MUST(req->fields[i].name[0] != '\0');
		MUST(!strpbrk(req->fields[i].name, " \t\r\n:ABCXYZ"));
		MUST(!strpbrk(req->fields[i].value, "\r\n"));
	}
}

/* A digest of what was understood: requests, their sizes, and how it ended. */
static uint64_t drive(const char *data, size_t n, size_t step)
{
	struct err e = ERR_INIT;
	struct http h;
	size_t at = 0, used;
	uint64_t sum = 0;
	int r;

	http_init(&h);
	do {
		used = 0;
		r = http_feed(&h, data + at, n - at < step ? n - at : step, &used, &e);
		MUST(r < 0 || used <= n - at);
		at += used;
		if (r == HTTP_GOT_HEAD)
			h.body_max = BODY_MAX;
		if (r == HTTP_GOT_ALL) {
			check_request(&h.req);
			sum = sum * 31 + strlen(h.req.target) + 7 * h.req.n_fields +
			      13 * h.req.body.len + 1;
			http_next(&h);
		}
	} while (r >= 0 && (at < n || r == HTTP_GOT_HEAD));
	MUST(r >= 0 || (h.status >= 400 && e.text[0]));
	sum = sum * 31 + (r < 0);
	http_fini(&h);
	return sum;
}

int fuzz_http(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;

	if (size < 2)
		return 0;
	MUST(drive(text, size - 1, SIZE_MAX) == drive(text, size - 1, 1 + data[0] % 64));
	return 0;
}

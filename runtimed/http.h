/*
 * HTTP/1.0 and 1.1 requests out of a stream of bytes: a pure push parser around llhttp (strict), which
 * refuses more than it. No descriptors, no clock.
 *
 *  1. http_init()
 *  2. http_feed() bytes as they come, until HTTP_GOT_HEAD: everything but the body is in h->req
 *  3. the caller looks at the head, answers "Expect: 100-continue", sets h->body_max
 *  4. http_feed() the rest, until HTTP_GOT_ALL: h->req is whole
 *  5. http_next() for the request after it on the same connection; it begins with the bytes not used
 *  6. http_fini()
 *
 * What is refused beyond llhttp's strict mode: folded header lines; no or a second Host in 1.1; an empty,
 * absolute or "*" target; HTTP 0.9 and 2; CONNECT; Transfer-Encoding other than the one word "chunked", and
 * any in 1.0; trailers; more than HTTP_GAP_MAX bytes between two pieces of a chunked body (extensions,
 * zeros); a line, head or body beyond its maximum.
 *
 * Memory is taken when the first byte of a request arrives and given back by http_next(); an idle parser
 * holds none.
 */
#ifndef RUNTIMED_HTTP_H
#define RUNTIMED_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define HTTP_TARGET_MAX 8160        /* a request line of 8 KiB */
#define HTTP_BLOCK_MAX  (16u << 10) /* the header block, and what stands around the target */
#define HTTP_FIELDS_MAX 100
#define HTTP_GAP_MAX    1024

/* One header field. The name is in lower case; the value has no blanks around it. */
struct http_field {
	const char *name, *value;
};

struct http_request {
	const char *method; /* "GET" */
	const char *target; /* as received: what SigV4 signs */
	const char *path;   /* the part before '?', still encoded */
	const char *query;  /* the part after '?', still encoded; "" if there is none */
	const struct http_field *fields; /* n_fields, in the order they came */
	size_t n_fields;
	struct buf body;
	uint64_t content_length; /* 0 when chunked */
	bool is_chunked;
	bool is_keep_alive; /* never in HTTP/1.0 */
	bool expects_continue;
};

/* The value of the first field of this (lower case) name, or NULL. */
const char *http_header(const struct http_request *req, const char *name);

struct http_parser; /* the part that is there only while a request is */

struct http {
	struct http_request req;
	unsigned status; /* after a failure: what to answer; 400, 413, 414, 417, 431, 500, 505 */
	size_t body_max; /* to be set at HTTP_GOT_HEAD; 0 before */
	struct http_parser *parser;
};

void http_init(struct http *h);
void http_fini(struct http *h);

/*
 * Take bytes. *ret_used says how many; all of them for HTTP_WANTS_MORE.
 *
 * Returns HTTP_WANTS_MORE, HTTP_GOT_HEAD (once per request), HTTP_GOT_ALL (once per request), or -EBADMSG, -ENOMEM with
 * h->status set: answer that and close, nothing after this point can be understood.
 */
enum http_event { HTTP_WANTS_MORE = 0, HTTP_GOT_HEAD = 1, HTTP_GOT_ALL = 2 };
int http_feed(struct http *h, const char *data, size_t n, size_t *ret_used, struct err *e);

/* Whether bytes of a request have arrived that is not done: the header timeout runs. */
bool http_is_started(const struct http *h);

/* Forget the request and free its memory; h->req is empty. */
void http_next(struct http *h);

#endif

/*
 * What a handler of a route works with: one request, and exactly one answer to it.
 *
 *  1. the front calls the route's handler with a struct call
 *  2. the handler answers, now or later from the loop, by call_reply(), or api_fail(), api_json() ...
 *  3. should the client go away before, call->cancel() is called once, if it was set; the handler still
 *     answers (into nothing), unless it calls call_drop() instead
 *
 * After the answer (or call_drop()) the call is gone.
 */
#ifndef RUNTIMED_API_H
#define RUNTIMED_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/config.h"
#include "runtimed/func.h"
#include "runtimed/http.h"

#define API_BODY_MAX      (6u << 20)  /* an event */
#define API_CODE_BODY_MAX (70u << 20) /* 50 MB of zip in base64, and the rest */

struct core;

struct call {
	struct core *core;
	struct http_request *req;
	char name[FUNC_NAME_MAX + 1]; /* of the function the path names, "" if it names none */
	char request_id[37];
	uint64_t received_us;
	void *job; /* the handler's own */
	void (*cancel)(struct call *c);
};

struct reply {
	unsigned status;
	const char *type;    /* Content-Type; NULL = none */
	const char *headers; /* more fields, each "Name: value\r\n"; NULL = none */
	const char *body;    /* borrowed for the call */
	size_t body_size;
};

void call_reply(struct call *c, const struct reply *r);
void call_drop(struct call *c);

/* Changes of functions at work (api_change.c): the front keeps the list. */
struct list *call_changes(struct call *c);

/* ---- errors: X-Amzn-ErrorType, and a body with Type, Message and message ---- */

enum api_error {
	API_INVALID_PARAMETER,
	API_INVALID_JSON,
	API_ACCESS_DENIED,
	API_MISSING_TOKEN,
	API_INCOMPLETE_SIGNATURE,
	API_UNKNOWN_KEY,
	API_BAD_SIGNATURE,
	API_NOT_FOUND,
	API_UNKNOWN_OPERATION,
	API_METHOD_NOT_ALLOWED,
	API_TIMEOUT,
	API_CONFLICT,
	API_PRECONDITION,
	API_TOO_LARGE,
	API_URI_TOO_LONG,
	API_EXPECTATION,
	API_HEAD_TOO_LARGE,
	API_BAD_REQUEST,
	API_TOO_MANY,
	API_SERVICE,
	API_UNAVAILABLE,
	API_HTTP_VERSION,
	API_ERRORS
};

struct failure {
	enum api_error kind;
	const char *message;
	const char *reason;  /* of TooManyRequestsException; else NULL */
	const char *headers; /* more fields; NULL = none */
};

/* The reply for a failure; its texts are composed into out, which must outlive it. */
void api_error_reply(const struct failure *f, struct buf *out, struct reply *ret);

/* The error whose status is that of a failed http_feed(). */
enum api_error api_error_of_status(unsigned status);

void api_fail(struct call *c, enum api_error kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* 404 for a function, with its ARN. */
void api_fail_not_found(struct call *c, const char *name);

/* Answer with a document; takes the reference. NULL = out of memory. */
void api_json(struct call *c, unsigned status, json_t *doc);

/* FunctionConfiguration of the Lambda API; a new reference, NULL = out of memory. */
json_t *api_function(const struct config *cfg, const struct func *f);

/* "arn:aws:lambda:REGION:ACCOUNT:function:NAME" */
#define API_ARN_MAX 320
void api_arn(const struct config *cfg, const char *name, char out[API_ARN_MAX]);

#endif

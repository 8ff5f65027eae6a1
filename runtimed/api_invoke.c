/*
 * Invoke. The event is not looked at: it goes from the socket's buffer to the instance, and the reply the
 * other way. An error of the function is a success of the API: 200 with X-Amz-Function-Error.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/core.h"
#include "runtimed/guest.h"
#include "runtimed/handlers.h"
#include "runtimed/invoke.h"
#include "runtimed/report.h"
#include "runtimed/route.h"

#define CONTEXT_BASE64_MAX ((GUEST_CONTEXT_MAX + 2) / 3 * 4)
#define HEADERS_MAX        (16u << 10)

static bool wants_log(const struct call *c)
{
	const char *type = http_header(c->req, "x-amz-log-type");

	return type && str_is(type, "Tail");
}

/* ---- the answer ---- */

static void put_log(struct buf *out, const struct invoke_result *res)
{
	size_t n = (res->log_tail_size + 2) / 3 * 4;
	unsigned char *to;

	buf_puts(out, "X-Amz-Log-Result: ");
	to = buf_reserve(out, n);
	if (to && n) {
		EVP_EncodeBlock(to, (const unsigned char *)res->log_tail, (int)res->log_tail_size);
		buf_commit(out, n);
	}
	buf_puts(out, "\r\n");
}

static void put_outcome(struct buf *out, const struct record *rec)
{
	buf_puts(out, "X-Runtimed-Outcome: ");
	buf_puts(out, outcome_name(rec->outcome));
	buf_puts(out, "\r\nX-Runtimed-Report: ");
	report_json(rec, out);
	buf_puts(out, "\r\n");
}

static void answer_throttled(struct call *c, const struct invoke_result *res)
{
	_cleanup_buf_ struct buf headers, text;
	struct reply r;

	buf_init(&headers, HEADERS_MAX);
	buf_init(&text, HEADERS_MAX);
	buf_puts(&headers, "Retry-After: 1\r\n");
	put_outcome(&headers, &res->rec);
	api_error_reply(&(struct failure){.kind = API_TOO_MANY,
					  .message = "Rate Exceeded.",
					  .reason = res->throttle_reason,
					  .headers = headers.data},
			&text, &r);
	call_reply(c, &r);
}

static void on_done(void *arg, const struct invoke_result *res)
{
	struct call *c = arg;
	_cleanup_buf_ struct buf headers;
	struct reply r = {.status = 200, .type = "application/json"};

	c->cancel = NULL;
	buf_init(&headers, HEADERS_MAX);
	if (res->rec.outcome == OUTCOME_THROTTLED) {
		answer_throttled(c, res);
		return;
	}
	buf_reserve(&headers, 2048); /* one allocation in the common case */
	buf_puts(&headers, "X-Amz-Executed-Version: ");
	buf_puts(&headers, res->rec.version);
	buf_puts(&headers, "\r\n");
	if (res->rec.outcome != OUTCOME_OK)
		buf_puts(&headers, "X-Amz-Function-Error: Unhandled\r\n");
	put_outcome(&headers, &res->rec);
	if (wants_log(c))
		put_log(&headers, res);
	r.headers = headers.data;
	r.body = res->payload;
	r.body_size = res->payload_size;
	call_reply(c, &r);
}

static void on_cancel(struct call *c)
{
	invoke_cancel(c->job);
	call_drop(c);
}

/* ---- the request ---- */

/* base64 of at most GUEST_CONTEXT_MAX bytes of JSON. */
static int read_context(const char *text, unsigned char out[CONTEXT_BASE64_MAX], size_t *ret_size,
			struct err *e)
{
	size_t n = strlen(text), padding = 0;
	int size = -1;

	while (padding < 2 && padding < n && text[n - 1 - padding] == '=')
		padding++;
	if (n <= CONTEXT_BASE64_MAX && n % 4 == 0)
		size = EVP_DecodeBlock(out, (const unsigned char *)text, (int)n);
	if (size < 0)
		return err_set(e, EINVAL, "ClientContext: not base64 of at most %u bytes",
			       GUEST_CONTEXT_MAX);
	*ret_size = (size_t)size - padding;
	return 0;
}

/* The body, as heap. No body at all means an empty object. */
static char *take_event(struct call *c, size_t *ret_size)
{
	if (c->req->body.len > 0)
		return buf_take(&c->req->body, ret_size);
	*ret_size = 2;
	return strdup("{}");
}

static void start(struct call *c, struct func *fn, const unsigned char *context,
		  size_t context_size)
{
	struct invoke_request req = {
		.fn = fn,
		.context = context_size ? (const char *)context : NULL,
		.context_size = context_size,
		.received_us = c->received_us,
		.done = on_done,
		.arg = c,
	};
	struct invocation *inv = NULL;
	struct err e = ERR_INIT;

	memcpy(req.request_id, c->request_id, sizeof(req.request_id));
	req.event = take_event(c, &req.event_size);
	if (!req.event || invoke_start(c->core, &req, &inv, &e) < 0) {
		free(req.event);
		api_fail(c, API_SERVICE, "%s", e.text[0] ? e.text : "out of memory");
		return;
	}
	c->job = inv;
	c->cancel = on_cancel;
}

/* Whether the type asks for an invocation; else it has been answered. */
static bool is_synchronous(struct call *c)
{
	const char *type = http_header(c->req, "x-amz-invocation-type");

	if (!type || str_is(type, "RequestResponse"))
		return true;
	if (str_is(type, "DryRun"))
		call_reply(c, &(struct reply){.status = 204});
	else if (str_is(type, "Event"))
		api_fail(c, API_INVALID_PARAMETER, "asynchronous invocation is not offered yet");
	else
		api_fail(c, API_INVALID_PARAMETER,
			 "X-Amz-Invocation-Type: '%s' is not RequestResponse or DryRun", type);
	return false;
}

void api_invoke(struct call *c)
{
	const char *text = http_header(c->req, "x-amz-client-context");
	unsigned char context[CONTEXT_BASE64_MAX];
	struct func *fn = funcs_find(c->core->funcs, c->name);
	size_t context_size = 0;
	struct err e = ERR_INIT;

	if (!fn || !route_is_latest(c->req->query))
		api_fail_not_found(c, c->name);
	else if (!is_synchronous(c))
		return;
	else if (text && read_context(text, context, &context_size, &e) < 0)
		api_fail(c, API_INVALID_PARAMETER, "%s", e.text);
	else
		start(c, fn, context, context_size);
}

/* One invocation: made, begun, ended. The pool finds it an instance. See invoke.h and invocation.h. */
#include "runtimed/invocation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/str.h"
#include "runtimed/core.h"
#include "runtimed/instance.h"
#include "runtimed/logs.h"
#include "runtimed/meter.h"
#include "runtimed/metrics.h"
#include "runtimed/pool.h"
#include "runtimed/report.h"
#include "runtimed/store.h"

#define REPORT_MAX 1024

static void on_line(void *arg, const char *line, size_t n)
{
	struct invocation *inv = arg;

	/* Dropped lines are counted by the log itself and told there. */
	(void)logs_append(inv->core->logs, inv->rec.function, inv->rec.request_id, line, n);
}

static void note(struct invocation *inv, void (*write)(const struct record *, struct buf *))
{
	struct buf b;

	buf_init(&b, REPORT_MAX);
	write(&inv->rec, &b);
	if (b.len > 0)
		loglines_note(&inv->lines, b.data, b.len);
	buf_fini(&b);
}

int invoke_start(struct core *core, const struct invoke_request *req, struct invocation **ret,
		 struct err *e)
{
	struct invocation *inv = malloc(sizeof(*inv));
	char *context = NULL;

	if (inv && req->context_size > 0 && (context = malloc(req->context_size)))
		memcpy(context, req->context, req->context_size);
	if (!inv || (req->context_size > 0 && !context)) {
		free(inv);
		return err_set(e, ENOMEM, "invocation");
	}
	/* Not zeroed as a whole: the line buffers are 36 KiB and start unused. */
	memset(inv, 0, offsetof(struct invocation, lines));
	inv->core = core;
	inv->req = *req;
	inv->req.context = context;
	(void)func_ref(req->fn);
	inv->rec.received_wall_us = clk_wall_us();
	inv->rec.memory_mb = req->fn->memory_mb;
	inv->rec.bytes_in = req->event_size;
	(void)str_copy(inv->rec.request_id, sizeof(inv->rec.request_id), req->request_id);
	(void)str_copy(inv->rec.function, sizeof(inv->rec.function), req->fn->name);
	(void)str_copy(inv->rec.version, sizeof(inv->rec.version), "$LATEST");
	list_init(&inv->link);
	(void)uv_timer_init(&core->loop, &inv->timer);
	inv->timer.data = inv;
	loglines_init(&inv->lines, core->cfg.log_bytes_max, on_line, inv);
	note(inv, report_start);
	*ret = inv;
	pool_submit(core->pool, inv);
	return 0;
}

void invoke_cancel(struct invocation *inv)
{
	inv->is_canceled = true;
	if (!inv->in && inv->refused == OUTCOME_OK)
		pool_forget(inv->core->pool, inv);
}

void invocation_frame(struct invocation *inv, struct iovec iov[INVOCATION_PIECES])
{
	iov[0] = (struct iovec){&inv->frame, sizeof(inv->frame)};
	iov[1] = (struct iovec){&inv->head, sizeof(inv->head)};
	iov[2] = (struct iovec){(char *)inv->req.context, inv->req.context_size};
	iov[3] = (struct iovec){inv->req.event, inv->req.event_size};
}

static void on_deadline(uv_timer_t *timer)
{
	struct invocation *inv = timer->data;
	uint64_t now = clk_now_us();

	if (now < inv->deadline_us) /* the timer counts from when its turn of the loop began */
		(void)uv_timer_start(timer, on_deadline,
				     (inv->deadline_us - now) / CLK_US_PER_MS + 1, 0);
	else
		pool_timeout(inv->core->pool, inv);
}

/* A mark the guest made, no earlier than the one before it and not in the future. */
static uint64_t mark(uint64_t at, uint64_t before, uint64_t now)
{
	return at < before ? before : at > now ? now : at;
}

/* The parts of a cold start, from the marks that core and guest made on one clock. */
static void cold_parts(struct record *rec, const struct instance *in, uint64_t received_us,
		       uint64_t now)
{
	const struct guest_ready *g = &in->ready;
	uint64_t asked = in->asked_us;
	uint64_t forked = mark(g->forked_us, asked, now);
	uint64_t taken = mark(g->taken_us, forked, now);
	uint64_t sealed = mark(g->sealed_us, taken, now);
	uint64_t imported = mark(g->imported_us, sealed, now);

	rec->is_cold = true;
	rec->way = in->started.way;
	rec->queue_us = asked > received_us ? asked - received_us : 0;
	rec->runtime_us = rec->way == LAUNCH_PREFORKED ? 0 : taken - forked;
	rec->sandbox_us = sealed - asked - rec->runtime_us;
	rec->import_us = imported - sealed;
}

void invocation_begin(struct invocation *inv, struct instance *in)
{
	uint64_t now = clk_now_us();

	inv->in = in;
	/* An instance that was ready before the request came made nobody wait. */
	if (in->is_fresh && in->ready.imported_us > inv->req.received_us)
		cold_parts(&inv->rec, in, inv->req.received_us, now);
	else
		inv->rec.queue_us = now - inv->req.received_us;
	inv->begun_us = now;
	inv->deadline_us = now + (uint64_t)inv->req.fn->timeout_ms * CLK_US_PER_MS;
	inv->head.deadline_us = inv->deadline_us;
	inv->head.context_size = (uint32_t)inv->req.context_size;
	memcpy(inv->head.request_id, inv->req.request_id, GUEST_REQUEST_ID_LEN);
	inv->frame =
		(struct guest_frame){.type = GUEST_INVOKE,
				     .size = (uint32_t)(sizeof(inv->head) + inv->req.context_size +
							inv->req.event_size)};
	(void)uv_timer_start(&inv->timer, on_deadline, inv->req.fn->timeout_ms, 0);
}

void invocation_log(struct invocation *inv, const char *data, size_t n)
{
	loglines_feed(&inv->lines, data, n);
}

/* ---- the end ---- */

static void on_timer_closed(uv_handle_t *h)
{
	free(h->data);
}

static void release(struct invocation *inv)
{
	free(inv->req.event);
	free((char *)inv->req.context);
	func_unref(inv->req.fn);
	uv_close((uv_handle_t *)&inv->timer, on_timer_closed);
}

/* What is true of every end; times of the handler and use of the group are in the record already. */
static void complete(struct invocation *inv)
{
	struct record *rec = &inv->rec;
	const struct config *cfg = &inv->core->cfg;

	rec->total_us = clk_now_us() - inv->req.received_us;
	rec->billed_ms = meter_bill(rec, cfg->billing_granularity_ms, cfg->bill_init);
	loglines_finish(&inv->lines);
	rec->log_bytes = inv->lines.bytes;
	rec->log_dropped_bytes = inv->lines.dropped_bytes;
	note(inv, report_end);
	note(inv, report_init);
	note(inv, report_line);
}

static void account(struct invocation *inv)
{
	struct err e = ERR_INIT;

	metrics_record(inv->core->metrics, &inv->rec);
	if (store_record(inv->core->store, &inv->rec, &e) < 0)
		log_line(LOG_ERROR, "record of %s is lost: %s", inv->rec.request_id, e.text);
}

void invocation_answer(struct invocation *inv, enum outcome outcome, const char *payload, size_t n)
{
	char tail[INVOKE_LOG_TAIL_BYTES];
	struct invoke_result res = {.payload = payload, .payload_size = n, .log_tail = tail};

	(void)uv_timer_stop(&inv->timer);
	inv->rec.outcome = outcome;
	inv->rec.bytes_out = n;
	complete(inv);
	if (!inv->is_canceled) {
		res.rec = inv->rec;
		res.log_tail_size = loglines_tail(&inv->lines, tail);
		if (outcome == OUTCOME_THROTTLED)
			res.throttle_reason = "ConcurrentInvocationLimitExceeded";
		inv->req.done(inv->req.arg, &res);
	}
	account(inv);
	release(inv);
}

void invocation_error(struct invocation *inv, enum outcome outcome, const char *type,
		      const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 128];
	struct buf b;
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "RequestId: %s Error: ", inv->rec.request_id);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	buf_init(&b, 4096);
	buf_puts(&b, "{\"errorType\":");
	buf_json_string(&b, type, strlen(type));
	buf_puts(&b, ",\"errorMessage\":");
	buf_json_string(&b, text, strlen(text));
	buf_printf(&b, ",\"requestId\":\"%s\",\"stackTrace\":[]}", inv->rec.request_id);
	loglines_finish(&inv->lines);
	buf_putc(&b, '\n');
	if (!buf_failed(&b)) /* the log has it as well: asynchronous callers see nothing else */
		loglines_note(&inv->lines, b.data, b.len);
	invocation_answer(inv, outcome, b.data, b.len ? b.len - 1 : 0);
	buf_fini(&b);
}

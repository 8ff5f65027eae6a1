/* Our own interface: health, metrics, images, usage, logs. */
#include <stddef.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/core.h"
#include "runtimed/handlers.h"
#include "runtimed/logs.h"
#include "runtimed/meter.h"
#include "runtimed/metrics.h"
#include "runtimed/route.h"
#include "runtimed/store.h"

#define METRICS_TEXT_MAX (1u << 20)
#define LOGS_PAGE_BYTES  (1u << 20)

void api_health(struct call *c)
{
	if (c->core->is_draining)
		api_fail(c, API_UNAVAILABLE, "draining");
	else
		api_json(c, 200, json_pack("{s:s}", "status", "ok"));
}

void api_metrics(struct call *c)
{
	_cleanup_buf_ struct buf text;
	struct metrics *m = c->core->metrics;
	struct reply r = {.status = 200, .type = "text/plain; version=0.0.4"};

	store_get_stats(c->core->store, &m->store);
	m->logs_dropped = logs_dropped(c->core->logs);
	m->hello = &c->core->hello;
	m->functions = funcs_count(c->core->funcs);
	buf_init(&text, METRICS_TEXT_MAX);
	metrics_write(m, &text);
	if (buf_failed(&text)) {
		api_fail(c, API_SERVICE, "out of memory");
		return;
	}
	r.body = text.data;
	r.body_size = text.len;
	call_reply(c, &r);
}

void api_images(struct call *c)
{
	const struct launch_hello *hello = &c->core->hello;
	json_t *images = json_array();

	for (uint32_t i = 0; i < hello->n_images; i++) {
		const struct launch_image *image = &hello->images[i];
		char digest[sizeof("sha256:") + 2 * LAUNCH_SHA256_LEN] = "sha256:";

		str_hex(image->digest, LAUNCH_SHA256_LEN, digest + strlen(digest));
		json_array_append_new(
			images, json_pack("{s:s,s:s,s:I,s:I,s:I}", "name", image->name, "digest",
					  digest, "packed_bytes", (json_int_t)image->packed_bytes,
					  "unpacked_bytes", (json_int_t)image->unpacked_bytes,
					  "base_bytes", (json_int_t)image->base_bytes));
	}
	api_json(c, 200, json_pack("{s:o}", "images", images));
}

/* A number of the query; the default when it is not there. False: it has been answered. */
static bool read_number(struct call *c, const char *name, uint64_t max, uint64_t *ret)
{
	char text[24];
	struct err e = ERR_INIT;

	if (!route_query(c->req->query, name, text, sizeof(text)) ||
	    str_to_u64(text, 0, max, name, ret, &e) == 0)
		return true;
	api_fail(c, API_INVALID_PARAMETER, "%s", e.text);
	return false;
}

/* ---- usage ---- */

#define FIELD(name)                                                                                \
	{                                                                                          \
#name, offsetof(struct usage, name)                                                \
	}
static const struct {
	const char *name;
	size_t offset; /* of a uint64_t */
} sums[] = {
	FIELD(n_cold),
	FIELD(queue_us),
	FIELD(init_us),
	FIELD(handler_us),
	FIELD(total_us),
	FIELD(billed_ms),
	FIELD(mb_ms),
	FIELD(cpu_us),
	FIELD(memory_peak_bytes),
	FIELD(bytes_in),
	FIELD(bytes_out),
	FIELD(log_bytes),
	FIELD(log_dropped_bytes),
};

static json_t *usage_document(const struct call *c, const struct usage *u)
{
	json_t *doc = json_pack("{s:s,s:I,s:I}", "function", c->name, "invocations",
				(json_int_t)usage_invocations(u), "requests",
				(json_int_t)usage_requests(u));
	json_t *outcomes = json_object();

	for (enum outcome o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
		json_object_set_new(outcomes, outcome_name(o),
				    json_integer((json_int_t)u->n_outcome[o]));
	json_object_set_new(doc, "outcomes", outcomes);
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		uint64_t v = *(const uint64_t *)((const char *)u + sums[i].offset);

		json_object_set_new(doc, sums[i].name, json_integer((json_int_t)v));
	}
	return doc;
}

static void on_usage(void *arg, const struct usage *usage, const struct err *e)
{
	struct call *c = arg;

	if (!usage)
		api_fail(c, API_SERVICE, "%s", e->text);
	else
		api_json(c, 200, usage_document(c, usage));
}

/* Of deleted functions too: what they used is still owed. */
void api_usage(struct call *c)
{
	uint64_t since_wall_us = 0;

	if (!read_number(c, "since", INT64_MAX, &since_wall_us))
		return;
	if (store_usage(c->core->store, c->name, since_wall_us, on_usage, c) < 0)
		api_fail(c, API_SERVICE, "out of memory");
}

/* ---- logs ---- */

static void on_logs(void *arg, const struct logs_page *page, const struct err *e)
{
	struct call *c = arg;
	struct reply r = {.status = 200, .type = "application/x-ndjson"};

	c->cancel = NULL;
	if (!page) {
		api_fail(c, API_SERVICE, "%s", e->text);
		return;
	}
	r.body = page->data;
	r.body_size = page->size;
	r.headers = page->is_gap ? "X-Runtimed-Gap: yes\r\n" : NULL;
	call_reply(c, &r);
}

static void on_cancel(struct call *c)
{
	logs_cancel(c->job);
	call_drop(c);
}

void api_logs(struct call *c)
{
	uint64_t after = 0, wait_ms = 0;
	struct logs_query *query = NULL;

	if (!read_number(c, "after", INT64_MAX, &after) ||
	    !read_number(c, "wait_ms", LOGS_WAIT_MAX_US / CLK_US_PER_MS, &wait_ms))
		return;
	if (!funcs_find(c->core->funcs, c->name)) {
		api_fail_not_found(c, c->name);
		return;
	}
	if (logs_wait(c->core->logs, c->name, after, LOGS_PAGE_BYTES, wait_ms * CLK_US_PER_MS,
		      on_logs, c, &query) < 0) {
		api_fail(c, API_SERVICE, "out of memory");
		return;
	}
	c->job = query;
	c->cancel = on_cancel;
}

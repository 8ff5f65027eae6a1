#include "tests/lib/store_fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/harness.h"

char fx_dir[64];
uv_loop_t fx_loop;
struct store *fx_store;

void fx_set_up(void)
{
	harness_mkdir(fx_dir);
	ck_assert_int_eq(uv_loop_init(&fx_loop), 0);
}

void fx_tear_down(void)
{
	uv_run(&fx_loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&fx_loop), 0);
	harness_rmdir(fx_dir);
}

void fx_open(void)
{
	struct err e = ERR_INIT;

	ck_ok(store_open(fx_dir, &fx_loop, &fx_store, &e), &e);
}

void fx_reopen(void)
{
	store_close(fx_store);
	uv_run(&fx_loop, UV_RUN_DEFAULT);
	fx_open();
}

struct record fx_record(const char *function, unsigned i)
{
	struct record rec = {
		.outcome = (enum outcome)(i % OUTCOME_COUNT),
		.version = "$LATEST",
		.is_cold = i % 5 == 0,
		.way = i % 3,
		.received_wall_us = 1000000 + i,
		.queue_us = i,
		.sandbox_us = i * 2,
		.runtime_us = i * 3,
		.import_us = i * 5,
		.handler_us = i * 7919,
		.total_us = i * 8000,
		.billed_ms = i * 8,
		.memory_mb = 128 + i % 3 * 64,
		.memory_peak_bytes = 1000 * (i % 1000),
		.cpu_us = i * 11,
		.bytes_in = i * 13,
		.bytes_out = i * 17,
		.log_bytes = i * 19,
		.log_dropped_bytes = i % 2,
	};

	snprintf(rec.function, sizeof(rec.function), "%s", function);
	snprintf(rec.request_id, sizeof(rec.request_id), "01900000-0000-7000-8000-%012x", i);
	return rec;
}

void fx_on_done(void *arg, const struct err *e)
{
	struct fx_answer *a = arg;

	a->n++;
	a->code = e->code;
	memcpy(a->text, e->text, sizeof(a->text));
}

void fx_on_usage(void *arg, const struct usage *usage, const struct err *e)
{
	struct fx_answer *a = arg;

	fx_on_done(a, e);
	ck_assert((usage != NULL) == (e->code == 0));
	if (usage)
		a->usage = *usage;
}

void fx_await(struct fx_answer *a, int n)
{
	while (a->n < n)
		uv_run(&fx_loop, UV_RUN_ONCE);
}

struct usage fx_usage(const char *function, uint64_t since_us)
{
	struct fx_answer a = {.n = 0};

	ck_assert_int_eq(store_usage(fx_store, function, since_us, fx_on_usage, &a), 0);
	ck_assert_int_eq(a.n, 0);
	fx_await(&a, 1);
	ck_assert_msg(a.code == 0, "%s", a.text);
	return a.usage;
}

void fx_put(const char *name, const char *json)
{
	struct fx_answer a = {.n = 0};

	ck_assert_int_eq(store_put_function(fx_store, name, json, fx_on_done, &a), 0);
	ck_assert_int_eq(a.n, 0);
	fx_await(&a, 1);
	ck_assert_msg(a.code == 0, "%s", a.text);
}

static int collect(void *arg, const char *name, const char *json, size_t n)
{
	char *out = arg;

	ck_assert_uint_eq(strlen(json), n);
	sprintf(out + strlen(out), "%s=%s;", name, json);
	return 0;
}

const char *fx_load(void)
{
	static char out[4096];
	struct err e = ERR_INIT;

	out[0] = '\0';
	ck_ok(store_load_functions(fx_store, collect, out, &e), &e);
	return out;
}

/* The store: what was put is found again, usage sees every row, close answers everybody. */
#include "tests/lib/harness.h"

#include <errno.h>

#include "tests/lib/store_fixture.h"

START_TEST(functions_come_back_after_a_restart)
{
	struct fx_answer a = {.n = 0};

	fx_open();
	ck_assert_str_eq(fx_load(), "");
	fx_put("b", "{\"v\":1}");
	fx_put("a", "{}");
	fx_put("b", "{\"v\":2}");
	fx_put("gone", "{}");
	ck_assert_int_eq(store_delete_function(fx_store, "gone", fx_on_done, &a), 0);
	ck_assert_int_eq(store_delete_function(fx_store, "never was", fx_on_done, &a), 0);
	fx_await(&a, 2);
	ck_assert_int_eq(a.code, 0);
	fx_reopen();
	ck_assert_str_eq(fx_load(), "a={};b={\"v\":2};");
	store_close(fx_store);
}
END_TEST

static int refuse(void *arg, const char *name, const char *json, size_t n)
{
	(void)name, (void)json, (void)n;
	++*(int *)arg;
	return -EINVAL;
}

START_TEST(loading_stops_where_the_caller_refuses)
{
	struct err e = ERR_INIT;
	int n = 0;

	fx_open();
	fx_put("a", "{}");
	fx_put("b", "{}");
	ck_assert_int_eq(store_load_functions(fx_store, refuse, &n, &e), -EINVAL);
	ck_assert_int_eq(n, 1);
	store_close(fx_store);
}
END_TEST

START_TEST(usage_equals_the_sum_of_all_records_queued_before)
{
	struct usage want = {.n_cold = 0}, late = {.n_cold = 0}, got;
	struct err e = ERR_INIT;

	fx_open();
	for (unsigned i = 0; i < 3000; i++) {
		struct record rec = fx_record(i % 3 ? "a" : "b", i);

		ck_ok(store_record(fx_store, &rec, &e), &e);
		if (i % 3)
			usage_add(&want, &rec);
		if (i % 3 && rec.received_wall_us >= 1002000)
			usage_add(&late, &rec);
	}
	got = fx_usage("a", 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	got = fx_usage("a", 1002000);
	ck_assert_mem_eq(&got, &late, sizeof(got));
	got = fx_usage("none", 0);
	ck_assert_uint_eq(usage_invocations(&got), 0);
	fx_reopen();
	got = fx_usage("a", 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	store_close(fx_store);
}
END_TEST

START_TEST(a_record_counts_once_and_big_numbers_saturate)
{
	struct record rec = fx_record("a", 1);
	struct err e = ERR_INIT;
	struct usage got;

	fx_open();
	rec.cpu_us = UINT64_MAX;
	ck_ok(store_record(fx_store, &rec, &e), &e);
	ck_ok(store_record(fx_store, &rec, &e), &e);
	got = fx_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), 1);
	ck_assert_uint_eq(got.cpu_us, INT64_MAX);
	store_close(fx_store);
}
END_TEST

START_TEST(rows_are_committed_in_groups)
{
	struct record rec = fx_record("a", 0);
	struct store_stats stats;
	struct err e = ERR_INIT;

	fx_open();
	for (unsigned i = 0; i < 1280; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(fx_store, &rec, &e), &e);
	}
	ck_ok(store_drain(fx_store, &e), &e);
	store_get_stats(fx_store, &stats);
	ck_assert_uint_eq(stats.written, 1280);
	ck_assert_uint_eq(stats.queued, 0);
	ck_assert_uint_ge(stats.commits, 10);
	ck_assert_uint_lt(stats.commits, 1280);
	store_close(fx_store);
}
END_TEST

START_TEST(close_writes_the_queue_and_answers_everybody)
{
	struct fx_answer puts = {.n = 0}, sums = {.n = 0};
	struct record rec = fx_record("a", 0);
	struct err e = ERR_INIT;
	struct usage got;

	fx_open();
	for (unsigned i = 0; i < 500; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(fx_store, &rec, &e), &e);
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(store_put_function(fx_store, "f", "{}", fx_on_done, &puts), 0);
		ck_assert_int_eq(store_usage(fx_store, "a", 0, fx_on_usage, &sums), 0);
	}
	store_close(fx_store);
	ck_assert_int_eq(puts.n, 5);
	ck_assert_int_eq(puts.code, 0);
	ck_assert_int_eq(sums.n, 5);
	ck_assert(sums.code == 0 || sums.code == ECANCELED);
	uv_run(&fx_loop, UV_RUN_DEFAULT);
	fx_open();
	got = fx_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), 500);
	ck_assert_str_eq(fx_load(), "f={};");
	store_close(fx_store);
	store_close(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, fx_set_up, fx_tear_down);
	tcase_add_test(t, functions_come_back_after_a_restart);
	tcase_add_test(t, loading_stops_where_the_caller_refuses);
	tcase_add_test(t, usage_equals_the_sum_of_all_records_queued_before);
	tcase_add_test(t, a_record_counts_once_and_big_numbers_saturate);
	tcase_add_test(t, rows_are_committed_in_groups);
	tcase_add_test(t, close_writes_the_queue_and_answers_everybody);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

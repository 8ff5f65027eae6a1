/* The platform's lines about an invocation, byte for byte. */
#include "tests/lib/harness.h"

#include <jansson.h>

#include "base/mem.h"
#include "runtimed/report.h"

#define ID "01900000-0000-7000-8000-000000000001"

static struct record warm(void)
{
	return (struct record){
		.request_id = ID,
		.function = "hello",
		.version = "$LATEST",
		.handler_us = 15731,
		.billed_ms = 16,
		.memory_mb = 128,
		.memory_peak_bytes = (55 << 20) + 1,
	};
}

static struct record cold(enum outcome outcome)
{
	struct record rec = warm();

	rec.outcome = outcome;
	rec.is_cold = true;
	rec.queue_us = 250;
	rec.sandbox_us = 2000;
	rec.runtime_us = 1000;
	rec.import_us = 127487;
	return rec;
}

static void expect(void (*write)(const struct record *, struct buf *), const struct record *rec,
		   const char *want)
{
	struct buf out;

	buf_init(&out, 4096);
	write(rec, &out);
	ck_assert(!buf_failed(&out));
	ck_assert_str_eq(out.data ? out.data : "", want);
	buf_fini(&out);
}

#define REPORT                                                                                     \
	"REPORT RequestId: " ID "\tDuration: 15.74 ms\tBilled Duration: 16 ms\t"                   \
	"Memory Size: 128 MB\tMax Memory Used: 56 MB\t"

/* clang-format off */
static const struct {
	enum outcome outcome;
	const char *status;
} status_rows[] = {
	{OUTCOME_OK,         ""                 },
	{OUTCOME_USER_ERROR, ""                 },
	{OUTCOME_TIMEOUT,    "Status: timeout\t"},
	{OUTCOME_OOM,        "Status: error\tError Type: Runtime.OutOfMemory\t"},
	{OUTCOME_EXIT,       "Status: error\tError Type: Runtime.ExitError\t"},
	{OUTCOME_INIT_ERROR, "Status: error\tError Type: Runtime.InitError\t"},
};
/* clang-format on */

START_TEST(report_has_lambdas_form)
{
	struct record hot = warm(), rec = cold(status_rows[_i].outcome);
	char want[512];

	expect(report_start, &hot, "START RequestId: " ID " Version: $LATEST\n");
	expect(report_end, &hot, "END RequestId: " ID "\n");
	expect(report_line, &hot, REPORT "\n");
	snprintf(want, sizeof(want), "%sInit Duration: 130.49 ms\t%s\n", REPORT,
		 status_rows[_i].status);
	expect(report_line, &rec, want);
}
END_TEST

START_TEST(init_report_splits_a_cold_start_exactly)
{
	struct record hot = warm(), rec = cold(OUTCOME_OK);

	expect(report_init, &hot, "");
	expect(report_init, &rec,
	       "Init Report RequestId: " ID
	       " Coldstart: 130.737ms (Queue: 0.250ms Sandbox: 2.000ms "
	       "Runtime: 1.000ms Import: 127.487ms) Memory: 128MB MemUsage: 55.00MB\n");
}
END_TEST

static const struct {
	uint64_t us;
	const char *text;
} duration_rows[] = {
	{0,          "\tDuration: 0.00 ms\t"                },
	{1,          "\tDuration: 0.01 ms\t"                },
	{999,        "\tDuration: 1.00 ms\t"                },
	{1000,       "\tDuration: 1.00 ms\t"                },
	{1001,       "\tDuration: 1.01 ms\t"                },
	{90000050,   "\tDuration: 90000.05 ms\t"            },
	{UINT64_MAX, "\tDuration: 18446744073709551.62 ms\t"},
};

START_TEST(durations_have_two_digits_rounded_up)
{
	struct record rec = warm();
	struct buf out;

	rec.handler_us = duration_rows[_i].us;
	buf_init(&out, 4096);
	report_line(&rec, &out);
	ck_assert_msg(strstr(out.data, duration_rows[_i].text) != NULL, "%s", out.data);
	buf_fini(&out);
}
END_TEST

START_TEST(json_holds_the_record_in_us)
{
	struct record rec = cold(OUTCOME_TIMEOUT);
	struct buf out;
	json_t *o;

	rec.bytes_out = 77;
	buf_init(&out, 4096);
	report_json(&rec, &out);
	ck_assert_ptr_null(strchr(out.data, '\n'));
	o = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(o != NULL, "%s", out.data);
	ck_assert_str_eq(json_string_value(json_object_get(o, "request_id")), ID);
	ck_assert_str_eq(json_string_value(json_object_get(o, "outcome")), "timeout");
	ck_assert(json_is_true(json_object_get(o, "is_cold")));
	ck_assert_int_eq(json_integer_value(json_object_get(o, "import_us")), 127487);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "bytes_out")), 77);
	ck_assert_int_eq(json_integer_value(json_object_get(o, "memory_mb")), 128);
	ck_assert_uint_eq(json_object_size(o), 21);
	json_decref(o);
	buf_fini(&out);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("report");
	TCase *t = tcase_create("report");

	tcase_add_loop_test(t, report_has_lambdas_form, 0, ARRAY_SIZE(status_rows));
	tcase_add_test(t, init_report_splits_a_cold_start_exactly);
	tcase_add_loop_test(t, durations_have_two_digits_rounded_up, 0, ARRAY_SIZE(duration_rows));
	tcase_add_test(t, json_holds_the_record_in_us);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

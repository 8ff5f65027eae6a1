/* Metering: rounding, saturation, and that the lines of a bill sum to the bill. */
#include "tests/lib/harness.h"

#include <stdlib.h>

#include "base/mem.h"
#include "runtimed/meter.h"

/* clang-format off */
static const struct {
	uint64_t us, granularity_ms, ms;
} billed_rows[] = {
	{0,          1,          1                    }, /* a handler that ran costs at least one granule */
	{1,          1,          1                    },
	{1000,       1,          1                    },
	{1001,       1,          2                    },
	{15740,      1,          16                   }, /* the example of Lambda's manual */
	{0,          100,        100                  },
	{100000,     100,        100                  },
	{100001,     100,        200                  },
	{1760000,    1,          1760                 },
	{5000,       0,          5                    },
	{UINT64_MAX, 1,          UINT64_MAX / 1000 + 1},
	{UINT64_MAX, UINT64_MAX, UINT64_MAX           },
};
/* clang-format on */

START_TEST(billed_time_is_rounded_up_to_granules)
{
	ck_assert_uint_eq(meter_billed_ms(billed_rows[_i].us, billed_rows[_i].granularity_ms),
			  billed_rows[_i].ms);
}
END_TEST

/* clang-format off */
static const struct {
	enum outcome outcome;
	bool is_cold, bill_init;
	uint64_t ms;
} bill_rows[] = {
	{OUTCOME_OK,         false, false, 3},
	{OUTCOME_OK,         true,  false, 3},
	{OUTCOME_OK,         true,  true,  9},
	{OUTCOME_OK,         false, true,  3},
	{OUTCOME_TIMEOUT,    true,  true,  9},
	{OUTCOME_INIT_ERROR, true,  false, 0},
	{OUTCOME_INIT_ERROR, true,  true,  6},
	{OUTCOME_THROTTLED,  false, true,  0},
	{OUTCOME_THROTTLED,  false, false, 0},
};
/* clang-format on */

START_TEST(what_is_billed_follows_from_the_outcome)
{
	struct record rec = {
		.outcome = bill_rows[_i].outcome,
		.is_cold = bill_rows[_i].is_cold,
		.queue_us = 1000000,
		.sandbox_us = 1000,
		.runtime_us = 2000,
		.import_us = 3000,
		.handler_us = 2500,
	};

	ck_assert_uint_eq(meter_bill(&rec, 1, bill_rows[_i].bill_init), bill_rows[_i].ms);
}
END_TEST

static uint64_t random_u64(void)
{
	uint64_t v = 0;

	for (int i = 0; i < 5; i++)
		v = v << 15 ^ (uint64_t)random();
	return v >> (random() % 64);
}

START_TEST(billed_time_is_monotone_and_tight)
{
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		uint64_t a = random_u64() >> 2, b = random_u64() >> 2, g = random() % 2 ? 1 : 100;
		uint64_t low = a < b ? a : b, high = a < b ? b : a;
		uint64_t ms = meter_billed_ms(high, g);

		ck_assert(meter_billed_ms(low, g) <= ms);
		ck_assert(ms % g == 0);
		ck_assert((unsigned __int128)ms * 1000 >= high);
		ck_assert(ms == g || (unsigned __int128)(ms - g) * 1000 < high);
	}
}
END_TEST

START_TEST(sums_saturate)
{
	struct usage u = {.billed_ms = UINT64_MAX - 1, .n_outcome[OUTCOME_OK] = UINT64_MAX};
	struct record rec = {.billed_ms = 5, .memory_mb = 3};

	usage_add(&u, &rec);
	ck_assert(u.billed_ms == UINT64_MAX);
	ck_assert(usage_invocations(&u) == UINT64_MAX);
	ck_assert(u.mb_ms == 15);
	ck_assert(meter_mb_ms(UINT64_MAX, 2) == UINT64_MAX);
	ck_assert(meter_mul(UINT64_MAX, 0) == 0);
	ck_assert(meter_cost_nano(&(struct price){UINT64_MAX, 1}, UINT64_MAX, 7) == UINT64_MAX);
}
END_TEST

static const struct price lambda = {.nano_per_gb_s = 16667, .nano_per_request = 200};

/* clang-format off */
static const struct {
	uint64_t mb_ms, n, nano;
} cost_rows[] = {
	{0,          0,       0        },
	{1024000,    0,       16667    },
	{1024000,    1,       16867    },
	{256 * 1760, 0,       7333     }, /* 0.44 GB·s: 7333.48 */
	{31,         0,       1        }, /* 0.5046 rounds up, 0.488 does not */
	{30,         0,       0        },
	{128,        1000000, 200000002},
};
/* clang-format on */

START_TEST(money_is_rounded_once)
{
	ck_assert_uint_eq(meter_cost_nano(&lambda, cost_rows[_i].mb_ms, cost_rows[_i].n),
			  cost_rows[_i].nano);
}
END_TEST

START_TEST(sum_of_the_lines_is_the_bill)
{
	enum { N = 5000, GROUPS = 7 };
	struct usage all = {.n_cold = 0}, group[GROUPS] = {{.n_cold = 0}}, merged = {.n_cold = 0};
	uint64_t mb_ms = 0, requests = 0;

	srandom(2);
	for (int i = 0; i < N; i++) {
		struct record rec = {
			.outcome = (enum outcome)(random() % OUTCOME_COUNT),
			.is_cold = random() % 4 == 0,
			.import_us = (uint64_t)random() % 1000000,
			.handler_us = (uint64_t)random() % 3000000,
			.memory_mb = (uint32_t)(64 + random() % 4096),
			.memory_peak_bytes = (uint64_t)random(),
		};

		rec.billed_ms = meter_bill(&rec, 1, true);
		mb_ms += rec.billed_ms * rec.memory_mb;
		requests += rec.outcome != OUTCOME_THROTTLED;
		usage_add(&all, &rec);
		usage_add(&group[random() % GROUPS], &rec);
	}
	for (int i = 0; i < GROUPS; i++)
		usage_merge(&merged, &group[i]);
	ck_assert_mem_eq(&all, &merged, sizeof(all));
	ck_assert_uint_eq(all.mb_ms, mb_ms);
	ck_assert_uint_eq(usage_requests(&all), requests);
	ck_assert_uint_eq(meter_cost_nano(&lambda, all.mb_ms, requests),
			  (mb_ms * 16667 + 512000) / 1024000 + requests * 200);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("meter");
	TCase *t = tcase_create("meter");

	tcase_add_loop_test(t, billed_time_is_rounded_up_to_granules, 0, ARRAY_SIZE(billed_rows));
	tcase_add_loop_test(t, what_is_billed_follows_from_the_outcome, 0, ARRAY_SIZE(bill_rows));
	tcase_add_test(t, billed_time_is_monotone_and_tight);
	tcase_add_test(t, sums_saturate);
	tcase_add_loop_test(t, money_is_rounded_once, 0, ARRAY_SIZE(cost_rows));
	tcase_add_test(t, sum_of_the_lines_is_the_bill);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* The pool's decision, as a table: counts in, verdict out. */
#include "tests/lib/harness.h"

#include "base/mem.h"
#include "runtimed/decide.h"

/* clang-format off */
static const struct {
	const char *what;
	struct pool_view view;
	enum pool_verdict verdict;
} rows[] = {
	{ "the first request starts one",
	  { .instances_max = 10, .of_function_max = 5, .n_waiting = 1, .n_queued = 1, .queue_max = 9 },
	  POOL_START },
	{ "one start a waiting request, not more",
	  { .n_instances = 1, .instances_max = 10, .n_of_function = 1, .of_function_max = 5,
	    .n_starting = 1, .n_waiting = 1, .n_queued = 1, .queue_max = 9 },
	  POOL_WAIT },
	{ "a second one that waits starts a second",
	  { .n_instances = 1, .instances_max = 10, .n_of_function = 1, .of_function_max = 5,
	    .n_starting = 1, .n_waiting = 2, .n_queued = 2, .queue_max = 9 },
	  POOL_START },
	{ "the function's cap holds",
	  { .n_instances = 5, .instances_max = 10, .n_of_function = 5, .of_function_max = 5,
	    .n_waiting = 1, .n_queued = 1, .queue_max = 9 },
	  POOL_WAIT },
	{ "the machine's cap holds while everybody works",
	  { .n_instances = 10, .instances_max = 10, .n_of_function = 1, .of_function_max = 5,
	    .n_waiting = 1, .n_queued = 1, .queue_max = 9 },
	  POOL_WAIT },
	{ "at the machine's cap an idle one of somebody else makes room",
	  { .n_instances = 10, .instances_max = 10, .n_of_function = 1, .of_function_max = 5,
	    .n_waiting = 1, .n_idle_elsewhere = 1, .n_queued = 1, .queue_max = 9 },
	  POOL_EVICT_AND_START },
	{ "a full queue refuses who would have to wait",
	  { .n_instances = 5, .instances_max = 10, .n_of_function = 5, .of_function_max = 5,
	    .n_waiting = 1, .n_queued = 10, .queue_max = 9 },
	  POOL_THROTTLE },
	{ "a backlog of others does not refuse what starts an instance",
	  { .n_instances = 1, .instances_max = 10, .of_function_max = 5, .n_waiting = 1,
	    .n_queued = 1001, .queue_max = 1000 },
	  POOL_START },
	{ "no queue at all still lets cold starts through",
	  { .instances_max = 10, .of_function_max = 5, .n_waiting = 1, .n_queued = 1 },
	  POOL_START },
	{ "no queue at all refuses what would have to wait",
	  { .n_instances = 10, .instances_max = 10, .of_function_max = 5, .n_waiting = 1,
	    .n_queued = 1 },
	  POOL_THROTTLE },
};
/* clang-format on */

START_TEST(verdict_follows_the_counts)
{
	ck_assert_msg(pool_decide(&rows[_i].view) == rows[_i].verdict, "%s", rows[_i].what);
}
END_TEST

/* No sequence of starts passes a cap, whatever the counts: the property behind the rows. */
START_TEST(no_cap_is_ever_passed)
{
	for (unsigned int bits = 0; bits < 1u << 12; bits++) {
		struct pool_view v = {
			.n_instances = bits & 7,
			.instances_max = 5,
			.n_of_function = bits >> 3 & 3,
			.of_function_max = 3,
			.n_starting = bits >> 5 & 3,
			.n_waiting = bits >> 7 & 7,
			.n_idle_elsewhere = bits >> 10 & 1,
			.n_queued = bits >> 7 & 7,
			.queue_max = 6,
		};
		enum pool_verdict verdict = pool_decide(&v);

		if (verdict == POOL_START)
			ck_assert(v.n_instances < v.instances_max &&
				  v.n_of_function < v.of_function_max);
		if (verdict == POOL_EVICT_AND_START)
			ck_assert(v.n_idle_elsewhere > 0 && v.n_of_function < v.of_function_max);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("decide");
	TCase *t = tcase_create("decide");

	tcase_add_loop_test(t, verdict_follows_the_counts, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, no_cap_is_ever_passed);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

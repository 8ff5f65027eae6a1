/* cgroups on the real kernel: limits and metering. */
#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"

/* ---- limits ---- */

/* A number of a group's file; "max", and what v1 shows for it, is UINT64_MAX. */
static uint64_t limit_now(enum cg_hierarchy h, const char *v2_file, const char *v1_file)
{
	bool is_v2 = cgt_group.dir[h] == cgt_group.dir[CG_CORE];
	struct err e = ERR_INIT;
	char text[64];
	uint64_t value;

	ck_ok(file_read(cgt_group.dir[h], is_v2 ? v2_file : v1_file, text, sizeof(text), &e), &e);
	if (str_has_prefix(text, "max") || str_is(text, "-1"))
		return UINT64_MAX;
	value = strtoull(text, NULL, 10); /* cpu.max: the first of two */
	return value >= INT64_MAX - 4095 ? UINT64_MAX : value;
}

static const struct {
	struct cg_limits limits;
	uint64_t memory, quota, weight, shares, pids;
} reuse[] = {
	{
         .limits = {.memory_bytes = 64 * CGT_MIB, .swap_off = true, .pids_max = 10},
         .memory = 64 * CGT_MIB,
         .quota = UINT64_MAX,
         .weight = 100,
         .shares = 1024,
         .pids = 10,
	 },
	{
         .limits = {.memory_bytes = 256 * CGT_MIB, .cpu_quota_us = 50000, .cpu_weight = 1},
         .memory = 256 * CGT_MIB,
         .quota = 50000,
         .weight = 1,
         .shares = 10,
         .pids = UINT64_MAX,
	 },
	{
         .limits = {.memory_bytes = 32 * CGT_MIB,
			   .swap_bytes = 32 * CGT_MIB,
			   .cpu_quota_us = 1500000,
			   .cpu_period_us = 1000000,
			   .cpu_weight = 10000,
			   .pids_max = 3},
         .memory = 32 * CGT_MIB,
         .quota = 1500000,
         .weight = 10000,
         .shares = 102400,
         .pids = 3,
	 },
	{
         .limits = {.cpu_quota_us = 1000, .cpu_period_us = 1000},
         .memory = UINT64_MAX,
         .quota = 1000,
         .weight = 100,
         .shares = 1024,
         .pids = UINT64_MAX,
	 },
};

/* From every row to every other one: raising, lowering and lifting. */
START_TEST(limits_of_a_reused_group_are_those_asked_for_last)
{
	size_t from = (size_t)_i / ARRAY_SIZE(reuse), to = (size_t)_i % ARRAY_SIZE(reuse);
	bool is_v2 = cgt_group.dir[CG_CPU] == cgt_group.dir[CG_CORE];
	struct err e = ERR_INIT;

	ck_ok(cg_limit(&cgt_group, &reuse[from].limits, &e), &e);
	ck_ok(cg_limit(&cgt_group, &reuse[to].limits, &e), &e);
	ck_assert_uint_eq(limit_now(CG_MEMORY, "memory.max", "memory.limit_in_bytes"),
			  reuse[to].memory);
	ck_assert_uint_eq(limit_now(CG_CPU, "cpu.max", "cpu.cfs_quota_us"), reuse[to].quota);
	ck_assert_uint_eq(limit_now(CG_CPU, "cpu.weight", "cpu.shares"),
			  is_v2 ? reuse[to].weight : reuse[to].shares);
	ck_assert_uint_eq(limit_now(CG_PIDS, "pids.max", "pids.max"), reuse[to].pids);
}
END_TEST

/* clang-format off */
static const struct {
	struct cg_limits limits;
	const char *says;
} refused[] = {
	{{.swap_off = true, .swap_bytes = 1, .memory_bytes = CGT_MIB}, "swap_bytes"  },
	{{.cpu_weight = 10001},        "cpu_weight"  },
	{{.cpu_quota_us = 500},        "cpu_quota_us"},
	{{.cpu_period_us = 10000000},  "cpu_"        },
	{{.pids_max = UINT64_MAX - 1}, "pids_max"    },
};
/* clang-format on */

START_TEST(limit_that_cannot_be_is_an_error_naming_it)
{
	struct err e = ERR_INIT;

	ck_assert_int_lt(cg_limit(&cgt_group, &refused[_i].limits, &e), 0);
	ck_assert_msg(strstr(e.text, refused[_i].says) != NULL, "%s", e.text);
}
END_TEST

START_TEST(memory_hog_is_killed_and_counted)
{
	struct cg_limits limits = {.memory_bytes = 16 * CGT_MIB, .swap_off = true};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	uint64_t hog_bytes = 64 * CGT_MIB, oom_kills;
	struct err e = ERR_INIT;
	struct cg_usage use;
	struct cgt_child c;
	int status;

	ck_ok(cg_limit(&cgt_group, &limits, &e), &e);
	ck_ok(cg_meter_open(&cgt_group, &meter, &e), &e);
	ck_ok(cg_meter_oom_kills(&meter, &oom_kills, &e), &e);
	ck_assert_uint_eq(oom_kills, 0);
	c = cgt_spawn(&cgt_group, cgt_touch, &hog_bytes);
	status = cgt_reap(&c);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_ok(cg_meter_read(&meter, &use, &e), &e);
	ck_assert_uint_eq(use.oom_kills, 1);
	ck_assert_uint_le(use.memory_peak_bytes, limits.memory_bytes);
	ck_assert_uint_ge(use.memory_peak_bytes, limits.memory_bytes - CGT_MIB);
	ck_assert_uint_eq(use.pids_now, 0);
}
END_TEST

static int run_fork_many(void *arg)
{
	int made = 0;

	(void)arg;
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();

		if (pid == 0)
			cgt_pause(NULL);
		if (pid < 0)
			return errno == EAGAIN ? made : 100;
		made++;
	}
	return made;
}

START_TEST(pids_limit_refuses_fork)
{
	struct cg_limits limits = {.pids_max = 4};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	struct err e = ERR_INIT;
	struct cg_usage use;
	struct cgt_child c;

	ck_ok(cg_limit(&cgt_group, &limits, &e), &e);
	ck_ok(cg_meter_open(&cgt_group, &meter, &e), &e);
	c = cgt_spawn(&cgt_group, run_fork_many, NULL);
	ck_assert_int_eq(WEXITSTATUS(cgt_reap(&c)), 3);
	ck_ok(cg_meter_read(&meter, &use, &e), &e);
	ck_assert_uint_eq(use.pids_now, 3);
	if (meter.fd[CG_FD_PIDS_PEAK] >= 0)
		ck_assert_uint_eq(use.pids_peak, 4);
}
END_TEST

START_TEST(cpu_quota_throttles)
{
	struct cg_limits limits = {.cpu_quota_us = 5000, .cpu_period_us = 50000};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	uint64_t start, took_us, deadline = clk_now_us() + CGT_PATIENCE_US;
	uint64_t *counter = cgt_shared_page();
	struct err e = ERR_INIT;
	struct cg_usage use;
	struct cgt_child c;

	ck_ok(cg_limit(&cgt_group, &limits, &e), &e);
	ck_ok(cg_meter_open(&cgt_group, &meter, &e), &e);
	start = clk_now_us();
	c = cgt_spawn(&cgt_group, cgt_count, counter);
	do {
		sched_yield();
		ck_ok(cg_meter_read(&meter, &use, &e), &e);
		ck_assert(clk_now_us() < deadline);
	} while (use.throttled_us == 0 || use.cpu_us < 50000);
	took_us = clk_now_us() - start;
	cgt_kill_and_reap(&c);
	/* A tenth of a CPU, but by whole ticks of 10 ms where the kernel accounts so. */
	ck_assert_uint_ge(took_us, 2 * use.cpu_us);
	ck_assert_uint_ge(use.cpu_user_us + use.cpu_system_us, 10000);
}
END_TEST

/* ---- metering without privilege ---- */

static struct cg_meter receive_meter(int sock)
{
	struct cg_meter m = CG_METER_INIT;
	struct err e = ERR_INIT;
	size_t len, n;
	bool resets;

	ck_ok(sock_recv(sock, &resets, sizeof(resets), &len, m.fd, CG_METER_FDS, &n, &e), &e);
	m.peak_resets = resets;
	return m;
}

/* What the daemon's core does, as nobody and without capabilities. Exit status 0 = all worked. */
static int use_meter(int sock)
{
	struct cg_meter m = receive_meter(sock);
	struct err e = ERR_INIT;
	struct cg_usage use;
	uint64_t before, after;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 2;
	if (cg_meter_read(&m, &use, &e) < 0 || use.cpu_us == 0 ||
	    use.memory_peak_bytes < 8 * CGT_MIB)
		return 3;
	if (cg_meter_memory_peak_bytes(&m, &before, &e) < 0)
		return 4;
	if (cg_meter_reset_peak(&m, &e) != (m.peak_resets ? 0 : CG_E_PEAK_STAYS))
		return 5;
	if (cg_meter_memory_peak_bytes(&m, &after, &e) < 0)
		return 6;
	if (m.peak_resets ? after + 4 * CGT_MIB > before : after != before)
		return 7;
	if (cg_meter_set_frozen(&m, true, &e) < 0 || cg_meter_set_frozen(&m, false, &e) < 0)
		return 8;
	return cg_meter_cpu_us(&m, &after, &e) == 0 && after == use.cpu_us ? 0 : 9;
}

START_TEST(descriptors_serve_a_process_without_privilege)
{
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	uint64_t bytes = 8 * CGT_MIB;
	struct err e = ERR_INIT;
	int a, b, n_fds = CG_METER_FDS, status;
	struct cgt_child c;
	pid_t pid;

	ck_ok(cg_meter_open(&cgt_group, &meter, &e), &e);
	c = cgt_spawn(&cgt_group, cgt_touch, &bytes);
	ck_assert_int_eq(WEXITSTATUS(cgt_reap(&c)), 0);
	ck_ok(cg_wait_empty(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	while (meter.fd[n_fds - 1] < 0)
		n_fds--; /* pids.peak of older kernels */
	ck_ok(sock_pair(SOCK_SEQPACKET, &a, &b, &e), &e);
	ck_ok(sock_send(a, &meter.peak_resets, sizeof(bool), meter.fd, (size_t)n_fds, &e), &e);
	pid = fork();
	if (pid == 0)
		_exit(use_meter(b));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	close(a);
	close(b);
}
END_TEST

START_TEST(absent_descriptors_read_as_zero)
{
	struct cg_meter m = CG_METER_INIT;
	struct cg_usage use = {.cpu_us = 7}, zero = {0};
	struct err e = ERR_INIT;

	ck_ok(cg_meter_read(&m, &use, &e), &e);
	ck_assert_mem_eq(&use, &zero, sizeof(use));
	ck_assert_int_eq(cg_meter_reset_peak(&m, &e), CG_E_PEAK_STAYS);
	ck_assert_int_eq(cg_meter_set_frozen(&m, true, &e), -EBADF);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cgroup_limits");
	TCase *t = tcase_create("kernel");

	tcase_add_unchecked_fixture(t, cgt_open_root, cgt_close_root);
	tcase_add_checked_fixture(t, cgt_open_group, cgt_close_group);
	tcase_add_loop_test(t, limits_of_a_reused_group_are_those_asked_for_last, 0,
			    ARRAY_SIZE(reuse) * ARRAY_SIZE(reuse));
	tcase_add_loop_test(t, limit_that_cannot_be_is_an_error_naming_it, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, memory_hog_is_killed_and_counted);
	tcase_add_test(t, pids_limit_refuses_fork);
	tcase_add_test(t, cpu_quota_throttles);
	tcase_add_test(t, descriptors_serve_a_process_without_privilege);
	tcase_add_test(t, absent_descriptors_read_as_zero);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* cgroups on the real kernel: groups, processes in them, our subtree. */
#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- groups ---- */

START_TEST(group_is_made_and_removed_in_every_hierarchy)
{
	struct err e = ERR_INIT;

	for (int h = CG_CORE; h < CG_REQUIRED; h++)
		ck_assert(cgt_exists(h, "t"));
	ck_ok(cg_remove(&cgt_root, "t", &e), &e);
	for (int h = CG_CORE; h < CG_REQUIRED; h++)
		ck_assert(!cgt_exists(h, "t"));
	ck_ok(cg_remove(&cgt_root, "t", &e), &e);
}
END_TEST

START_TEST(name_is_one_path_component)
{
	static const char *const names[] = {"", ".", "..", "a/b", "/", "../t"};
	struct cg out = CG_INIT;
	struct err e = ERR_INIT;

	ck_assert_int_eq(cg_create(&cgt_root, names[_i], &out, &e), -EINVAL);
	ck_assert_int_eq(cg_remove(&cgt_root, names[_i], &e), -EINVAL);
	ck_assert_int_eq(cg_root_sweep(cgt_host, names[_i], &e), -EINVAL);
	ck_assert_int_eq(out.dir[CG_CORE], -1);
}
END_TEST

START_TEST(second_creation_is_refused_and_harms_nothing)
{
	struct cg out = CG_INIT;
	struct err e = ERR_INIT;

	ck_assert_int_eq(cg_create(&cgt_root, "t", &out, &e), -EEXIST);
	ck_assert_int_eq(out.dir[CG_CORE], -1);
	for (int h = CG_CORE; h < CG_REQUIRED; h++)
		ck_assert(cgt_exists(h, "t"));
	ck_ok(cg_open(&cgt_root, "t", &out, &e), &e);
	cg_close(&out);
	cg_close(&out);
	ck_assert_int_eq(cg_open(&cgt_root, "absent", &out, &e), -ENOENT);
}
END_TEST

/* A name that is taken in the last hierarchy only: what was made before it goes again. */
START_TEST(half_made_group_is_undone)
{
	struct cg out = CG_INIT;
	struct err e = ERR_INIT;

	if (cg_host_mode(cgt_host) == CG_UNIFIED)
		TEST_SKIP("unified: there is but one hierarchy");
	ck_assert_int_eq(mkdirat(cgt_root.dir[CG_PIDS], "half", 0755), 0);
	ck_assert_int_eq(cg_create(&cgt_root, "half", &out, &e), -EEXIST);
	ck_assert(!cgt_exists(CG_CORE, "half"));
	ck_assert(!cgt_exists(CG_MEMORY, "half"));
	ck_ok(cg_remove(&cgt_root, "half", &e), &e);
	ck_assert(!cgt_exists(CG_PIDS, "half"));
}
END_TEST

START_TEST(child_is_in_the_group_in_every_hierarchy)
{
	struct cgt_child c = cgt_spawn(&cgt_group, cgt_pause, NULL);
	char path[64], text[4096], *line, *save, end[64];
	struct err e = ERR_INIT;
	int seen = 0;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)c.pid);
	snprintf(end, sizeof(end), "/%s/t", cgt_root_name);
	ck_ok(file_read(AT_FDCWD, path, text, sizeof(text), &e), &e);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		seen += str_has_suffix(line, end);
	ck_assert_int_eq(seen, cg_host_mode(cgt_host) == CG_UNIFIED ? 1 : CG_REQUIRED);
	ck_assert_int_eq(cg_wait_empty(&cgt_group, clk_now_us(), &e), -ETIMEDOUT);
	cgt_kill_and_reap(&c);
	ck_assert_int_eq(cg_add(&cgt_group, c.pid, &e), -ESRCH);
}
END_TEST

START_TEST(group_with_a_dying_process_is_removed)
{
	struct cgt_child c = cgt_spawn(&cgt_group, cgt_pause, NULL);
	struct err e = ERR_INIT;

	ck_ok(cg_kill(&cgt_group, &e), &e);
	ck_ok(cg_remove(&cgt_root, "t", &e), &e);
	ck_assert(WIFSIGNALED(cgt_reap(&c)));
}
END_TEST

START_TEST(group_with_groups_below_is_not_removed)
{
	struct cg below = CG_INIT;
	struct err e = ERR_INIT;

	ck_ok(cg_create(&cgt_group, "below", &below, &e), &e);
	cg_close(&below);
	ck_assert_int_eq(cg_remove(&cgt_root, "t", &e), -EBUSY);
	ck_ok(cg_remove(&cgt_group, "below", &e), &e);
}
END_TEST

/* ---- freeze, kill ---- */

START_TEST(frozen_processes_stand_still_and_go_on_after_thaw)
{
	uint64_t *counter = cgt_shared_page(), before;
	struct cgt_child c = cgt_spawn(&cgt_group, cgt_count, counter);
	struct err e = ERR_INIT;

	cgt_wait_for_change(counter);
	ck_ok(cg_freeze(&cgt_group, true, &e), &e);
	ck_ok(cg_wait_frozen(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	before = *counter;
	for (int i = 0; i < 1000; i++)
		sched_yield();
	ck_assert_uint_eq(*counter, before);
	ck_ok(cg_freeze(&cgt_group, false, &e), &e);
	cgt_wait_for_change(counter);
	cgt_kill_and_reap(&c);
}
END_TEST

START_TEST(frozen_group_can_be_killed)
{
	struct cgt_child c = cgt_spawn(&cgt_group, cgt_pause, NULL);
	struct err e = ERR_INIT;

	ck_ok(cg_freeze(&cgt_group, true, &e), &e);
	ck_ok(cg_wait_frozen(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	cgt_kill_and_reap(&c);
	ck_ok(cg_freeze(&cgt_group, false, &e), &e);
}
END_TEST

/* A daemon's double fork: another session, parent gone. It holds the pipe's end while it lives. */
static int run_daemonize(void *arg)
{
	if (fork() == 0) {
		(void)setsid();
		if (fork() == 0) {
			(void)!write(*(int *)arg, "x", 1);
			cgt_pause(NULL);
		}
	}
	_exit(0);
}

START_TEST(kill_takes_grandchildren_of_another_session)
{
	struct err e = ERR_INIT;
	struct cgt_child c;
	char byte;
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	c = cgt_spawn(&cgt_group, run_daemonize, &p[1]);
	close(p[1]);
	ck_assert_int_eq(read(p[0], &byte, 1), 1);
	ck_assert_int_eq(WEXITSTATUS(cgt_reap(&c)), 0);
	ck_assert_int_eq(cg_wait_empty(&cgt_group, clk_now_us(), &e), -ETIMEDOUT);
	ck_ok(cg_kill(&cgt_group, &e), &e);
	ck_ok(cg_wait_empty(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	ck_assert_int_eq(read(p[0], &byte, 1), 0);
	close(p[0]);
}
END_TEST

/* ---- the root: sweeping, adoption ---- */

START_TEST(sweep_removes_what_a_killed_daemon_left)
{
	_cleanup_cg_ struct cg other = CG_INIT, a = CG_INIT, b = CG_INIT;
	struct err e = ERR_INIT;
	struct cgt_child running, frozen, straggler;
	char name[64], pid[16];

	if (cgt_exists(CG_CORE, "daemon"))
		TEST_SKIP("this process had to leave its own group, and has but one root");
	snprintf(name, sizeof(name), "%s" CGT_LEFT, cgt_root_name);
	ck_ok(cg_root_create(cgt_host, name, &other, &e), &e);
	ck_assert_int_eq(cg_root_create(cgt_host, name, &a, &e), -EEXIST);
	ck_ok(cg_create(&other, "a", &a, &e), &e);
	ck_ok(cg_enable_children(&a, &e), &e);
	ck_ok(cg_create(&a, "b", &b, &e), &e);
	running = cgt_spawn(&b, cgt_pause, NULL);
	ck_ok(cg_create(&other, "f", &cgt_group, &e), &e);
	frozen = cgt_spawn(&cgt_group, cgt_pause, NULL);
	ck_ok(cg_freeze(&cgt_group, true, &e), &e);
	cg_close(&cgt_group);
	/* Its parent died before all hierarchies had it: here only one of v1 has. */
	ck_ok(cg_open(&cgt_root, "t", &cgt_group, &e), &e);
	straggler = cgt_spawn(&cgt_group, cgt_pause, NULL);
	snprintf(pid, sizeof(pid), "%d", (int)straggler.pid);
	ck_ok(file_write(b.dir[CG_PIDS], "cgroup.procs", pid, &e), &e);

	ck_ok(cg_root_sweep(cgt_host, name, &e), &e);
	ck_assert(WIFSIGNALED(cgt_reap(&running)));
	ck_assert(WIFSIGNALED(cgt_reap(&frozen)));
	ck_assert(WIFSIGNALED(cgt_reap(&straggler)));
	ck_assert(!cgt_own_has(name));
	ck_ok(cg_root_sweep(cgt_host, name, &e), &e);
}
END_TEST

/* In a child: a service's own group, as systemd makes it, with one more process or without. */
static int be_a_service(const char *name, struct err *e)
{
	struct cg_host *mine = NULL;
	struct cg own = CG_INIT, one = CG_INIT;
	struct cg_limits limits = {.memory_bytes = 32 * CGT_MIB, .pids_max = 9};
	int r = cg_probe(&mine, e);

	if (r == 0)
		r = cg_root_create(mine, name, &own, e);
	if (r == 0)
		r = cg_create(&own, "i", &one, e);
	if (r == 0)
		r = cg_limit(&one, &limits, e);
	if (r == 0 && cg_root_create(mine, "second", &one, e) != -EBUSY)
		r = err_set(e, EPROTO, "two roots");
	if (r == 0 && cg_root_sweep(mine, name, e) != -EBUSY)
		r = err_set(e, EPROTO, "a sweep would have killed us");
	if (r == 0 && cg_root_remove(mine, name, e) != -EBUSY)
		r = err_set(e, EPROTO, "removed with a group in it");
	if (r == 0)
		r = cg_remove(&own, "i", e);
	if (r == 0)
		r = cg_root_remove(mine, name, e);
	cg_host_free(mine);
	return r;
}

static int run_service(void *arg)
{
	struct err *e = arg;

	return be_a_service("svc", e) < 0 ? 1 : 0;
}

START_TEST(service_moves_into_a_leaf_and_back)
{
	struct err *child_error = (struct err *)cgt_shared_page();
	struct err e = ERR_INIT;
	struct cgt_child c;

	if (cg_host_mode(cgt_host) == CG_HYBRID)
		TEST_SKIP("hybrid: only v2 knows the rule; the unified lane tests it");
	ck_ok(cg_enable_children(&cgt_root, &e), &e);
	c = cgt_spawn(&cgt_group, run_service, child_error);
	ck_assert_msg(WEXITSTATUS(cgt_reap(&c)) == 0, "%s", child_error->text);
}
END_TEST

START_TEST(service_that_shares_its_group_is_told_so)
{
	struct err *child_error = (struct err *)cgt_shared_page();
	struct cgt_child other, c;

	if (cg_host_mode(cgt_host) == CG_HYBRID)
		TEST_SKIP("hybrid: only v2 knows the rule; the unified lane tests it");
	other = cgt_spawn(&cgt_group, cgt_pause, NULL);
	c = cgt_spawn(&cgt_group, run_service, child_error);
	ck_assert_int_eq(WEXITSTATUS(cgt_reap(&c)), 1);
	ck_assert_int_eq(child_error->code, EBUSY);
	ck_assert_msg(strstr(child_error->text, "Delegate=yes") != NULL, "%s", child_error->text);
	/* It went back: no leaf, no subtree is left behind. */
	ck_assert(faccessat(cgt_group.dir[CG_CORE], "svc", F_OK, 0) < 0);
	cgt_kill_and_reap(&other);
}
END_TEST

START_TEST(nothing_is_left)
{
	ck_assert(!cgt_own_has(cgt_root_name));
}
END_TEST

static void probe_again(void)
{
	struct err e = ERR_INIT;

	ck_ok(cg_probe(&cgt_host, &e), &e);
}

static Suite *suite(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("kernel"), *after = tcase_create("after");

	tcase_add_unchecked_fixture(t, cgt_open_root, cgt_close_root);
	tcase_add_checked_fixture(t, cgt_open_group, cgt_close_group);
	tcase_add_test(t, group_is_made_and_removed_in_every_hierarchy);
	tcase_add_loop_test(t, name_is_one_path_component, 0, 6);
	tcase_add_test(t, second_creation_is_refused_and_harms_nothing);
	tcase_add_test(t, half_made_group_is_undone);
	tcase_add_test(t, child_is_in_the_group_in_every_hierarchy);
	tcase_add_test(t, group_with_a_dying_process_is_removed);
	tcase_add_test(t, group_with_groups_below_is_not_removed);
	tcase_add_test(t, frozen_processes_stand_still_and_go_on_after_thaw);
	tcase_add_test(t, frozen_group_can_be_killed);
	tcase_add_test(t, kill_takes_grandchildren_of_another_session);
	tcase_add_test(t, sweep_removes_what_a_killed_daemon_left);
	tcase_add_test(t, service_moves_into_a_leaf_and_back);
	tcase_add_test(t, service_that_shares_its_group_is_told_so);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(after, probe_again, NULL);
	tcase_add_test(after, nothing_is_left);
	suite_add_tcase(s, after);
	return s;
}

HARNESS_MAIN(suite)

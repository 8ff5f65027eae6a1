/* Groups in a subtree that several programs share. */
#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/str.h"

#define PROGRAMS 8
#define ROUNDS   20

static struct cg_host *host;
static char top[32];

static void open_host(void)
{
	struct err e = ERR_INIT;

	snprintf(top, sizeof(top), "test-shared-%d", (int)getpid());
	ck_ok(cg_probe(&host, &e), &e);
}

static void close_host(void)
{
	struct err e = ERR_INIT;

	ck_ok(cg_root_sweep(host, top, &e), &e);
	cg_host_free(host);
}

static bool exists(const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", cg_host_path(host, CG_CORE), path);
	return access(full, F_OK) == 0;
}

static const char *below(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

/* As a later command does it: by the paths that were kept. */
static int remove_shared(struct cg_host *of, const char *path, struct err *e)
{
	static struct cg_paths p;
	uint32_t depth = 0;

	memset(&p, 0, sizeof(p));
	for (int h = CG_CORE; h < CG_REQUIRED; h++)
		snprintf(p.dir[h], sizeof(p.dir[h]), "%s/%s", cg_host_path(of, h), path);
	for (const char *at = path; at; at = strchr(at + 1, '/'))
		depth++;
	p.depth = depth;
	return cg_paths_remove(of, &p, e);
}

START_TEST(groups_above_come_and_go_with_those_below)
{
	_cleanup_cg_ struct cg a = CG_INIT, b = CG_INIT;
	struct cg_limits limits = {.memory_bytes = 16 * CGT_MIB, .pids_max = 5};
	struct err e = ERR_INIT;

	ck_ok(cg_shared_create(host, below("deep/a"), 0, &a, NULL, &e), &e);
	ck_ok(cg_shared_create(host, below("b"), 0, &b, NULL, &e), &e);
	ck_ok(cg_limit(&a, &limits, &e), &e);
	ck_ok(remove_shared(host, below("deep/a"), &e), &e);
	ck_assert(!exists(below("deep")) && exists(below("b")));
	ck_ok(remove_shared(host, below("b"), &e), &e);
	ck_assert(!exists(top));
	ck_ok(remove_shared(host, below("b"), &e), &e);
}
END_TEST

START_TEST(one_left_empty_is_taken_over)
{
	struct cg a = CG_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		ck_ok(cg_shared_create(host, below("a"), 0, &a, NULL, &e), &e);
		cg_close(&a);
	}
	ck_ok(remove_shared(host, below("a"), &e), &e);
}
END_TEST

START_TEST(one_with_a_process_is_not)
{
	_cleanup_cg_ struct cg a = CG_INIT;
	struct cg again = CG_INIT;
	struct err e = ERR_INIT;
	struct cgt_child c;

	ck_ok(cg_shared_create(host, below("a"), 0, &a, NULL, &e), &e);
	c = cgt_spawn(&a, cgt_pause, NULL);
	ck_assert_int_eq(cg_shared_create(host, below("a"), 0, &again, NULL, &e), -EBUSY);
	ck_assert_int_eq(again.dir[CG_CORE], -1);
	ck_ok(cg_kill(&a, &e), &e);
	(void)cgt_reap(&c);
	ck_ok(cg_wait_empty(&a, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	ck_ok(remove_shared(host, below("a"), &e), &e);
}
END_TEST

/* Each makes and removes its own, so that the group above comes and goes under the others. */
static int work(int me)
{
	struct cg_host *own = NULL;
	struct err e = ERR_INIT;
	char name[16];
	int r = cg_probe(&own, &e);

	snprintf(name, sizeof(name), "p%d", me);
	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		struct cg cg = CG_INIT;

		r = cg_shared_create(own, below(name), 0, &cg, NULL, &e);
		cg_close(&cg);
		if (r == 0)
			r = remove_shared(own, below(name), &e);
	}
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	cg_host_free(own);
	return r < 0;
}

START_TEST(many_programs_at_once_do_not_hinder_each_other)
{
	int status, failed = 0;

	for (int i = 0; i < PROGRAMS; i++)
		if (fork() == 0)
			_exit(work(i));
	for (int i = 0; i < PROGRAMS; i++) {
		ck_assert_int_gt(wait(&status), 0);
		failed += status != 0;
	}
	ck_assert_int_eq(failed, 0);
	ck_assert(!exists(top));
}
END_TEST

START_TEST(paths_that_are_none_are_refused)
{
	static const char *const paths[] = {"", "/", "a/../b", "./a"};
	struct err e = ERR_INIT;
	struct cg cg = CG_INIT;

	ck_assert_int_eq(cg_shared_create(host, paths[_i], 0, &cg, NULL, &e), -EINVAL);
	ck_assert_int_eq(cg.dir[CG_CORE], -1);
}
END_TEST

/*
 * As in a unit or session of systemd: our own group is not the root and has other processes. An absolute path is
 * then below the root of the mount, a relative one is refused.
 */
static int in_a_session(const char *name)
{
	static struct cg_paths paths;
	_cleanup_cg_ struct cg session = CG_INIT, cg = CG_INIT;
	struct cg_host *own = NULL;
	struct err e = ERR_INIT;
	char path[PATH_MAX];
	uint32_t depth = 0;
	pid_t other;
	int r = cg_shared_create(host, below("session"), 0, &session, NULL, &e);

	if (r == 0)
		r = cg_add(&session, 0, &e);
	if (r < 0)
		return 1;
	other = fork();
	if (other == 0)
		cgt_pause(NULL);
	snprintf(path, sizeof(path), "/%s-abs/a", name);
	r = cg_probe(&own, &e);
	if (r == 0)
		r = cg_shared_create(own, path, 0, &cg, &depth, &e);
	if (r == 0)
		r = cg_paths_get(&cg, depth, &paths, &e);
	if (r == 0 &&
	    (strlen(cg_host_path(host, CG_CORE)) + strlen(path) != strlen(paths.dir[CG_CORE]) ||
	     !str_has_suffix(paths.dir[CG_CORE], path)))
		r = 2;
	if (r == 0)
		r = cg_paths_remove(own, &paths, &e);
	if (r == 0 && access(paths.dir[CG_CORE], F_OK) == 0)
		r = 3;
	if (r == 0 && cg_shared_create(own, path + 1, 0, &cg, NULL, &e) != -EBUSY)
		r = 4;
	(void)kill(other, SIGKILL);
	if (r < 0)
		fprintf(stderr, "%s\n", e.text);
	cg_host_free(own);
	return r < 0 ? 5 : r;
}

START_TEST(absolute_path_in_a_session_is_below_the_root)
{
	int status;
	pid_t pid;

	if (cg_host_mode(host) == CG_HYBRID)
		TEST_SKIP("hybrid: the roots of the hierarchies are not for tests");
	pid = fork();
	if (pid == 0)
		_exit(in_a_session(top));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cgroup_shared");
	TCase *t = tcase_create("kernel");

	tcase_add_unchecked_fixture(t, open_host, close_host);
	tcase_add_test(t, groups_above_come_and_go_with_those_below);
	tcase_add_test(t, one_left_empty_is_taken_over);
	tcase_add_test(t, one_with_a_process_is_not);
	tcase_add_test(t, many_programs_at_once_do_not_hinder_each_other);
	tcase_add_test(t, absolute_path_in_a_session_is_below_the_root);
	tcase_add_loop_test(t, paths_that_are_none_are_refused, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

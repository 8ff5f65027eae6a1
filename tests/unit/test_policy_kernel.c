/* python.policy in the kernel: what calls really answer, and Python at work under it. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy/policy.h"

#define X32 0x40000000u

static void compile(struct pol_program *ret)
{
	_cleanup_pol_ struct pol *p = NULL;
	struct err e = ERR_INIT;

	ck_ok(pol_load("policy/profiles/python.policy", &p, &e), &e);
	ck_ok(pol_compile(p, ret, &e), &e);
}

static void install(const struct pol_program *prog)
{
	struct sock_fprog f = {prog->n_insns, (struct sock_filter *)prog->insns};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f) < 0)
		_exit(99);
}

static int wait_for(pid_t pid)
{
	int status;

	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* want: 0 = succeeds, else the errno. Arguments that do nothing where the filter is missing. */
/* clang-format off */
static const struct {
	long nr, arg0, arg1, arg2;
	int want;
} real[] = {
	{SYS_getpid, 0, 0, 0, 0},
	{SYS_io_uring_setup, 0, 0, 0, EPERM},
	{SYS_unshare, 0, 0, 0, EPERM},
	{SYS_mount, 0, 0, 0, EPERM},
	{451, -1, 0, 0, ENOSYS}, /* cachestat: a real call, no rule */
	{599, 0, 0, 0, ENOSYS},
	{SYS_clone3, 0, 0, 0, ENOSYS},
	{SYS_clone, CLONE_NEWUSER | CLONE_THREAD, 0, 0, EPERM}, /* EINVAL otherwise */
	{SYS_ioctl, -1, 0x5412, 0, EPERM}, /* EBADF otherwise */
	{SYS_ioctl, -1, 0x100005412, 0, EPERM},
	{SYS_ioctl, -1, 0x5401, 0, EBADF},
	{SYS_socket, 16, 3, 0, EAFNOSUPPORT},
	{SYS_socket, 0x100000026, 5, 0, EAFNOSUPPORT},
	{SYS_setsockopt, -1, 6, 31, EPERM},
	{SYS_setsockopt, -1, 6, 1, EBADF},
};
/* clang-format on */

START_TEST(the_kernel_says_the_same)
{
	static struct pol_program prog;
	pid_t pid;

	compile(&prog);
	pid = fork();
	if (pid == 0) {
		long r;

		install(&prog);
		errno = 0;
		r = syscall(real[_i].nr, real[_i].arg0, real[_i].arg1, real[_i].arg2);
		_exit(r < 0 ? errno : 0);
	}
	ck_assert_int_eq(wait_for(pid), W_EXITCODE(real[_i].want, 0));
}
END_TEST

static void call_int80(void)
{
	long nr = 20; /* getpid of x86 */

	__asm__ volatile("int $0x80" : "+a"(nr) : : "memory");
}

static void call_x32(void)
{
	syscall(X32 | SYS_getpid);
}

static void (*const foreign[])(void) = {call_int80, call_x32};

START_TEST(foreign_abis_end_the_process)
{
	static struct pol_program prog;
	int status;
	pid_t pid;

	compile(&prog);
	pid = fork();
	if (pid == 0) {
		install(&prog);
		foreign[_i]();
		_exit(0);
	}
	status = wait_for(pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

START_TEST(python_works_under_its_policy)
{
	static struct pol_program prog;
	pid_t pid;

	if (access("/usr/bin/python3.11", X_OK) < 0)
		TEST_SKIP("no /usr/bin/python3.11");
	compile(&prog);
	pid = fork();
	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		install(&prog);
		execl("/usr/bin/python3.11", "python3.11", "tests/lib/policy_workload.py", NULL);
		_exit(98);
	}
	ck_assert_int_eq(wait_for(pid), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy_kernel");
	TCase *t = tcase_create("kernel");

	tcase_add_loop_test(t, the_kernel_says_the_same, 0, ARRAY_SIZE(real));
	tcase_add_loop_test(t, foreign_abis_end_the_process, 0, ARRAY_SIZE(foreign));
	tcase_add_test(t, python_works_under_its_policy);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

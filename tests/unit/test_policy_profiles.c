/* The profiles that we ship: every verdict, by the interpreter. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/pol.h"
#include "tests/fuzz/fuzz.h"

#define PROFILES    "policy/profiles/"
#define PYTHON      PROFILES "python.policy"
#define X32         0x40000000u
#define NR_MAX      600 /* beyond the last system call of any kernel we know */

#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

static const uint64_t no_args[6];

static struct pol *load(const char *path)
{
	struct err e = ERR_INIT;
	struct pol *p = NULL;

	ck_ok(pol_load(path, &p, &e), &e);
	return p;
}

static void compile(const char *path, struct pol_program *ret)
{
	_cleanup_pol_ struct pol *p = load(path);
	struct err e = ERR_INIT;

	ck_ok(pol_compile(p, ret, &e), &e);
}

static uint32_t verdict(const struct pol_program *prog, long nr, const uint64_t *args)
{
	return pol_verdict(prog, AUDIT_ARCH_X86_64, (uint32_t)nr, args);
}

/* Measured with strace on Debian's CPython 3.11.2: the four tiers of docs/POLICY.md. */
/* clang-format off */
static const long python_needs[] = {
	SYS_access, SYS_brk, SYS_clock_nanosleep, SYS_close, SYS_execve, SYS_exit_group,
	SYS_fcntl, SYS_futex, SYS_getcwd, SYS_getdents64, SYS_getrandom, SYS_gettid, SYS_lseek,
	SYS_mmap, SYS_mprotect, SYS_munmap, SYS_newfstatat, SYS_openat, SYS_pread64,
	SYS_prlimit64, SYS_read, SYS_readlink, SYS_rseq, SYS_rt_sigaction, SYS_set_robust_list,
	SYS_set_tid_address, SYS_sysinfo, SYS_uname, SYS_write, SYS_epoll_create1, SYS_epoll_ctl,
	SYS_epoll_wait, SYS_exit, SYS_fchown, SYS_fdatasync, SYS_geteuid, SYS_getpid,
	SYS_getsockname, SYS_madvise, SYS_mkdir, SYS_pwrite64, SYS_rename, SYS_rmdir,
	SYS_rt_sigprocmask, SYS_setitimer, SYS_unlink, SYS_unlinkat, SYS_accept4, SYS_bind,
	SYS_connect, SYS_getpeername, SYS_listen, SYS_poll, SYS_recvfrom, SYS_sendto,
	SYS_shutdown, SYS_close_range, SYS_link, SYS_pipe2, SYS_vfork, SYS_wait4, SYS_mremap,
	SYS_rt_sigreturn, SYS_sigaltstack, SYS_tgkill, SYS_sched_yield, SYS_sched_getaffinity,
	SYS_getrusage, SYS_getuid, SYS_getgid, SYS_getegid, SYS_getppid, SYS_dup, SYS_dup2,
	SYS_dup3, SYS_eventfd2, SYS_ppoll, SYS_select, SYS_pselect6, SYS_fstat, SYS_statx,
	SYS_faccessat2, SYS_readlinkat, SYS_ftruncate, SYS_fsync, SYS_flock, SYS_umask,
	SYS_getsockopt, SYS_sendmsg, SYS_recvmsg, SYS_sendfile, SYS_membarrier, SYS_clock_gettime,
	SYS_clock_getres, SYS_nanosleep, SYS_restart_syscall, SYS_kill,
};

static const long dangerous[] = {
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_bpf,
	SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_userfaultfd,
	SYS_memfd_secret, SYS_kcmp, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
	SYS_process_madvise, SYS_process_mrelease, SYS_pidfd_getfd, SYS_mount, SYS_umount2,
	SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig,
	SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_swapon, SYS_swapoff, SYS_quotactl,
	SYS_quotactl_fd, SYS_unshare, SYS_setns, SYS_splice, SYS_tee, SYS_vmsplice,
	SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init, SYS_fanotify_mark,
	SYS_lookup_dcookie, SYS_kexec_load, SYS_kexec_file_load, SYS_init_module,
	SYS_finit_module, SYS_delete_module, SYS_create_module, SYS_query_module,
	SYS_get_kernel_syms, SYS_reboot, SYS_syslog, SYS_acct, SYS_iopl, SYS_ioperm, SYS_vhangup,
	SYS_nfsservctl, SYS__sysctl, SYS_sysfs, SYS_ustat, SYS_uselib, SYS_modify_ldt,
	SYS_remap_file_pages, SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_migrate_pages,
	SYS_move_pages, SYS_set_mempolicy_home_node, SYS_settimeofday, SYS_clock_settime,
	SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_setuid,
	SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
	SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_mknod, SYS_mknodat, SYS_execveat,
	SYS_seccomp,
};
/* clang-format on */

START_TEST(python_gets_what_it_needs_by_constant_verdicts)
{
	static struct pol_program prog;
	static const uint64_t odd[6] = {~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};

	compile(PYTHON, &prog);
	for (size_t i = 0; i < ARRAY_SIZE(python_needs); i++) {
		ck_assert_msg(verdict(&prog, python_needs[i], no_args) == SECCOMP_RET_ALLOW,
			      "system call %ld", python_needs[i]);
		ck_assert_msg(verdict(&prog, python_needs[i], odd) == SECCOMP_RET_ALLOW,
			      "system call %ld looks at arguments", python_needs[i]);
	}
}
END_TEST

static const char *const with_dangerous[] = {PYTHON, PROFILES "core.policy", PROFILES "init.policy",
					     PROFILES "dangerous.policy"};

START_TEST(dangerous_calls_get_eperm)
{
	static struct pol_program prog;

	compile(with_dangerous[_i], &prog);
	for (size_t i = 0; i < ARRAY_SIZE(dangerous); i++)
		ck_assert_msg(verdict(&prog, dangerous[i], no_args) == ERRNO(EPERM),
			      "system call %ld", dangerous[i]);
	ck_assert_uint_eq(verdict(&prog, SYS_clone3, no_args), ERRNO(ENOSYS));
}
END_TEST

/* What python.policy decides by argument; the high halves are garbage that the kernel drops. */
/* clang-format off */
static const struct {
	long nr;
	uint64_t arg0, arg1, arg2;
	uint32_t want;
} by_argument[] = {
	{SYS_clone, SIGCHLD, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_clone, 0x3d0f00, 0, 0, SECCOMP_RET_ALLOW}, /* pthread_create() */
	{SYS_clone, 0x0000000100000000 | SIGCHLD, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, ERRNO(EPERM)},
	{SYS_prlimit64, 0, RLIMIT_NOFILE, 0, SECCOMP_RET_ALLOW},
	{SYS_prlimit64, 0, RLIMIT_CORE, 0, ERRNO(EPERM)},
	{SYS_prlimit64, 0, 0x100000000 | RLIMIT_CORE, 0, ERRNO(EPERM)},
	{SYS_clone, 0x100000000 | CLONE_NEWUSER, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWNS, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWCGROUP, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWUTS, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWIPC, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWPID, 0, 0, ERRNO(EPERM)},
	{SYS_clone, CLONE_NEWNET, 0, 0, ERRNO(EPERM)},
	{SYS_clone, 0x80, 0, 0, ERRNO(EPERM)}, /* CLONE_NEWTIME */
	{SYS_socket, 1, 5 | 02000000, 0, SECCOMP_RET_ALLOW},
	{SYS_socket, 2, 1 | 02004000, 6, SECCOMP_RET_ALLOW},
	{SYS_socket, 10, 2, 17, SECCOMP_RET_ALLOW},
	{SYS_socket, 0xffffffff00000002, 0xffffffff00000001, 0xffffffff00000000, SECCOMP_RET_ALLOW},
	{SYS_socket, 2, 3, 1, ERRNO(EAFNOSUPPORT)}, /* raw ICMP */
	{SYS_socket, 2, 1, 262, ERRNO(EAFNOSUPPORT)}, /* MPTCP */
	{SYS_socket, 2, 5, 132, ERRNO(EAFNOSUPPORT)}, /* SCTP */
	{SYS_socket, 0, 1, 0, ERRNO(EAFNOSUPPORT)},
	{SYS_socket, 16, 3, 0, ERRNO(EAFNOSUPPORT)}, /* netlink */
	{SYS_socket, 17, 3, 0, ERRNO(EAFNOSUPPORT)}, /* packet */
	{SYS_socket, 33, 2, 0, ERRNO(EAFNOSUPPORT)}, /* rxrpc */
	{SYS_socket, 38, 5, 0, ERRNO(EAFNOSUPPORT)}, /* AF_ALG */
	{SYS_socket, 40, 1, 0, ERRNO(EAFNOSUPPORT)}, /* vsock */
	{SYS_socket, 0x100000026, 5, 0, ERRNO(EAFNOSUPPORT)},
	{SYS_socket, ~0ull, 1, 0, ERRNO(EAFNOSUPPORT)},
	{SYS_socketpair, 1, 1, 0, SECCOMP_RET_ALLOW},
	{SYS_socketpair, 2, 1, 0, ERRNO(EAFNOSUPPORT)},
	{SYS_setsockopt, 0, 6, 1, SECCOMP_RET_ALLOW},
	{SYS_setsockopt, 0, 1, 31, SECCOMP_RET_ALLOW},
	{SYS_setsockopt, 0, 6, 31, ERRNO(EPERM)}, /* TCP_ULP */
	{SYS_setsockopt, 0, 0x100000006, 0xffffffff0000001f, ERRNO(EPERM)},
	{SYS_setsockopt, 0, 1, 26, ERRNO(EPERM)}, /* SO_ATTACH_FILTER */
	{SYS_setsockopt, 0, 1, 50, ERRNO(EPERM)},
	{SYS_setsockopt, 0, 1, 51, ERRNO(EPERM)},
	{SYS_setsockopt, 0, 1, 52, ERRNO(EPERM)},
	{SYS_ioctl, 0, 0x5401, 0, SECCOMP_RET_ALLOW}, /* TCGETS */
	{SYS_ioctl, 0, 0x5413, 0, SECCOMP_RET_ALLOW}, /* TIOCGWINSZ */
	{SYS_ioctl, 0, 0x541b, 0, SECCOMP_RET_ALLOW}, /* FIONREAD */
	{SYS_ioctl, 0, 0x5421, 0, SECCOMP_RET_ALLOW}, /* FIONBIO */
	{SYS_ioctl, 0, 0x5450, 0, SECCOMP_RET_ALLOW}, /* FIONCLEX */
	{SYS_ioctl, 0, 0x5451, 0, SECCOMP_RET_ALLOW}, /* FIOCLEX */
	{SYS_ioctl, 0, 0xffffffff00005401, 0, SECCOMP_RET_ALLOW},
	{SYS_ioctl, 0, 0x5412, 0, ERRNO(EPERM)}, /* TIOCSTI */
	{SYS_ioctl, 0, 0x100005412, 0, ERRNO(EPERM)},
	{SYS_ioctl, 0, 0x541c, 0, ERRNO(EPERM)}, /* TIOCLINUX */
	{SYS_ioctl, 0, 0x5402, 0, ERRNO(EPERM)}, /* TCSETS */
	{SYS_ioctl, 0x5401, 0, 0, ERRNO(EPERM)},
	{SYS_prctl, PR_SET_NAME, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_prctl, PR_SET_NO_NEW_PRIVS, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_prctl, 0x53564d41, 0, 0, SECCOMP_RET_ALLOW}, /* PR_SET_VMA */
	{SYS_prctl, PR_SET_MM, 0, 0, ERRNO(EINVAL)},
	{SYS_prctl, PR_SET_SECCOMP, 0, 0, ERRNO(EINVAL)},
	{SYS_prctl, PR_SET_PTRACER, 0, 0, ERRNO(EINVAL)},
	{SYS_prctl, PR_CAP_AMBIENT, 0, 0, ERRNO(EINVAL)},
	{SYS_prctl, 0x100000000 | PR_SET_MM, 0, 0, ERRNO(EINVAL)},
	{SYS_personality, 0, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_personality, 0xffffffff, 0, 0, SECCOMP_RET_ALLOW},
	{SYS_personality, 0x0400000, 0, 0, ERRNO(EPERM)}, /* READ_IMPLIES_EXEC */
	{SYS_arch_prctl, 0x1002, 0, 0, SECCOMP_RET_ALLOW}, /* ARCH_SET_FS */
	{SYS_arch_prctl, 0x4001, 0, 0, ERRNO(EINVAL)},
	{SYS_listxattr, 0, 0, 0, ERRNO(EOPNOTSUPP)},
};
/* clang-format on */

START_TEST(arguments_decide_by_what_the_kernel_reads)
{
	static struct pol_program prog;
	const uint64_t args[6] = {by_argument[_i].arg0, by_argument[_i].arg1, by_argument[_i].arg2};

	compile(PYTHON, &prog);
	ck_assert_uint_eq(verdict(&prog, by_argument[_i].nr, args), by_argument[_i].want);
}
END_TEST

START_TEST(unknown_numbers_get_enosys_and_foreign_abis_die)
{
	static struct pol_program prog;

	compile(PYTHON, &prog);
	for (long nr = SYS_set_mempolicy_home_node + 1; nr <= NR_MAX; nr++)
		ck_assert_uint_eq(verdict(&prog, nr, no_args), ERRNO(ENOSYS));
	for (uint32_t nr = 0; nr <= NR_MAX; nr++) {
		ck_assert_uint_eq(verdict(&prog, X32 | nr, no_args), SECCOMP_RET_KILL_PROCESS);
		ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_I386, nr, no_args),
				  SECCOMP_RET_KILL_PROCESS);
		ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_AARCH64, nr, no_args),
				  SECCOMP_RET_KILL_PROCESS);
	}
}
END_TEST

static const char *const profiles[] = {PYTHON, PROFILES "core.policy", PROFILES "unpack.policy",
				       PROFILES "init.policy", PROFILES "dangerous.policy"};

/* 0..600 times arguments: as a tree, as a list, and as a text. */
START_TEST(tree_and_list_and_rules_agree_on_every_number)
{
	static const uint64_t probes[][6] = {
		{0,          0,           0,     0,     0,     0    },
		{1,          1,           1,     1,     1,     1    },
		{0x5401,     0x5401,      31,    0,     0,     0    },
		{2,          6,           31,    0,     0,     0    },
		{0x10000000, 0x100005412, 4,     0,     0,     0    },
		{~0ull,      ~0ull,       ~0ull, ~0ull, ~0ull, ~0ull},
	};
	static struct pol_program tree, list;
	_cleanup_pol_ struct pol *p = load(profiles[_i]);
	struct err e = ERR_INIT;
	uint32_t constant[NR_MAX + 1];

	ck_ok(pol_compile_as(p, POL_TREE, &tree, &e), &e);
	ck_ok(pol_compile_as(p, POL_LIST, &list, &e), &e);
	for (long nr = 0; nr <= NR_MAX; nr++)
		constant[nr] = p->fallback;
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].nr >= 0) /* 1: by argument, the fuzz target judges those */
			constant[p->rules[i].nr] = p->rules[i].n_terms ? 1 : p->rules[i].verdict;
	for (long nr = 0; nr <= NR_MAX; nr++)
		for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
			uint32_t v = verdict(&tree, nr, probes[i]);

			ck_assert_uint_eq(v, verdict(&list, nr, probes[i]));
			ck_assert(constant[nr] == 1 || constant[nr] == v);
		}
}
END_TEST

/* The profile as one text, through the reference evaluation of the fuzz target. */
START_TEST(every_rule_is_exercised_both_ways)
{
	static char text[2 * POL_TEXT_MAX];
	struct err e = ERR_INIT;
	size_t n;
	char *include;

	ck_ok(file_read(AT_FDCWD, PROFILES "dangerous.policy", text, sizeof(text), &e), &e);
	(void)fuzz_policy((const uint8_t *)text, strlen(text));
	ck_ok(file_read(AT_FDCWD, profiles[_i], text, sizeof(text), &e), &e);
	include = strstr(text, "include dangerous.policy");
	if (include) /* its default, in as many bytes */
		memcpy(include, "default errno ENOSYS    ", strlen("include dangerous.policy"));
	n = strlen(text);
	(void)fuzz_policy((const uint8_t *)text, n);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy_profiles");
	TCase *t = tcase_create("profiles");

	tcase_add_test(t, python_gets_what_it_needs_by_constant_verdicts);
	tcase_add_loop_test(t, dangerous_calls_get_eperm, 0, ARRAY_SIZE(with_dangerous));
	tcase_add_loop_test(t, arguments_decide_by_what_the_kernel_reads, 0,
			    ARRAY_SIZE(by_argument));
	tcase_add_test(t, unknown_numbers_get_enosys_and_foreign_abis_die);
	tcase_add_loop_test(t, tree_and_list_and_rules_agree_on_every_number, 0,
			    ARRAY_SIZE(profiles));
	tcase_add_loop_test(t, every_rule_is_exercised_both_ways, 0, ARRAY_SIZE(profiles));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

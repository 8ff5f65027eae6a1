/*
 * Profiles against libseccomp's own generator: the same rules, the same verdicts, for every number of every ABI.
 * Where the two differ on purpose (include/policy/profile.h) the rules here ask for nothing.
 */
#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "policy/profile.h"
#include "tests/lib/harness.h"

#define FALLBACK   SCMP_ACT_ERRNO(EACCES)
#define NUMBER_END 440 /* faccessat2 and all that is newer: the rules name something beyond */
#define X32_BIT    0x40000000u

static struct err err;
static struct pol_program ours, theirs;

static const char *const plain[] = {
	"read",         "write",      "close",     "execve",          "exit_group",
	"rt_sigreturn", "brk",        "munmap",    "getpid",          "fork",
	"wait4",        "getdents64", "uname",     "statx",           "openat2",
	"clone3",       "pread64",    "ptrace",    "_llseek",         "mmap2",
	"setuid32",     "ugetrlimit", "nanosleep", "process_madvise", "landlock_create_ruleset",
	"no_such_call",
};

/* Calls whose arguments the kernel takes whole. */
static const struct {
	const char *name;
	uint32_t action;
	struct pol_arg arg;
	enum scmp_compare op;
} judged[] = {
	{"mremap",      SCMP_ACT_ALLOW,        {0, POL_CMP_EQ, 0x100000005, 0},        SCMP_CMP_EQ       },
	{"mremap",      SCMP_ACT_ALLOW,        {0, POL_CMP_EQ, 7, 0},                  SCMP_CMP_EQ       },
	{"munlock",     SCMP_ACT_ALLOW,        {1, POL_CMP_GT, 0x200000003, 0},        SCMP_CMP_GT       },
	{"mlock",       SCMP_ACT_ALLOW,        {1, POL_CMP_GE, 0x200000003, 0},        SCMP_CMP_GE       },
	{"msync",       SCMP_ACT_ALLOW,        {0, POL_CMP_LT, 0x200000003, 0},        SCMP_CMP_LT       },
	{"mincore",     SCMP_ACT_ALLOW,        {0, POL_CMP_LE, 0x200000003, 0},        SCMP_CMP_LE       },
	{"sethostname", SCMP_ACT_KILL_PROCESS, {1, POL_CMP_NE, 0x200000003, 0},        SCMP_CMP_NE       },
	{"unshare",     SCMP_ACT_ALLOW,        {0, POL_CMP_MASKED_EQ, 0, 0x10000000f}, SCMP_CMP_MASKED_EQ},
};

static void build_theirs(void)
{
	static const uint32_t archs[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
	scmp_filter_ctx ctx = seccomp_init(FALLBACK);
	int fd = memfd_create("oracle", MFD_CLOEXEC), nr;
	ssize_t n;

	ck_assert(ctx && fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
		ck_assert_int_eq(seccomp_arch_add(ctx, archs[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if ((nr = seccomp_syscall_resolve_name(plain[i])) != __NR_SCMP_ERROR)
			ck_assert_int_eq(seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		const struct pol_arg *a = &judged[i].arg;
		bool is_masked = a->op == POL_CMP_MASKED_EQ;
		struct scmp_arg_cmp cmp = {a->index, judged[i].op, is_masked ? a->mask : a->value,
					   is_masked ? a->value : 0};

		nr = seccomp_syscall_resolve_name(judged[i].name);
		ck_assert_int_eq(seccomp_rule_add_array(ctx, judged[i].action, nr, 1, &cmp), 0);
	}
	ck_assert_int_eq(seccomp_export_bpf(ctx, fd), 0);
	n = pread(fd, theirs.insns, sizeof(theirs.insns), 0);
	ck_assert_int_gt(n, 0);
	theirs.n_insns = (uint16_t)((size_t)n / sizeof(theirs.insns[0]));
	seccomp_release(ctx);
	close(fd);
}

static void build_ours(void)
{
	struct pol_profile *p = NULL;

	ck_ok(pol_profile_new(FALLBACK, &p, &err), &err);
	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X32", &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		struct pol_profile_rule r = {.name = plain[i], .action = SCMP_ACT_ALLOW};

		ck_assert_int_ge(pol_profile_rule(p, &r, &err), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		struct pol_profile_rule r = {.name = judged[i].name,
					     .action = judged[i].action,
					     .args = &judged[i].arg,
					     .n_args = 1};

		ck_ok(pol_profile_rule(p, &r, &err), &err);
	}
	ck_ok(pol_profile_compile(p, &ours, &err), &err);
	pol_profile_free(p);
}

static const uint64_t values[] = {0,           5,           7,           0x100000005,
				  0x100000007, 0x200000002, 0x200000003, 0x200000004,
				  0x300000000, 0x1000000f0, 0xfffffffff, UINT64_MAX};

static void compare(uint32_t arch, uint32_t number)
{
	for (size_t a = 0; a < ARRAY_SIZE(values); a++)
		for (size_t b = 0; b < ARRAY_SIZE(values); b++) {
			const uint64_t args[6] = {values[a], values[b], 1, 2, 3, 4};

			ck_assert_msg(pol_verdict(&ours, arch, number, args) ==
					      pol_verdict(&theirs, arch, number, args),
				      "arch %#x number %#x args %#llx %#llx: %#x, libseccomp %#x",
				      arch, number, (unsigned long long)values[a],
				      (unsigned long long)values[b],
				      pol_verdict(&ours, arch, number, args),
				      pol_verdict(&theirs, arch, number, args));
		}
}

/* In its 32-bit ABIs libseccomp looks at the lower half alone, though an x32 process has whole registers. */
static bool is_judged(uint32_t arch, uint32_t number)
{
	for (size_t i = 0; i < ARRAY_SIZE(judged); i++)
		if (seccomp_syscall_resolve_name_arch(arch, judged[i].name) == (int)number)
			return true;
	return false;
}

START_TEST(verdicts_are_those_of_libseccomp)
{
	build_theirs();
	build_ours();
	for (uint32_t number = 0; number < NUMBER_END; number++) {
		compare(AUDIT_ARCH_X86_64, number);
		if (!is_judged(SCMP_ARCH_X32, X32_BIT | number))
			compare(AUDIT_ARCH_X86_64, X32_BIT | number);
		if (!is_judged(SCMP_ARCH_X86, number))
			compare(AUDIT_ARCH_I386, number);
	}
	for (uint32_t number = X32_BIT + 512; number < X32_BIT + 548; number++)
		compare(AUDIT_ARCH_X86_64, number);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("profile_oracle");
	TCase *t = tcase_create("oracle");

	tcase_add_test(t, verdicts_are_those_of_libseccomp);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

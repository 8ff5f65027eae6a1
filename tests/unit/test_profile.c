/* Profiles of containers: rules to programs, judged as the kernel would. */
#include "policy/profile.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "tests/lib/harness.h"

#define ALLOW        SECCOMP_RET_ALLOW
#define KILL         SECCOMP_RET_KILL_PROCESS
#define FAILS(code)  (SECCOMP_RET_ERRNO | (code))
#define X32(nr)      (0x40000000u | (nr))
#define I386_SOCKET  359
#define I386_READ    3
#define SOCKETCALL   102
#define I386_IPC     117
#define AF_ALG_VALUE 38

static struct err err;
static struct pol_program prog;

static struct pol_profile *profile(uint32_t fallback)
{
	struct pol_profile *p = NULL;

	ck_ok(pol_profile_new(fallback, &p, &err), &err);
	return p;
}

static void rule(struct pol_profile *p, const char *name, uint32_t action,
		 const struct pol_arg *args, uint8_t n)
{
	struct pol_profile_rule r = {.name = name, .action = action, .args = args, .n_args = n};

	ck_ok(pol_profile_rule(p, &r, &err), &err);
}

static void compile(struct pol_profile *p)
{
	ck_ok(pol_profile_compile(p, &prog, &err), &err);
	ck_assert_uint_gt(prog.n_insns, 0);
	ck_assert_uint_eq(prog.insns[prog.n_insns - 1].code, BPF_RET | BPF_K);
}

static uint32_t native(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	return pol_verdict(&prog, AUDIT_ARCH_X86_64, (uint32_t)nr, (uint64_t[6]){a0, a1, a2});
}

static uint32_t i386(uint32_t nr, uint64_t a0)
{
	return pol_verdict(&prog, AUDIT_ARCH_I386, nr, (uint64_t[6]){a0});
}

/* ---- comparisons ---- */

static bool ne(uint64_t a, uint64_t v)
{
	return a != v;
}
static bool lt(uint64_t a, uint64_t v)
{
	return a < v;
}
static bool le(uint64_t a, uint64_t v)
{
	return a <= v;
}
static bool eq(uint64_t a, uint64_t v)
{
	return a == v;
}
static bool ge(uint64_t a, uint64_t v)
{
	return a >= v;
}
static bool gt(uint64_t a, uint64_t v)
{
	return a > v;
}

/* clang-format off */
static const struct {
	enum pol_cmp op;
	bool (*holds)(uint64_t arg, uint64_t value);
} ops[] = {
	{POL_CMP_NE, ne},
	{POL_CMP_LT, lt},
	{POL_CMP_LE, le},
	{POL_CMP_EQ, eq},
	{POL_CMP_GE, ge},
	{POL_CMP_GT, gt},
};
/* clang-format on */

/* Both halves below, at and above those of each other. */
static const uint64_t values[] = {0,
				  1,
				  5,
				  0x7fffffff,
				  0x80000000,
				  0xffffffff,
				  0x100000000,
				  0x100000005,
				  0x1ffffffff,
				  0x500000001,
				  0x7fffffffffffffff,
				  0x8000000000000000,
				  0xffffffff00000000,
				  0xffffffffffffff9c,
				  UINT64_MAX};

START_TEST(comparisons_see_all_64_bits)
{
	for (size_t v = 0; v < ARRAY_SIZE(values); v++)
		for (uint8_t index = 0; index < POL_CALL_ARGS; index++) {
			struct pol_profile *p = profile(FAILS(EPERM));
			struct pol_arg arg = {index, ops[_i].op, values[v], 0};

			rule(p, "mmap", ALLOW, &arg, 1);
			compile(p);
			for (size_t a = 0; a < ARRAY_SIZE(values); a++) {
				uint64_t args[6] = {9, 9, 9, 9, 9, 9};

				args[index] = values[a];
				ck_assert_msg(
					(pol_verdict(&prog, AUDIT_ARCH_X86_64, SYS_mmap, args) ==
					 ALLOW) == ops[_i].holds(values[a], values[v]),
					"op %d: %#llx against %#llx", ops[_i].op,
					(unsigned long long)values[a],
					(unsigned long long)values[v]);
			}
			pol_profile_free(p);
		}
}
END_TEST

START_TEST(masks_have_64_bits)
{
	for (size_t m = 0; m < ARRAY_SIZE(values); m++)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			struct pol_profile *p = profile(FAILS(EPERM));
			struct pol_arg arg = {1, POL_CMP_MASKED_EQ, values[v], values[m]};

			rule(p, "mmap", ALLOW, &arg, 1);
			compile(p);
			for (size_t a = 0; a < ARRAY_SIZE(values); a++)
				ck_assert_int_eq(native(SYS_mmap, 0, values[a], 0) == ALLOW,
						 (values[a] & values[m]) == values[v]);
			pol_profile_free(p);
		}
}
END_TEST

/* The kernel cuts them to an int: garbage above neither hides a value nor makes one. */
START_TEST(arguments_that_the_kernel_cuts_are_cut)
{
	struct pol_profile *p = profile(ALLOW);
	struct pol_arg alg = {0, POL_CMP_EQ, AF_ALG_VALUE, 0};

	rule(p, "socket", FAILS(EPERM), &alg, 1);
	compile(p);
	ck_assert_uint_eq(native(SYS_socket, AF_ALG_VALUE, 5, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(SYS_socket, 0x700000000 | AF_ALG_VALUE, 5, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(SYS_socket, AF_UNIX, 5, 0), ALLOW);
	pol_profile_free(p);

	p = profile(FAILS(EPERM));
	alg.op = POL_CMP_NE;
	rule(p, "socket", ALLOW, &alg, 1);
	compile(p);
	ck_assert_uint_eq(native(SYS_socket, 0x700000000 | AF_ALG_VALUE, 5, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(SYS_socket, 0x700000000 | AF_UNIX, 5, 0), ALLOW);
	pol_profile_free(p);
}
END_TEST

static const struct {
	enum pol_cmp op;
	uint64_t value;
	uint64_t arg;
	bool holds;
} ints[] = {
	{POL_CMP_EQ, 0xffffffffffffff9c, 0xffffff9c,         true },
	{POL_CMP_EQ, 0xffffffffffffff9c, 0xffffffffffffff9c, true },
	{POL_CMP_EQ, 0xffffff9c,         0xffffffffffffff9c, true },
	{POL_CMP_EQ, 0x100000005,        5,                  false},
	{POL_CMP_NE, 0x100000005,        5,                  true },
	{POL_CMP_LT, 0x100000005,        UINT64_MAX,         true },
	{POL_CMP_GE, 0x100000000,        UINT64_MAX,         false},
};

START_TEST(values_that_do_not_fit_an_int)
{
	struct pol_profile *p = profile(FAILS(EPERM));
	struct pol_arg arg = {0, ints[_i].op, ints[_i].value, 0};

	rule(p, "openat", ALLOW, &arg, 1);
	compile(p);
	ck_assert_int_eq(native(SYS_openat, ints[_i].arg, 0, 0) == ALLOW, ints[_i].holds);
	pol_profile_free(p);
}
END_TEST

/* ---- several rules ---- */

START_TEST(all_arguments_of_a_rule_must_hold)
{
	struct pol_profile *p = profile(FAILS(EPERM));
	struct pol_arg args[] = {
		{0, POL_CMP_EQ, 16, 0},
                {2, POL_CMP_EQ, 9,  0}
        };

	rule(p, "socket", ALLOW, args, 2);
	compile(p);
	ck_assert_uint_eq(native(SYS_socket, 16, 3, 9), ALLOW);
	ck_assert_uint_eq(native(SYS_socket, 16, 3, 8), FAILS(EPERM));
	ck_assert_uint_eq(native(SYS_socket, 17, 3, 9), FAILS(EPERM));
	pol_profile_free(p);
}
END_TEST

START_TEST(any_of_several_rules_is_enough)
{
	struct pol_profile *p = profile(FAILS(EPERM));
	struct pol_arg a = {0, POL_CMP_EQ, 0, 0}, b = {0, POL_CMP_EQ, 8, 0};

	rule(p, "personality", ALLOW, &a, 1);
	rule(p, "personality", ALLOW, &b, 1);
	compile(p);
	ck_assert_uint_eq(native(SYS_personality, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(SYS_personality, 8, 0, 0), ALLOW);
	ck_assert_uint_eq(native(SYS_personality, 4, 0, 0), FAILS(EPERM));
	pol_profile_free(p);
}
END_TEST

START_TEST(a_narrow_denial_holds_beside_a_wide_permission)
{
	for (int order = 0; order < 2; order++) {
		struct pol_profile *p = profile(FAILS(EPERM));
		struct pol_arg a = {0, POL_CMP_EQ, AF_ALG_VALUE, 0};

		if (order)
			rule(p, "socket", ALLOW, NULL, 0);
		rule(p, "socket", KILL, &a, 1);
		if (!order)
			rule(p, "socket", ALLOW, NULL, 0);
		compile(p);
		ck_assert_uint_eq(native(SYS_socket, AF_ALG_VALUE, 0, 0), KILL);
		ck_assert_uint_eq(native(SYS_socket, 1, 0, 0), ALLOW);
		pol_profile_free(p);
	}
}
END_TEST

START_TEST(more_rules_than_a_short_jump_crosses)
{
	struct pol_profile *p = profile(FAILS(EPERM));

	for (uint64_t i = 0; i < 60; i++) {
		struct pol_arg args[] = {
			{0, POL_CMP_EQ, i << 40 | i, 0},
			{1, POL_CMP_LE, i << 33 | 7, 0},
			{2, POL_CMP_NE, i,           0}
                };

		rule(p, "mmap", ALLOW, args, 3);
	}
	compile(p);
	for (uint64_t i = 0; i < 60; i++) {
		ck_assert_uint_eq(native(SYS_mmap, i << 40 | i, i << 33, i + 1), ALLOW);
		ck_assert_uint_eq(native(SYS_mmap, i << 40 | i, i << 33 | 8, i + 1), FAILS(EPERM));
		ck_assert_uint_eq(native(SYS_mmap, i << 40 | i, i << 33, i), FAILS(EPERM));
	}
	ck_assert_uint_eq(native(SYS_read, 0, 0, 0), FAILS(EPERM));
	pol_profile_free(p);
}
END_TEST

START_TEST(too_long_a_program_is_refused)
{
	static const char *const names[] = {"mmap",     "mremap",  "brk",      "munmap",
					    "mprotect", "pread64", "pwrite64", "lseek"};
	struct pol_profile *p = profile(FAILS(EPERM));

	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		for (uint64_t i = 0; i < 64; i++) {
			struct pol_arg args[6];

			for (uint8_t k = 0; k < 6; k++)
				args[k] = (struct pol_arg){k, POL_CMP_GT, i << 33 | k, 0};
			rule(p, names[n], ALLOW, args, 6);
		}
	memset(&prog, 0x55, sizeof(prog));
	ck_assert_int_eq(pol_profile_compile(p, &prog, &err), -E2BIG);
	ck_assert_uint_eq(prog.n_insns, 0x5555);
	pol_profile_free(p);
}
END_TEST

/* ---- ABIs ---- */

START_TEST(foreign_abis_are_killed)
{
	struct pol_profile *p = profile(ALLOW);

	compile(p);
	ck_assert_uint_eq(native(SYS_getpid, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(X32(SYS_getpid), 0, 0, 0), KILL);
	ck_assert_uint_eq(native(X32(0x3fffffff), 0, 0, 0), KILL);
	ck_assert_uint_eq(i386(20, 0), KILL);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_AARCH64, 0, (uint64_t[6]){0}), KILL);
	/* -1 is what a tracer leaves of a call that it took away. */
	ck_assert_uint_eq(native(-1, 0, 0, 0), ALLOW);
	pol_profile_free(p);
}
END_TEST

START_TEST(listed_abis_have_their_own_numbers)
{
	struct pol_profile *p = profile(FAILS(EPERM));

	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X32", &err), &err);
	ck_ok(pol_profile_arch(p, "SCMP_ARCH_AARCH64", &err), &err);
	ck_assert_int_eq(pol_profile_arch(p, "SCMP_ARCH_PDP11", &err), POL_E_UNKNOWN);
	rule(p, "read", ALLOW, NULL, 0);
	rule(p, "execve", ALLOW, NULL, 0);
	compile(p);
	ck_assert_uint_eq(native(SYS_read, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(I386_READ, 0, 0, 0), FAILS(EPERM));
	ck_assert_uint_eq(i386(I386_READ, 0), ALLOW);
	ck_assert_uint_eq(i386(0, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(X32(SYS_read), 0, 0, 0), ALLOW);
	ck_assert_uint_ne(native(X32(SYS_execve), 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(X32(520), 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(X32(521), 0, 0, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(X32(547), 0, 0, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(X32(548), 0, 0, 0), FAILS(ENOSYS));
	ck_assert_uint_eq(native(X32(500), 0, 0, 0), FAILS(ENOSYS));
	pol_profile_free(p);
}
END_TEST

START_TEST(calls_newer_than_the_profile_do_not_exist)
{
	struct pol_profile *p = profile(FAILS(EPERM));

	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
	rule(p, "read", ALLOW, NULL, 0);
	rule(p, "statx", ALLOW, NULL, 0);
	compile(p);
	ck_assert_uint_eq(native(SYS_statx, 0, 0, 0), ALLOW);
	ck_assert_uint_eq(native(SYS_statx - 1, 0, 0, 0), FAILS(EPERM));
	ck_assert_uint_eq(native(SYS_statx + 1, 0, 0, 0), FAILS(ENOSYS));
	ck_assert_uint_eq(native(0x3fffffff, 0, 0, 0), FAILS(ENOSYS));
	ck_assert_uint_eq(native(-1, 0, 0, 0), FAILS(ENOSYS));
	ck_assert_uint_eq(i386(383, 0), ALLOW);
	ck_assert_uint_eq(i386(382, 0), FAILS(EPERM));
	ck_assert_uint_eq(i386(384, 0), FAILS(ENOSYS));
	ck_assert_uint_eq(native(X32(SYS_statx + 1), 0, 0, 0), KILL);
	pol_profile_free(p);
}
END_TEST

START_TEST(other_defaults_hold_for_newer_calls_too)
{
	static const uint32_t fallbacks[] = {ALLOW, KILL, SECCOMP_RET_TRAP, SECCOMP_RET_LOG,
					     SECCOMP_RET_TRACE | 1};

	for (size_t i = 0; i < ARRAY_SIZE(fallbacks); i++) {
		struct pol_profile *p = profile(fallbacks[i]);

		rule(p, "read", FAILS(EIO), NULL, 0);
		compile(p);
		ck_assert_uint_eq(native(SYS_read, 0, 0, 0), FAILS(EIO));
		ck_assert_uint_eq(native(4000, 0, 0, 0), fallbacks[i]);
		pol_profile_free(p);
	}
}
END_TEST

/* ---- multiplexers of x86 ---- */

START_TEST(socketcall_is_judged_as_what_it_carries)
{
	struct pol_profile *p = profile(ALLOW);

	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
	rule(p, "listen", FAILS(EACCES), NULL, 0);
	rule(p, "semget", FAILS(EACCES), NULL, 0);
	compile(p);
	ck_assert_uint_eq(i386(SOCKETCALL, 4), FAILS(EACCES));
	ck_assert_uint_eq(i386(363, 4), FAILS(EACCES));
	ck_assert_uint_eq(i386(SOCKETCALL, 1), ALLOW);
	ck_assert_uint_eq(i386(I386_IPC, 2), FAILS(EACCES));
	ck_assert_uint_eq(i386(I386_IPC, 0x10002), FAILS(EACCES)); /* a version above */
	ck_assert_uint_eq(i386(I386_IPC, 3), ALLOW);
	ck_assert_uint_eq(native(SYS_listen, 0, 0, 0), FAILS(EACCES));
	pol_profile_free(p);
}
END_TEST

START_TEST(socketcall_is_allowed_by_the_calls_it_carries)
{
	struct pol_profile *p = profile(FAILS(EPERM));

	ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
	rule(p, "listen", ALLOW, NULL, 0);
	rule(p, "accept", ALLOW, NULL, 0);
	compile(p);
	ck_assert_uint_eq(i386(SOCKETCALL, 4), ALLOW);
	ck_assert_uint_eq(i386(SOCKETCALL, 5), ALLOW);
	ck_assert_uint_eq(i386(SOCKETCALL, 1), FAILS(EPERM));
	pol_profile_free(p);
}
END_TEST

/* As Docker's profile has it: socket by family, socketcall as a whole. */
START_TEST(socketcall_does_not_carry_what_it_cannot_show)
{
	for (int deny_list = 0; deny_list < 2; deny_list++) {
		struct pol_profile *p = profile(deny_list ? ALLOW : FAILS(EPERM));
		struct pol_arg alg = {0, deny_list ? POL_CMP_EQ : POL_CMP_NE, AF_ALG_VALUE, 0};

		ck_ok(pol_profile_arch(p, "SCMP_ARCH_X86", &err), &err);
		rule(p, "socketcall", ALLOW, NULL, 0);
		rule(p, "connect", ALLOW, NULL, 0);
		rule(p, "socket", deny_list ? FAILS(EPERM) : ALLOW, &alg, 1);
		compile(p);
		ck_assert_uint_eq(i386(SOCKETCALL, 1), FAILS(EPERM));
		ck_assert_uint_eq(i386(SOCKETCALL, 0xff00000001), FAILS(EPERM));
		ck_assert_uint_eq(i386(SOCKETCALL, 3), ALLOW);
		ck_assert_uint_eq(i386(I386_SOCKET, AF_ALG_VALUE), FAILS(EPERM));
		ck_assert_uint_eq(i386(I386_SOCKET, AF_UNIX), ALLOW);
		pol_profile_free(p);
	}
}
END_TEST

/* ---- names ---- */

START_TEST(names_that_nobody_knows_are_reported)
{
	struct pol_profile *p = profile(ALLOW);
	struct pol_profile_rule r = {.name = "no_such_call", .action = KILL};
	char longer[200];

	ck_assert_int_eq(pol_profile_rule(p, &r, &err), POL_E_UNKNOWN);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	r.name = longer;
	ck_assert_int_eq(pol_profile_rule(p, &r, &err), POL_E_UNKNOWN);
	ck_assert_uint_eq(pol_profile_rules(p), 0);
	r.name = "ipc"; /* of x86 only */
	ck_ok(pol_profile_rule(p, &r, &err), &err);
	compile(p);
	pol_profile_free(p);
}
END_TEST

START_TEST(actions_and_comparisons_have_the_names_of_the_specification)
{
	uint32_t action = 0;
	enum pol_cmp op = POL_CMP_NE;

	ck_assert(pol_profile_action("SCMP_ACT_NOTIFY", &action));
	ck_assert_uint_eq(action, SECCOMP_RET_USER_NOTIF);
	ck_assert(pol_profile_action("SCMP_ACT_KILL", &action));
	ck_assert_uint_eq(action, SECCOMP_RET_KILL_THREAD);
	ck_assert(!pol_profile_action("SCMP_ACT_MAYBE", &action));
	ck_assert(pol_profile_cmp("SCMP_CMP_MASKED_EQ", &op));
	ck_assert_int_eq(op, POL_CMP_MASKED_EQ);
	ck_assert(!pol_profile_cmp("SCMP_CMP_LIKE", &op));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("profile");
	TCase *t = tcase_create("comparisons");

	tcase_add_loop_test(t, comparisons_see_all_64_bits, 0, ARRAY_SIZE(ops));
	tcase_add_test(t, masks_have_64_bits);
	tcase_add_test(t, arguments_that_the_kernel_cuts_are_cut);
	tcase_add_loop_test(t, values_that_do_not_fit_an_int, 0, ARRAY_SIZE(ints));
	suite_add_tcase(s, t);
	t = tcase_create("rules");
	tcase_add_test(t, all_arguments_of_a_rule_must_hold);
	tcase_add_test(t, any_of_several_rules_is_enough);
	tcase_add_test(t, a_narrow_denial_holds_beside_a_wide_permission);
	tcase_add_test(t, more_rules_than_a_short_jump_crosses);
	tcase_add_test(t, too_long_a_program_is_refused);
	tcase_add_test(t, names_that_nobody_knows_are_reported);
	tcase_add_test(t, actions_and_comparisons_have_the_names_of_the_specification);
	suite_add_tcase(s, t);
	t = tcase_create("ABIs");
	tcase_add_test(t, foreign_abis_are_killed);
	tcase_add_test(t, listed_abis_have_their_own_numbers);
	tcase_add_test(t, calls_newer_than_the_profile_do_not_exist);
	tcase_add_test(t, other_defaults_hold_for_newer_calls_too);
	tcase_add_test(t, socketcall_is_judged_as_what_it_carries);
	tcase_add_test(t, socketcall_is_allowed_by_the_calls_it_carries);
	tcase_add_test(t, socketcall_does_not_carry_what_it_cannot_show);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

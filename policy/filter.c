/*
 * struct pol → BPF. The only file that knows libseccomp.
 *
 * libseccomp judges the ABI and the number, as a balanced tree; args.c judges arguments. libseccomp could
 * test arguments too, but not say "otherwise EPERM" for one call when the default is ENOSYS, and it has no
 * "differs" on 32 bits. So it is told to return a mark for such a call: SECCOMP_RET_TRACE, which no policy
 * can ask for, with the rule's index. Then every return of a mark becomes a jump to that rule's
 * instructions, appended at the end. It is what a linker does with a relocation: no other instruction
 * changes or moves.
 */
#include "policy/pol.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "policy/prof.h"

/* libseccomp's actions are the kernel's numbers, so verdicts pass through as they are. */
_Static_assert(SCMP_ACT_ALLOW == SECCOMP_RET_ALLOW, "allow");
_Static_assert(SCMP_ACT_ERRNO(1) == (SECCOMP_RET_ERRNO | 1), "errno");
_Static_assert(SCMP_ACT_TRACE(1) == (SECCOMP_RET_TRACE | 1), "trace");
_Static_assert(SCMP_ACT_LOG == SECCOMP_RET_LOG, "log");
_Static_assert(SCMP_ACT_KILL_PROCESS == SECCOMP_RET_KILL_PROCESS, "kill");
_Static_assert(POL_RULES_MAX <= SECCOMP_RET_DATA, "a rule's index fits in a mark");

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}
#define _cleanup_ctx_ __attribute__((cleanup(release)))

/* libseccomp returns negative errno values. */
static int failed(int r, struct err *e, const char *what)
{
	return err_set(e, -r, "libseccomp: %s: %s", what, err_name(-r));
}

void pol_library_version(char *out, size_t size)
{
	const struct scmp_version *v = seccomp_version();

	(void)snprintf(out, size, "%u.%u.%u", v->major, v->minor, v->micro);
}

int pol_call_number(const char *name)
{
	return seccomp_syscall_resolve_name(name);
}

static const uint32_t abi_tokens[PROF_ABIS] = {
	[PROF_X86_64] = SCMP_ARCH_X86_64,
	[PROF_X32] = SCMP_ARCH_X32,
	[PROF_X86] = SCMP_ARCH_X86,
};

int pol_abi_number(enum prof_abi abi, const char *name)
{
	return seccomp_syscall_resolve_name_arch(abi_tokens[abi], name);
}

char *pol_abi_name(enum prof_abi abi, uint32_t number)
{
	return seccomp_syscall_resolve_num_arch(abi_tokens[abi], (int)number);
}

static int add_rules(scmp_filter_ctx ctx, const struct pol *p, size_t *ret_n, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pol_rule *rule = &p->rules[i];
		uint32_t action = rule->n_terms ? SECCOMP_RET_TRACE | (uint32_t)i : rule->verdict;
		int r;

		/* Says the same as the default: libseccomp refuses that as an error. */
		if (rule->nr < 0 || action == p->fallback)
			continue;
		r = seccomp_rule_add_exact(ctx, action, rule->nr, 0);
		if (r < 0)
			return failed(r, e, rule->name);
		n++;
	}
	*ret_n = n;
	return 0;
}

/* Through a memfd: Debian 12's libseccomp can export to nothing but a descriptor. */
static int export(scmp_filter_ctx ctx, struct pol_program *prog, struct err *e)
{
	_cleanup_fd_ int fd = memfd_create("policy", MFD_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return err_errno(e, "memfd_create");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return failed(r, e, "export");
	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat the exported program");
	if (st.st_size <= 0 || st.st_size % (off_t)sizeof(prog->insns[0]))
		return err_set(e, EPROTO, "libseccomp: exported %lld bytes", (long long)st.st_size);
	if ((uint64_t)st.st_size > sizeof(prog->insns))
		return err_set(e, E2BIG, "the program is longer than %d instructions",
			       POL_INSNS_MAX);
	if (pread(fd, prog->insns, (size_t)st.st_size, 0) != st.st_size)
		return err_set(e, EIO, "the exported program could not be read whole");
	prog->n_insns = (uint16_t)((size_t)st.st_size / sizeof(prog->insns[0]));
	return 0;
}

/* The tree of an empty filter forgets the default in some versions; a list of few is as good. */
static int generate(const struct pol *p, enum pol_shape shape, struct pol_program *prog,
		    struct err *e)
{
	_cleanup_ctx_ scmp_filter_ctx ctx = seccomp_init(p->fallback);
	size_t n_rules = 0;
	int r;

	if (!ctx)
		return err_set(e, ENOMEM, "libseccomp: could not start a filter");
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r < 0)
		return failed(r, e, "verdict on foreign ABIs");
	r = add_rules(ctx, p, &n_rules, e);
	if (r < 0)
		return r;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, n_rules > 8 ? shape : POL_LIST);
	if (r < 0)
		return failed(r, e, "shape");
	return export(ctx, prog, e);
}

static bool is_mark(const struct sock_filter *insn)
{
	return insn->code == (BPF_RET | BPF_K) &&
	       (insn->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE;
}

/* Turn returns of rule i's mark into jumps to the end of the program; say whether there was one. */
static bool link_mark(struct pol_program *prog, size_t i)
{
	bool found = false;

	for (uint32_t at = 0; at < prog->n_insns; at++) {
		struct sock_filter *insn = &prog->insns[at];

		if (!is_mark(insn) || (insn->k & SECCOMP_RET_DATA) != i)
			continue;
		*insn = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, prog->n_insns - at - 1);
		found = true;
	}
	return found;
}

static int link_conditions(const struct pol *p, struct pol_program *prog, struct err *e)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		int r;

		if (!p->rules[i].n_terms || p->rules[i].nr < 0)
			continue;
		if (!link_mark(prog, i))
			return err_set(e, EPROTO, "libseccomp: lost the rule of '%s'",
				       p->rules[i].name);
		r = pol_append_condition(p, &p->rules[i], prog, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int pol_compile_as(const struct pol *p, enum pol_shape shape, struct pol_program *ret,
		   struct err *e)
{
	_cleanup_free_ struct pol_program *prog = calloc(1, sizeof(*prog));
	int r;

	if (!prog)
		return err_set(e, ENOMEM, "policy: out of memory");
	r = generate(p, shape, prog, e);
	if (r == 0)
		r = link_conditions(p, prog, e);
	if (r == 0)
		*ret = *prog;
	return r;
}

int pol_compile(const struct pol *p, struct pol_program *ret, struct err *e)
{
	return pol_compile_as(p, POL_TREE, ret, e);
}

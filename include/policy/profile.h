/*
 * System call profiles as containers bring them (OCI's linux.seccomp, Docker's JSON): rules in, a seccomp
 * program out. policy.h is the same for our own text, and has what reads the result: pol_verdict().
 *
 *	struct pol_profile *p = NULL;
 *
 *	1. pol_profile_new(fallback, &p, &e)	the verdict of calls without a rule
 *	2. pol_profile_arch(p, "SCMP_ARCH_X86", &e)	this machine's own ABI is always there
 *	3. pol_profile_rule(p, &rule, &e)		any number of times
 *	4. pol_profile_compile(p, &prog, &e)
 *	5. pol_profile_free(p)
 *
 * How a verdict is chosen, for each listed ABI:
 *	- rules with arguments before those without, and the stricter action before the looser one: a rule
 *	  that refuses something narrow holds beside one that allows the rest. No rule: the fallback.
 *	- numbers above the newest one that the rules name: ENOSYS when the fallback is an errno. A libc
 *	  that tries a newer call falls back on the older one then, while EPERM would make it fail.
 *	- an argument that the kernel cuts to an int is compared as such, others with all 64 bits: garbage in
 *	  the upper half must neither hide a value nor make one (CVE-2019-10063).
 *	- socketcall(2) and ipc(2) of x86 are judged by the rules of the call they carry. Its arguments are
 *	  in memory, out of a filter's sight: where its rules ask for arguments, the strictest of their
 *	  verdicts holds (CVE-2026-31431: AF_ALG through socketcall).
 *	- an ABI that is not listed kills the process.
 */
#ifndef POLICY_PROFILE_H
#define POLICY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "policy/policy.h"

#define POL_PROFILE_RULES_MAX 4096 /* rules of one profile */
#define POL_PROFILE_ARGS_MAX  4096 /* comparisons of one profile */
#define POL_PROFILE_NAME_MAX  63   /* bytes of a system call's name */
#define POL_CALL_ARGS         6

enum pol_cmp {
	POL_CMP_NE,
	POL_CMP_LT,
	POL_CMP_LE,
	POL_CMP_EQ,
	POL_CMP_GE,
	POL_CMP_GT,
	POL_CMP_MASKED_EQ, /* (argument & mask) == value */
};

struct pol_arg {
	uint8_t index; /* 0..5 */
	enum pol_cmp op;
	uint64_t value;
	uint64_t mask; /* of POL_CMP_MASKED_EQ, else unused */
};

struct pol_profile_rule {
	const char *name;           /* of the system call; borrowed */
	uint32_t action;            /* SECCOMP_RET_* with its data */
	const struct pol_arg *args; /* all must hold; borrowed */
	uint8_t n_args;
};

struct pol_profile;

int pol_profile_new(uint32_t fallback, struct pol_profile **ret, struct err *e);
void pol_profile_free(struct pol_profile *p); /* accepts NULL */

static inline void pol_profile_freep(struct pol_profile **p)
{
	pol_profile_free(*p);
}
#define _cleanup_profile_ __attribute__((cleanup(pol_profile_freep)))

/* Outcomes of pol_profile_arch() and pol_profile_rule(), which change nothing then. */
#define POL_E_UNKNOWN 1 /* no such architecture; a call that libseccomp does not know */

/* Judge calls of this ABI by the rules too. One that this machine cannot run is accepted: it never calls. */
int pol_profile_arch(struct pol_profile *p, const char *name, struct err *e);

/* Add a rule. A call that only other ABIs have is accepted and has no effect here. */
int pol_profile_rule(struct pol_profile *p, const struct pol_profile_rule *rule, struct err *e);

/* Rules that were added. */
size_t pol_profile_rules(const struct pol_profile *p);

/* -E2BIG when the program would be longer than the kernel takes. */
int pol_profile_compile(const struct pol_profile *p, struct pol_program *ret, struct err *e);

/*
 * Append a table for people: this machine's own calls that are not judged by the fallback, then the rest. name:
 * one call alone; -EINVAL if there is no such call.
 */
int pol_profile_explain(const struct pol_profile *p, const char *name, struct buf *out,
			struct err *e);

/* "SCMP_ACT_ERRNO" and the like as SECCOMP_RET_* without data; false if there is no such action. */
bool pol_profile_action(const char *name, uint32_t *ret);

/* "SCMP_CMP_EQ" and the like; false if there is no such comparison. */
bool pol_profile_cmp(const char *name, enum pol_cmp *ret);

/* The names that are understood: the i-th one, NULL after the last. */
const char *pol_profile_action_word(size_t i);
const char *pol_profile_cmp_word(size_t i);
const char *pol_profile_arch_word(size_t i);

#endif

/*
 * System call policies: text in, a seccomp program out.
 *
 *	struct pol *p = NULL;
 *	struct pol_program prog;
 *
 *	1. pol_load("python.policy", &p, &e)	read and check; an error names file and line
 *	2. pol_compile(p, &prog, &e)		once per policy: some milliseconds
 *	3. pol_free(p)
 *	4. hand prog to whoever installs it: plain data, may be cached, copied, sent over a socket
 *
 * The grammar, and how a verdict is chosen, is in docs/POLICY.md. Only pol_load() touches files; nothing
 * here installs a filter.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define POL_INSNS_MAX     4096        /* BPF_MAXINSNS: the kernel takes no longer program */
#define POL_TEXT_MAX      (64 << 10)  /* bytes of one file */
#define POL_LINE_MAX      1000        /* bytes of one line */
#define POL_INCLUDES_MAX  8           /* files that one policy draws in, at any depth */
#define POL_RULES_MAX     600         /* system calls with a rule of their own */
#define POL_STATEMENT_MAX 300         /* words of one statement, continuation lines included */
#define POL_WORD_MAX      127         /* bytes of one word */
#define POL_TERMS_MAX     128         /* argument comparisons of one policy */
#define POL_VALUES_MAX    64          /* values that one comparison lists */
#define POL_EXPLAIN_MAX   (256 << 10) /* a pol_explain() of our profiles takes a tenth */

/* A checked policy; opaque. */
struct pol;

/* Ready for seccomp(2): struct sock_fprog is {n_insns, insns}. Instructions beyond are zero. */
struct pol_program {
	uint16_t n_insns;
	struct sock_filter insns[POL_INSNS_MAX];
};

/*
 * Check n bytes of policy text. name is what errors call it: "python.policy:12: unknown system call
 * 'foo'". An `include` line is an error here: there is no directory to look in. Free with pol_free().
 */
int pol_parse(const char *text, size_t n, const char *name, struct pol **ret, struct err *e);

/* Read and check a file; what it includes is opened beneath the file's own directory only. */
int pol_load(const char *path, struct pol **ret, struct err *e);

void pol_free(struct pol *p); /* accepts NULL */

static inline void pol_freep(struct pol **p)
{
	pol_free(*p);
}
#define _cleanup_pol_ __attribute__((cleanup(pol_freep)))

/* How many system calls have a rule. */
size_t pol_rules(const struct pol *p);

/* The version of libseccomp, "2.5.4". */
void pol_library_version(char *out, size_t size);

/*
 * Compile. The program judges calls of this machine's own ABI; any other ABI (x86, x32, int 0x80) kills
 * the process. -E2BIG when it would be longer than the kernel takes. To be called before a filter that
 * refuses seccomp(2) is on: libseccomp asks the kernel which verdicts it knows.
 */
int pol_compile(const struct pol *p, struct pol_program *ret, struct err *e);

/*
 * What the kernel would answer: interpret prog for one call. arch is an AUDIT_ARCH_*, nr includes the x32
 * bit if any. Returns SECCOMP_RET_* with its data; SECCOMP_RET_KILL_PROCESS for a program that the
 * kernel would have refused.
 */
uint32_t pol_verdict(const struct pol_program *prog, uint32_t arch, uint32_t nr,
		     const uint64_t args[6]);

/* Append a table for people: one line a system call, by number, then the default. */
int pol_explain(const struct pol *p, struct buf *out, struct err *e);

/* The same for one name; -EINVAL if there is no such system call. */
int pol_explain_call(const struct pol *p, const char *name, struct buf *out, struct err *e);

#endif

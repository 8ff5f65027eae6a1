/*
 * A parsed policy, as parse.c leaves it and filter.c and explain.c read it.
 *
 * One fixed struct without pointers: every list in it has a named maximum. A system call has at most one
 * rule. A rule with terms says `verdict` when its condition holds and `otherwise` when not; the condition
 * is a list of alternatives ("or"), each a run of terms that must all hold ("and").
 */
#ifndef POLICY_POL_H
#define POLICY_POL_H

#include <stdbool.h>

#include "policy/policy.h"

/* The first six are comparisons of one value; a list after `in` is POL_EQ with many. */
enum pol_op { POL_EQ, POL_NE, POL_LT, POL_LE, POL_GT, POL_GE, POL_OPS };

/*
 * One comparison: (low 32 bits of an argument & mask) OP any of the values. Only the low half counts
 * because that is what the kernel takes of an int; garbage above it must neither hide a value nor
 * make one.
 */
struct pol_term {
	uint8_t arg;         /* 0..5 */
	uint8_t op;          /* enum pol_op */
	bool is_alternative; /* preceded by "or" */
	uint8_t n_values;    /* 1..POL_VALUES_MAX; 1 unless POL_EQ */
	uint32_t mask;       /* UINT32_MAX = the whole word */
	uint32_t values[POL_VALUES_MAX];
};

#define POL_NAME_MAX       31
#define POL_CONDITIONS_MAX (16 << 10) /* bytes of all conditions as written */

struct pol_rule {
	char name[POL_NAME_MAX + 1];
	int nr;             /* negative: a call of other machines, has no effect here */
	uint32_t verdict;   /* SECCOMP_RET_* with data */
	uint32_t otherwise; /* what is said when the condition fails; unused without terms */
	bool has_otherwise; /* else the policy's default */
	uint16_t first_term;
	uint16_t n_terms;   /* 0 = the verdict is constant */
	uint16_t condition; /* offset of the condition as it was written, in text */
	uint16_t file;      /* which file said so; 0 = the outermost */
};

struct pol {
	uint32_t fallback; /* for calls without a rule */
	bool has_fallback;
	uint16_t fallback_file;
	uint16_t n_files; /* read so far */
	uint16_t n_rules;
	uint16_t n_terms;
	uint16_t n_text;
	char text[POL_CONDITIONS_MAX]; /* NUL-terminated strings; the first is empty */
	struct pol_rule rules[POL_RULES_MAX];
	struct pol_term terms[POL_TERMS_MAX];
};

/* parse.c: where an `include NAME` leads. Parses that file into the same policy. */
struct pol_source {
	int (*include)(struct pol_source *src, const char *name, struct pol *p, struct err *e);
};

/* parse.c: add one file to a policy; src NULL = no includes. pol_finish() checks the whole. */
int pol_add_text(struct pol *p, struct pol_source *src, const char *text, size_t n,
		 const char *name, struct err *e);
int pol_finish(struct pol *p, const char *name, struct err *e);

/* words.c: the vocabulary. False if there is no such word. */
bool pol_errno_value(const char *name, uint32_t *ret);
bool pol_constant_value(const char *name, uint32_t *ret);
bool pol_op_value(const char *name, enum pol_op *ret);

/* filter.c: the number of a system call here; -1 for an unknown name, less for one of other machines. */
int pol_call_number(const char *name);

/* filter.c: pol_compile() as a tree or as a list; tests compare the two. */
enum pol_shape { POL_LIST = 1, POL_TREE = 2 };
int pol_compile_as(const struct pol *p, enum pol_shape shape, struct pol_program *ret,
		   struct err *e);

/* explain.c: "allow", "EPERM", ...; out is room for those that are not constant. */
#define VERDICT_TEXT_MAX 32
const char *pol_verdict_text(uint32_t verdict, char out[VERDICT_TEXT_MAX]);

/* args.c: append the instructions that judge a rule's arguments and return. -E2BIG. */
int pol_append_condition(const struct pol *p, const struct pol_rule *r, struct pol_program *prog,
			 struct err *e);

#endif

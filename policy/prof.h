/*
 * A profile as its parts see it: profile.c collects, profile_abi.c knows the machine's ABIs,
 * profile_spans.c turns the rules into ranges of numbers, profile_bpf.c those into instructions.
 */
#ifndef POLICY_PROF_H
#define POLICY_PROF_H

#include "policy/profile.h"

/* ABIs that a process of this machine can call with. */
enum prof_abi { PROF_X86_64, PROF_X32, PROF_X86, PROF_ABIS };

#define PROF_X32_BIT 0x40000000u /* __X32_SYSCALL_BIT */

struct prof_rule {
	int32_t numbers[PROF_ABIS]; /* negative: no call of this ABI */
	uint32_t action;
	uint16_t first_arg;
	uint8_t n_args;
	const struct prof_sub *sub; /* x86: reached through a multiplexer too; or NULL */
};

/* A comparison; bits is how much of the argument the kernel looks at: 16, 32 or 64. */
struct prof_arg {
	struct pol_arg arg;
	uint8_t bits;
};

struct pol_profile {
	uint32_t fallback;
	bool has_abi[PROF_ABIS];
	uint16_t n_rules, n_args;
	struct prof_rule rules[POL_PROFILE_RULES_MAX];
	struct prof_arg args[POL_PROFILE_ARGS_MAX];
};

/* A call of x86 that socketcall(2) or ipc(2) carry as well. */
struct prof_sub {
	const char *name;
	int16_t multiplexer; /* number of socketcall or ipc */
	int16_t call;        /* its first argument */
	int16_t direct;      /* the number of its own; -1 if it has none */
	uint32_t mask;       /* of the first argument: ipc's upper half is a version */
};

/* ---- profile_abi.c ---- */

/* NULL unless a multiplexer of x86 carries it. */
const struct prof_sub *pol_abi_sub(const char *name);

/* How many bits of an argument the kernel looks at. */
uint8_t pol_abi_arg_bits(const char *name, uint8_t index);

/* The ABI of a name like "SCMP_ARCH_X86"; PROF_ABIS for one of other machines, -1 for no ABI at all. */
int pol_abi_of(const char *name);

/* ---- filter.c ---- */

/* Number of a call, pseudo numbers of libseccomp (negative) included; -1 for a name that it does not know. */
int pol_abi_number(enum prof_abi abi, const char *name);

/* The name of a number, to be freed; NULL if there is none. */
char *pol_abi_name(enum prof_abi abi, uint32_t number);

/* ---- profile_spans.c ---- */

#define PROF_CHOICES_MAX 64 /* rules with arguments of one call */
#define PROF_SPANS_MAX   8192
#define PROF_SUBS_MAX    64 /* calls that multiplexers carry */

/* One rule with arguments as a call's verdict may need it. */
struct prof_choice {
	uint32_t action;
	const struct prof_arg *args;
	uint8_t n_args;
};

/* Numbers from first up to the next span's: one verdict, after the choices. */
struct prof_span {
	uint32_t first;
	uint32_t verdict;
	uint16_t first_choice, n_choices;
};

struct prof_map {
	size_t n_spans, n_choices, n_made;
	struct prof_span spans[PROF_SPANS_MAX];
	struct prof_choice choices[2 * POL_PROFILE_RULES_MAX + PROF_SUBS_MAX]; /* x86-64 and x32 */
	struct prof_arg made[PROF_SUBS_MAX]; /* conditions on multiplexers' first arguments */
};

/* All numbers of an audit architecture; is_x86 is i386, else x86-64 with x32. */
int pol_map_profile(const struct pol_profile *p, bool is_x86, struct prof_map *map, struct err *e);

#endif

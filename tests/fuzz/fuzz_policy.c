/*
 * Any text: either an error with a line, or a program that says what the rules say.
 *
 * The rules are evaluated once more here, straight from struct pol, and compared with the compiled program,
 * as a tree and as a list, at and around every value that they name.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/pol.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_policy: %s\n", #cond);                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The programs of one run; a fuzz target has one thread. */
struct programs {
	struct pol_program tree, list;
};

static bool compare(enum pol_op op, uint32_t a, uint32_t b)
{
	switch (op) {
	case POL_EQ:
		return a == b;
	case POL_NE:
		return a != b;
	case POL_LT:
		return a < b;
	case POL_LE:
		return a <= b;
	case POL_GT:
		return a > b;
	case POL_GE:
		return a >= b;
	case POL_OPS:
		break;
	}
	abort();
}

static bool term_holds(const struct pol_term *t, const uint64_t args[6])
{
	for (unsigned i = 0; i < t->n_values; i++)
		if (compare(t->op, (uint32_t)args[t->arg] & t->mask, t->values[i]))
			return true;
	return false;
}

static uint32_t expected(const struct pol *p, const struct pol_rule *r, const uint64_t args[6])
{
	bool holds = true;

	if (!r->n_terms)
		return r->verdict;
	for (unsigned i = 0; i < r->n_terms; i++) {
		const struct pol_term *t = &p->terms[r->first_term + i];

		if (i && t->is_alternative && holds)
			return r->verdict;
		holds = (holds || t->is_alternative) && term_holds(t, args);
	}
	return holds ? r->verdict : r->otherwise;
}

static void probe(const struct programs *g, uint32_t nr, const uint64_t args[6], uint32_t want)
{
	MUST(pol_verdict(&g->tree, AUDIT_ARCH_X86_64, nr, args) == want);
	MUST(pol_verdict(&g->list, AUDIT_ARCH_X86_64, nr, args) == want);
}

/* All arguments of the rule set to fit its terms as far as they can, then one argument moved about. */
static void probe_rule(const struct pol *p, const struct programs *g, const struct pol_rule *r)
{
	const struct pol_term *terms = &p->terms[r->first_term];
	static const uint64_t high[] = {0, UINT64_C(1) << 32, ~UINT64_C(0) << 32};
	uint64_t args[6] = {0};

	probe(g, (uint32_t)r->nr, args, expected(p, r, args));
	for (unsigned i = 0; i < r->n_terms; i++) {
		const struct pol_term *t = &terms[i];

		for (unsigned v = 0; v < t->n_values; v++) {
			for (uint32_t d = 0; d < 9; d++) {
				args[t->arg] = high[d % 3] | (uint32_t)(t->values[v] + d / 3 - 1);
				probe(g, (uint32_t)r->nr, args, expected(p, r, args));
			}
			args[t->arg] = high[1] | t->values[v];
		}
	}
}

static void check(const struct pol *p, const struct programs *g)
{
	static const uint64_t zero[6];

	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].nr >= 0)
			probe_rule(p, g, &p->rules[i]);
	probe(g, 9999, zero, p->fallback);
	MUST(pol_verdict(&g->tree, AUDIT_ARCH_I386, 0, zero) == SECCOMP_RET_KILL_PROCESS);
	MUST(pol_verdict(&g->tree, AUDIT_ARCH_X86_64, 0x40000000, zero) ==
	     SECCOMP_RET_KILL_PROCESS);
}

int fuzz_policy(const uint8_t *data, size_t size)
{
	_cleanup_pol_ struct pol *p = NULL;
	struct err e = ERR_INIT;
	struct programs *g;

	if (pol_parse((const char *)data, size, "fuzz", &p, &e) < 0) {
		MUST(!strncmp(e.text, "fuzz:", 5));
		return 0;
	}
	g = calloc(1, sizeof(*g));
	MUST(g);
	/* Terms shared by many names can make a program too long; that is an answer. */
	if (pol_compile_as(p, POL_TREE, &g->tree, &e) == 0 &&
	    pol_compile_as(p, POL_LIST, &g->list, &e) == 0)
		check(p, g);
	else
		MUST(e.code == E2BIG);
	free(g);
	return 0;
}

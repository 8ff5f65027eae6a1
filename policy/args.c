/*
 * The condition of one rule as classic BPF.
 *
 *	alternative:	term:	ld   low half of args[n]
 *				and  #mask			if there is one
 *				jeq  #value, next term		once per value
 *				ja   next alternative
 *			...
 *			ret  verdict
 *	...
 *			ret  otherwise
 *
 * A jump of 8 bits stays within one term (POL_VALUES_MAX + 1); only `ja`, with 32 bits, leaves it. All jumps
 * go forward, as the kernel demands.
 */
#include "policy/pol.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half comes first");
_Static_assert(POL_VALUES_MAX < UINT8_MAX, "a term is crossed by an 8-bit jump");

/* BPF has half of the comparisons; the others swap the two ways out, and have one value. */
static const struct {
	uint16_t code;
	bool is_inverted;
} jumps[POL_OPS] = {
	[POL_EQ] = {BPF_JEQ, false},
          [POL_NE] = {BPF_JEQ, true },
          [POL_LT] = {BPF_JGE, true },
	[POL_LE] = {BPF_JGT, true },
          [POL_GT] = {BPF_JGT, false},
          [POL_GE] = {BPF_JGE, false},
};

static void emit(struct pol_program *prog, struct sock_filter insn)
{
	prog->insns[prog->n_insns++] = insn;
}

/* ld, and, one jump a value, ja. */
static uint32_t term_length(const struct pol_term *t)
{
	return 1 + (t->mask != UINT32_MAX) + t->n_values + 1;
}

/* Terms of the alternative that starts at t; its length with the ret that ends it. */
static uint16_t alternative(const struct pol_term *t, const struct pol_term *end, uint32_t *ret_len)
{
	uint16_t n = 0;

	*ret_len = 1;
	do {
		*ret_len += term_length(&t[n++]);
	} while (t + n < end && !t[n].is_alternative);
	return n;
}

static uint32_t condition_length(const struct pol_term *t, const struct pol_term *end)
{
	uint32_t sum = 1, len;

	while (t < end) {
		t += alternative(t, end, &len);
		sum += len;
	}
	return sum;
}

/* after: instructions between the end of this term and the next alternative. */
static void emit_term(struct pol_program *prog, const struct pol_term *t, uint32_t after)
{
	uint32_t low = (uint32_t)(offsetof(struct seccomp_data, args) + t->arg * sizeof(uint64_t));
	uint16_t code = BPF_JMP | jumps[t->op].code | BPF_K;

	emit(prog, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low));
	if (t->mask != UINT32_MAX)
		emit(prog, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, t->mask));
	for (uint32_t i = 0; i < t->n_values; i++) {
		uint8_t out = (uint8_t)(t->n_values - i);
		bool inverted = jumps[t->op].is_inverted;

		emit(prog, (struct sock_filter)BPF_JUMP(code, t->values[i], inverted ? 0 : out,
							inverted ? out : 0));
	}
	emit(prog, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, after));
}

int pol_append_condition(const struct pol *p, const struct pol_rule *r, struct pol_program *prog,
			 struct err *e)
{
	const struct pol_term *t = &p->terms[r->first_term], *end = t + r->n_terms;
	uint32_t len;

	if (prog->n_insns + condition_length(t, end) > POL_INSNS_MAX)
		return err_set(e, E2BIG, "'%s': the program is longer than %d instructions",
			       r->name, POL_INSNS_MAX);
	while (t < end) {
		for (uint16_t n = alternative(t, end, &len); n > 0; n--, t++) {
			len -= term_length(t);
			emit_term(prog, t, len);
		}
		emit(prog, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, r->verdict));
	}
	emit(prog, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, r->otherwise));
	return 0;
}

/*
 * Spans → classic BPF: a balanced tree of "number >= first of the right half?", its leaves verdicts or the
 * comparisons of a call's arguments.
 *
 * Written from the end: all jumps of BPF go forward, so what an instruction jumps to stands already and its
 * distance is known. A place is counted from the end. Verdicts are shared while a conditional jump (8 bits)
 * reaches them. The shape matters beyond each call's own cost: the kernel runs a new filter once for
 * every number, to remember which ones are always allowed, so a list instead of a tree costs a start 0.5 ms.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/prof.h"

#define REACH           250 /* of 255: two trampolines may come between */
#define VERDICTS_SHARED 16

typedef uint32_t place;

struct writer {
	uint32_t n;
	bool is_full;
	struct sock_filter insns[POL_INSNS_MAX]; /* the last one first */
	uint32_t n_verdicts;
	struct {
		uint32_t verdict;
		place at;
	} verdicts[VERDICTS_SHARED];
};

static place emit(struct writer *w, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (w->n == POL_INSNS_MAX) {
		w->is_full = true; /* nothing of it will be used */
		return 0;
	}
	w->insns[w->n] = (struct sock_filter){code, jt, jf, k};
	return w->n++;
}

/* A place that the next two conditional jumps reach. */
static place near(struct writer *w, place to)
{
	return w->n - to > REACH ? emit(w, BPF_JMP | BPF_JA, 0, 0, w->n - to - 1) : to;
}

static place jump(struct writer *w, uint16_t op, uint32_t k, place yes, place no)
{
	if (yes == no)
		return yes;
	yes = near(w, yes);
	no = near(w, no);
	return emit(w, BPF_JMP | op | BPF_K, (uint8_t)(w->n - yes - 1), (uint8_t)(w->n - no - 1),
		    k);
}

static place load(struct writer *w, size_t offset)
{
	return emit(w, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static place verdict(struct writer *w, uint32_t value)
{
	uint32_t i = 0;

	while (i < w->n_verdicts && w->verdicts[i].verdict != value)
		i++;
	if (i < w->n_verdicts && w->n - w->verdicts[i].at <= REACH)
		return w->verdicts[i].at;
	if (i == VERDICTS_SHARED)
		i = 0; /* rare enough: whichever is forgotten is written again */
	else if (i == w->n_verdicts)
		w->n_verdicts++;
	w->verdicts[i].verdict = value;
	w->verdicts[i].at = emit(w, BPF_RET | BPF_K, 0, 0, value);
	return w->verdicts[i].at;
}

/* op of the low half; the high half decides unless it is equal. is_inverted: the opposite is asked. */
static const struct {
	uint16_t op;
	bool is_inverted;
	bool is_order;       /* a larger high half decides too */
	bool holds_if_below; /* what is said of an argument that is below any such value */
} cmps[] = {
	[POL_CMP_NE] = {BPF_JEQ, true,  false, true },
	[POL_CMP_LT] = {BPF_JGE, true,  true,  true },
	[POL_CMP_LE] = {BPF_JGT, true,  true,  true },
	[POL_CMP_EQ] = {BPF_JEQ, false, false, false},
	[POL_CMP_GE] = {BPF_JGE, false, true,  false},
	[POL_CMP_GT] = {BPF_JGT, false, true,  false},
	[POL_CMP_MASKED_EQ] = {BPF_JEQ, false, false, false},
};

static place masked(struct writer *w, uint32_t mask, size_t offset)
{
	if (mask != UINT32_MAX)
		(void)emit(w, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
	return load(w, offset);
}

/*
 * Does the argument, cut to `bits`, compare as asked? Of a narrow argument only a value that a sign
 * extension made (-1, AT_FDCWD) is cut as well; other values beyond its width stand above all it can be.
 */
static place comparison(struct writer *w, const struct prof_arg *a, place yes, place no)
{
	size_t low = offsetof(struct seccomp_data, args) + a->arg.index * sizeof(uint64_t),
	       high = low + sizeof(uint32_t);
	uint64_t width = a->bits == 64 ? UINT64_MAX : (UINT64_C(1) << a->bits) - 1,
		 mask = a->arg.op == POL_CMP_MASKED_EQ ? a->arg.mask : UINT64_MAX,
		 value = a->arg.value;
	bool swap = cmps[a->arg.op].is_inverted;
	place is = swap ? no : yes, is_not = swap ? yes : no, at;

	if (yes == no)
		return yes; /* what follows must be an instruction of its own */
	if (value & mask & ~width && (value | width) != UINT64_MAX)
		return cmps[a->arg.op].holds_if_below ? yes : no;
	value = a->arg.op == POL_CMP_MASKED_EQ && a->bits == 64 ? value : value & width;
	mask &= width;
	(void)jump(w, cmps[a->arg.op].op, (uint32_t)value, is, is_not);
	at = masked(w, (uint32_t)mask, low);
	if (a->bits < 64)
		return at;
	/* Equal: the low half decides. Else an order is decided here, and an equality has failed. */
	(void)jump(w, BPF_JEQ, (uint32_t)(value >> 32), at, is_not);
	if (cmps[a->arg.op].is_order)
		(void)jump(w, BPF_JGT, (uint32_t)(value >> 32), is, w->n - 1);
	return masked(w, (uint32_t)(mask >> 32), high);
}

/* The choices in order, each all of its arguments, then the verdict. */
static place leaf(struct writer *w, const struct prof_map *map, const struct prof_span *s)
{
	place next = verdict(w, s->verdict);

	for (uint16_t i = s->n_choices; i > 0; i--) {
		const struct prof_choice *c = &map->choices[s->first_choice + i - 1];
		place yes = verdict(w, c->action);

		for (uint8_t j = c->n_args; j > 0; j--)
			yes = comparison(w, &c->args[j - 1], yes, next);
		next = yes;
	}
	return next;
}

/* Spans lo..hi-1; as deep as the logarithm of their number. */
static place tree(struct writer *w, const struct prof_map *map, size_t lo, size_t hi)
{
	size_t middle = lo + (hi - lo) / 2;
	place left, right;

	if (hi - lo == 1)
		return leaf(w, map, &map->spans[lo]);
	right = tree(w, map, middle, hi);
	left = tree(w, map, lo, middle);
	return jump(w, BPF_JGE, map->spans[middle].first, right, left);
}

static int numbers(struct writer *w, const struct pol_profile *p, bool is_x86, struct prof_map *map,
		   place *ret, struct err *e)
{
	int r = pol_map_profile(p, is_x86, map, e);

	if (r < 0)
		return r;
	w->n_verdicts = 0; /* those of another tree are too far to be worth a look */
	*ret = tree(w, map, 0, map->n_spans);
	if (*ret != w->n - 1) /* a single verdict shared with another tree */
		*ret = emit(w, BPF_JMP | BPF_JA, 0, 0, w->n - *ret - 1);
	*ret = load(w, offsetof(struct seccomp_data, nr));
	return 0;
}

int pol_profile_compile(const struct pol_profile *p, struct pol_program *ret, struct err *e)
{
	_cleanup_free_ struct writer *w = calloc(1, sizeof(*w));
	_cleanup_free_ struct prof_map *map = malloc(sizeof(*map));
	place kill, x86, x86_64 = 0;
	int r = 0;

	if (!w || !map)
		return err_set(e, ENOMEM, "seccomp profile: out of memory");
	kill = x86 = verdict(w, SECCOMP_RET_KILL_PROCESS);
	if (p->has_abi[PROF_X86])
		r = numbers(w, p, true, map, &x86, e);
	if (r == 0)
		r = numbers(w, p, false, map, &x86_64, e);
	if (r < 0)
		return r;
	kill = jump(w, BPF_JEQ, AUDIT_ARCH_I386, x86, kill);
	(void)jump(w, BPF_JEQ, AUDIT_ARCH_X86_64, x86_64, kill);
	(void)load(w, offsetof(struct seccomp_data, arch));
	if (w->is_full)
		return err_set(e, E2BIG, "the program is longer than %d instructions",
			       POL_INSNS_MAX);
	*ret = (struct pol_program){.n_insns = (uint16_t)w->n};
	for (uint32_t i = 0; i < w->n; i++)
		ret->insns[i] = w->insns[w->n - 1 - i];
	return 0;
}

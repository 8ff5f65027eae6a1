/*
 * Rules → ranges of system call numbers, each with one verdict: what a tree is built of (profile_bpf.c).
 *
 * Neighbours that say the same become one range. That is why the tree of a long list of allowed calls is
 * short: what counts is how often the answer changes, not how many calls are listed.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/prof.h"

#define NO_SUCH_CALL (SECCOMP_RET_ERRNO | ENOSYS)
#define NUMBER_NONE  UINT32_MAX /* -1: what a tracer leaves of a call that it took away */

#define X32_OWN      (PROF_X32_BIT + 512) /* first of the calls that only x32 has */
#define X32_OWN_END  (PROF_X32_BIT + 548)

/* A rule at a number; several may sit at one. */
struct entry {
	uint32_t number;
	uint16_t order; /* as written, for a stable sort */
	struct prof_choice choice;
};

struct entries {
	size_t n;
	struct entry list[POL_PROFILE_RULES_MAX + PROF_SUBS_MAX];
};

/* The kernel's own order of actions: kill is negative, allow the largest. */
static int strictness(uint32_t action)
{
	return (int)(action & SECCOMP_RET_ACTION_FULL);
}

static bool is_stricter(uint32_t a, uint32_t b)
{
	return strictness(a) < strictness(b);
}

/* By number; rules with arguments first; then the strictest; then as written. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	bool x_all = x->choice.n_args == 0, y_all = y->choice.n_args == 0;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x_all != y_all)
		return x_all ? 1 : -1;
	if (is_stricter(x->choice.action, y->choice.action))
		return -1;
	if (is_stricter(y->choice.action, x->choice.action))
		return 1;
	return (int)x->order - (int)y->order;
}

static void add_entry(struct entries *en, uint32_t number, struct prof_choice choice)
{
	en->list[en->n] = (struct entry){number, (uint16_t)en->n, choice};
	en->n++;
}

/* What a multiplexer answers for one of the calls it carries: false if no rule names that call. */
static bool carried_verdict(const struct pol_profile *p, const struct prof_sub *sub,
			    uint32_t *ret_action)
{
	uint32_t strictest = SECCOMP_RET_ALLOW, open = SECCOMP_RET_ALLOW;
	bool is_named = false, has_args = false, has_open = false;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct prof_rule *r = &p->rules[i];

		if (r->sub != sub)
			continue;
		if (!is_named || is_stricter(r->action, strictest))
			strictest = r->action;
		if (r->n_args == 0 && (!has_open || is_stricter(r->action, open)))
			open = r->action;
		has_open |= r->n_args == 0;
		has_args |= r->n_args > 0;
		is_named = true;
	}
	if (!has_open && is_stricter(p->fallback, strictest))
		strictest = p->fallback;
	*ret_action = has_args ? strictest : open;
	return is_named;
}

/* First arguments of socketcall and ipc, for those carried calls that have rules. */
static void add_multiplexed(const struct pol_profile *p, struct prof_map *map, struct entries *en)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct prof_sub *sub = p->rules[i].sub;
		struct prof_arg *a = &map->made[map->n_made];
		bool is_first = sub != NULL;
		uint32_t action;

		for (size_t j = 0; j < i && is_first; j++)
			is_first = p->rules[j].sub != sub;
		if (!is_first || !carried_verdict(p, sub, &action))
			continue;
		*a = (struct prof_arg){
			.arg = {.op = POL_CMP_MASKED_EQ,
				.value = (uint64_t)sub->call,
				.mask = sub->mask},
			.bits = 32,
		};
		map->n_made++;
		add_entry(en, (uint32_t)sub->multiplexer,
			  (struct prof_choice){.action = action, .args = a, .n_args = 1});
	}
}

static void collect(const struct pol_profile *p, enum prof_abi abi, struct prof_map *map,
		    struct entries *en)
{
	en->n = 0;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct prof_rule *r = &p->rules[i];

		if (r->numbers[abi] >= 0)
			add_entry(en, (uint32_t)r->numbers[abi],
				  (struct prof_choice){.action = r->action,
						       .args = &p->args[r->first_arg],
						       .n_args = r->n_args});
	}
	if (abi == PROF_X86)
		add_multiplexed(p, map, en);
	qsort(en->list, en->n, sizeof(en->list[0]), compare_entries);
}

/* Begin a span unless the last one says the same already. */
static int add_span(struct prof_map *map, const struct prof_span *span, struct err *e)
{
	const struct prof_span *last = map->n_spans ? &map->spans[map->n_spans - 1] : NULL;

	if (last && last->first == span->first)
		map->n_spans--; /* empty: the next one begins where it did */
	last = map->n_spans ? &map->spans[map->n_spans - 1] : NULL;
	if (last && !last->n_choices && !span->n_choices && last->verdict == span->verdict)
		return 0;
	if (map->n_spans == PROF_SPANS_MAX)
		return err_set(e, E2BIG, "seccomp profile: more than %d ranges", PROF_SPANS_MAX);
	map->spans[map->n_spans++] = *span;
	return 0;
}

/* The n rules of one number as a span; the strictest rule without arguments ends the choices. */
static int add_call(const struct pol_profile *p, const struct entry *first, size_t n,
		    struct prof_map *map, struct err *e)
{
	struct prof_span span = {.first = first->number,
				 .verdict = p->fallback,
				 .first_choice = (uint16_t)map->n_choices};

	for (size_t i = 0; i < n; i++) {
		if (first[i].choice.n_args == 0) {
			span.verdict = first[i].choice.action;
			break;
		}
		map->choices[map->n_choices++] = first[i].choice;
		span.n_choices++;
	}
	/* The loosest choices come last: those that change nothing are left out. */
	while (span.n_choices && map->choices[map->n_choices - 1].action == span.verdict) {
		map->n_choices--;
		span.n_choices--;
	}
	if (span.n_choices > PROF_CHOICES_MAX)
		return err_set(e, E2BIG,
			       "seccomp profile: more than %d rules with arguments for one call",
			       PROF_CHOICES_MAX);
	return add_span(map, &span, e);
}

static uint32_t beyond(const struct pol_profile *p)
{
	return (p->fallback & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? NO_SUCH_CALL
									    : p->fallback;
}

/* Numbers from `first`: the n calls, what lies between as the fallback, what lies beyond. */
static int map_range(const struct pol_profile *p, uint32_t first, const struct entry *list,
		     size_t n, uint32_t after, struct prof_map *map, struct err *e)
{
	struct prof_span gap = {.first = first, .verdict = p->fallback};
	int r = add_span(map, &gap, e);

	for (size_t i = 0, same; r == 0 && i < n; i += same) {
		for (same = 1; i + same < n && list[i + same].number == list[i].number;)
			same++;
		r = add_call(p, &list[i], same, map, e);
		gap.first = list[i].number + 1;
		if (i + same == n) /* no rule at all: nothing is newer than another */
			gap.verdict = after;
		if (r == 0)
			r = add_span(map, &gap, e);
	}
	return r;
}

static int map_abi(const struct pol_profile *p, enum prof_abi abi, uint32_t first,
		   struct prof_map *map, struct entries *en, struct err *e)
{
	collect(p, abi, map, en);
	return map_range(p, first, en->list, en->n, beyond(p), map, e);
}

/* x32 is x86-64's numbers, the new ones included, and a closed block of its own above them. */
static int map_x32(const struct pol_profile *p, struct prof_map *map, struct entries *en,
		   struct err *e)
{
	const struct prof_span end = {.first = X32_OWN_END, .verdict = beyond(p)};
	size_t shared = 0;
	int r;

	collect(p, PROF_X32, map, en);
	while (shared < en->n && en->list[shared].number < X32_OWN)
		shared++;
	r = map_range(p, PROF_X32_BIT, en->list, shared, beyond(p), map, e);
	if (r == 0)
		r = map_range(p, X32_OWN, en->list + shared, en->n - shared, p->fallback, map, e);
	return r < 0 || en->n == 0 ? r : add_span(map, &end, e);
}

int pol_map_profile(const struct pol_profile *p, bool is_x86, struct prof_map *map, struct err *e)
{
	_cleanup_free_ struct entries *en = malloc(sizeof(*en));
	const struct prof_span foreign = {.first = PROF_X32_BIT,
					  .verdict = SECCOMP_RET_KILL_PROCESS},
			       none = {.first = NUMBER_NONE, .verdict = beyond(p)};
	int r;

	if (!en)
		return err_set(e, ENOMEM, "seccomp profile: out of memory");
	map->n_spans = map->n_choices = map->n_made = 0;
	if (is_x86)
		return map_abi(p, PROF_X86, 0, map, en, e);
	r = map_abi(p, PROF_X86_64, 0, map, en, e);
	if (r == 0)
		r = p->has_abi[PROF_X32] ? map_x32(p, map, en, e) : add_span(map, &foreign, e);
	return r < 0 ? r : add_span(map, &none, e);
}

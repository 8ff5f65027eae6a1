/* A policy as a table for people. */
#include "policy/pol.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

#define VERDICT_TEXT_MAX 32

static const char *verdict_text(uint32_t verdict, char out[VERDICT_TEXT_MAX])
{
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case SECCOMP_RET_LOG:
		return "log";
	case SECCOMP_RET_ERRNO:
		(void)snprintf(out, VERDICT_TEXT_MAX, "%s", err_name(verdict & SECCOMP_RET_DATA));
		return out;
	default: /* the grammar has no other */
		return "kill";
	}
}

static void put_rule(const struct pol *p, const struct pol_rule *r, struct buf *out)
{
	char yes[VERDICT_TEXT_MAX], no[VERDICT_TEXT_MAX];
	char nr[16] = "-";

	if (r->nr >= 0)
		(void)snprintf(nr, sizeof(nr), "%d", r->nr);
	buf_printf(out, "%4s  %-26s %s", nr, r->name, verdict_text(r->verdict, yes));
	if (r->n_terms)
		buf_printf(out, " if %s, else %s", p->text + r->condition,
			   verdict_text(r->otherwise, no));
	buf_putc(out, '\n');
}

static int by_number(const void *a, const void *b)
{
	const struct pol_rule *const *x = a, *const *y = b;

	return ((*x)->nr > (*y)->nr) - ((*x)->nr < (*y)->nr);
}

static int check_room(const struct buf *out, struct err *e)
{
	return buf_failed(out) ? err_set(e, ENOBUFS, "explain: the buffer is too small") : 0;
}

int pol_explain(const struct pol *p, struct buf *out, struct err *e)
{
	_cleanup_free_ const struct pol_rule **sorted = calloc(POL_RULES_MAX, sizeof(*sorted));
	char text[VERDICT_TEXT_MAX];

	if (!sorted)
		return err_set(e, ENOMEM, "explain: out of memory");
	for (size_t i = 0; i < p->n_rules; i++)
		sorted[i] = &p->rules[i];
	qsort(sorted, p->n_rules, sizeof(*sorted), by_number);
	for (size_t i = 0; i < p->n_rules; i++)
		put_rule(p, sorted[i], out);
	buf_printf(out, "   *  %-26s %s\n", "every other", verdict_text(p->fallback, text));
	buf_printf(out, "   *  %-26s %s\n", "every foreign ABI", "kill");
	return check_room(out, e);
}

int pol_explain_call(const struct pol *p, const char *name, struct buf *out, struct err *e)
{
	struct pol_rule unruled = {.verdict = p->fallback, .nr = pol_call_number(name)};
	const struct pol_rule *r = &unruled;

	if (unruled.nr == -1 || !str_copy(unruled.name, sizeof(unruled.name), name))
		return err_set(e, EINVAL, "unknown system call '%s'", name);
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].nr == unruled.nr)
			r = &p->rules[i];
	put_rule(p, r, out);
	return check_room(out, e);
}

/* A policy as a table for people. */
#include "policy/pol.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

/* clang-format off */
static const struct {
	uint32_t action;
	const char *text;
	bool has_data;
} verdicts[] = {
	{SECCOMP_RET_KILL_PROCESS, "kill",        false},
	{SECCOMP_RET_KILL_THREAD,  "kill-thread", false},
	{SECCOMP_RET_TRAP,         "trap",        false},
	{SECCOMP_RET_USER_NOTIF,   "notify",      false},
	{SECCOMP_RET_TRACE,        "trace",       true },
	{SECCOMP_RET_LOG,          "log",         false},
	{SECCOMP_RET_ALLOW,        "allow",       false},
};
/* clang-format on */

const char *pol_verdict_text(uint32_t verdict, char out[VERDICT_TEXT_MAX])
{
	uint32_t data = verdict & SECCOMP_RET_DATA;

	if ((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO) {
		(void)snprintf(out, VERDICT_TEXT_MAX, "%s", data ? err_name((int)data) : "errno 0");
		return out;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (verdicts[i].action != (verdict & SECCOMP_RET_ACTION_FULL))
			continue;
		(void)snprintf(out, VERDICT_TEXT_MAX, verdicts[i].has_data ? "%s %u" : "%s",
			       verdicts[i].text, data);
		return out;
	}
	return "kill"; /* what the kernel makes of an action that it does not know */
}

static void put_rule(const struct pol *p, const struct pol_rule *r, struct buf *out)
{
	char yes[VERDICT_TEXT_MAX], no[VERDICT_TEXT_MAX];
	char nr[16] = "-";

	if (r->nr >= 0)
		(void)snprintf(nr, sizeof(nr), "%d", r->nr);
	buf_printf(out, "%4s  %-26s %s", nr, r->name, pol_verdict_text(r->verdict, yes));
	if (r->n_terms)
		buf_printf(out, " if %s, else %s", p->text + r->condition,
			   pol_verdict_text(r->otherwise, no));
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
	buf_printf(out, "   *  %-26s %s\n", "every other", pol_verdict_text(p->fallback, text));
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

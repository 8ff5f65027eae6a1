/*
 * Policy text → struct pol. The grammar is in docs/POLICY.md.
 *
 * One function per part of the grammar, each passing the words it has read. Nothing is kept of the text
 * but the conditions as they were written, for pol_explain().
 */
#include "policy/pol.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/lex.h"

struct parser {
	struct lex x;
	struct pol *p;
	struct pol_source *src;
	uint16_t file;
	bool has_statement; /* anything but includes was seen */
};

static const struct {
	const char *word;
	uint32_t verdict;
} verdicts[] = {
	{"allow", SECCOMP_RET_ALLOW        },
	{"deny",  SECCOMP_RET_ERRNO | EPERM},
	{"kill",  SECCOMP_RET_KILL_PROCESS },
	{"log",   SECCOMP_RET_LOG          },
};

/* The parts of statements. */

static int take_verdict(struct parser *ps, uint32_t *ret)
{
	const struct word *w;
	uint32_t code;
	int r = lex_take(&ps->x, "a verdict", &w);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (!str_is(w->s, verdicts[i].word))
			continue;
		*ret = verdicts[i].verdict;
		return 0;
	}
	if (!str_is(w->s, "errno"))
		return lex_fail(&ps->x, w->line, "'%s' is not allow, deny, errno, kill or log",
				w->s);
	r = lex_take(&ps->x, "the name of an errno", &w);
	if (r < 0)
		return r;
	if (!pol_errno_value(w->s, &code))
		return lex_fail(&ps->x, w->line, "unknown errno '%s'", w->s);
	*ret = SECCOMP_RET_ERRNO | code;
	return 0;
}

/* Decimal or 0x…, at most 32 bits. */
static bool number_value(const char *s, uint32_t *ret)
{
	bool is_hex = str_has_prefix(s, "0x");
	const char *digits = is_hex ? s + 2 : s;
	unsigned long long v;

	if (!*digits || strlen(digits) > 10 ||
	    digits[strspn(digits, is_hex ? "0123456789abcdefABCDEF" : "0123456789")])
		return false;
	v = strtoull(digits, NULL, is_hex ? 16 : 10);
	if (v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* NAME|NAME|0x10: constants and numbers, or'ed. */
static int take_value(struct parser *ps, uint32_t *ret)
{
	const struct word *w;
	char copy[POL_WORD_MAX + 1], *rest = copy;
	uint32_t sum = 0;
	int r = lex_take(&ps->x, "a value", &w);

	if (r < 0)
		return r;
	memcpy(copy, w->s, sizeof(copy));
	while (rest) {
		const char *part = strsep(&rest, "|");
		uint32_t v;

		if (!number_value(part, &v) && !pol_constant_value(part, &v))
			return lex_fail(&ps->x, w->line,
					"'%s' is neither a 32-bit number nor a known constant",
					part);
		sum |= v;
	}
	*ret = sum;
	return 0;
}

static int take_argument(struct parser *ps, uint8_t *ret)
{
	const struct word *w;
	int r = lex_take(&ps->x, "an argument (arg0 to arg5)", &w);

	if (r < 0)
		return r;
	if (!str_has_prefix(w->s, "arg") || w->s[3] < '0' || w->s[3] > '5' || w->s[4])
		return lex_fail(&ps->x, w->line, "'%s' is not an argument (arg0 to arg5)", w->s);
	*ret = (uint8_t)(w->s[3] - '0');
	return 0;
}

static bool at_list_end(const struct parser *ps)
{
	return !lex_peek(&ps->x) || lex_is(&ps->x, "and") || lex_is(&ps->x, "or") ||
	       lex_is(&ps->x, "else");
}

static int take_list(struct parser *ps, struct pol_term *t)
{
	unsigned line = ps->x.words[ps->x.pos - 1].line;

	t->op = POL_EQ;
	for (t->n_values = 0; !at_list_end(ps); t->n_values++) {
		int r;

		if (t->n_values == POL_VALUES_MAX)
			return lex_fail(&ps->x, line, "more than %d values in one list",
					POL_VALUES_MAX);
		r = take_value(ps, &t->values[t->n_values]);
		if (r < 0)
			return r;
	}
	return t->n_values ? 0 : lex_fail(&ps->x, line, "an empty list after 'in'");
}

static int take_comparison(struct parser *ps, struct pol_term *t)
{
	const struct word *w;
	enum pol_op op;
	int r = lex_take(&ps->x, "a comparison", &w);

	if (r < 0)
		return r;
	if (str_is(w->s, "in"))
		return take_list(ps, t);
	if (!pol_op_value(w->s, &op))
		return lex_fail(&ps->x, w->line, "'%s' is not in, ==, !=, <, <=, > or >=", w->s);
	t->op = (uint8_t)op;
	t->n_values = 1;
	return take_value(ps, &t->values[0]);
}

static int take_term(struct parser *ps, bool is_alternative)
{
	struct pol *p = ps->p;
	struct pol_term *t = &p->terms[p->n_terms];
	int r;

	if (p->n_terms == POL_TERMS_MAX)
		return lex_fail(&ps->x, ps->x.words[ps->x.pos - 1].line,
				"more than %d comparisons in all", POL_TERMS_MAX);
	*t = (struct pol_term){.is_alternative = is_alternative, .mask = UINT32_MAX};
	r = take_argument(ps, &t->arg);
	if (r == 0 && lex_skip(&ps->x, "&"))
		r = take_value(ps, &t->mask);
	if (r == 0)
		r = take_comparison(ps, t);
	if (r < 0)
		return r;
	p->n_terms++;
	return 0;
}

/* Keep the words from..to as one string. */
static int keep_condition(struct parser *ps, size_t from, size_t to, uint16_t *ret)
{
	struct pol *p = ps->p;
	size_t at = p->n_text;

	for (size_t i = from; i < to; i++) {
		size_t n = strlen(ps->x.words[i].s);

		if (at + n + 1 > sizeof(p->text))
			return lex_fail(&ps->x, ps->x.words[i].line,
					"more than %d bytes of conditions in all",
					POL_CONDITIONS_MAX);
		memcpy(p->text + at, ps->x.words[i].s, n);
		at += n;
		p->text[at++] = i + 1 < to ? ' ' : '\0';
	}
	*ret = p->n_text;
	p->n_text = (uint16_t)at;
	return 0;
}

static int take_condition(struct parser *ps, struct pol_rule *r)
{
	size_t from = ps->x.pos;
	int ret = take_term(ps, false);

	while (ret == 0 && !lex_is(&ps->x, "else") && lex_peek(&ps->x)) {
		bool is_alternative = lex_skip(&ps->x, "or");

		if (!is_alternative && !lex_skip(&ps->x, "and"))
			return lex_fail(&ps->x, lex_peek(&ps->x)->line,
					"'%s' is not and, or or else", lex_peek(&ps->x)->s);
		ret = take_term(ps, is_alternative);
	}
	return ret < 0 ? ret : keep_condition(ps, from, ps->x.pos, &r->condition);
}

static struct pol_rule *find_rule(struct pol *p, const char *name)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (str_is(p->rules[i].name, name))
			return &p->rules[i];
	return NULL;
}

static int add_rule(struct parser *ps, const struct word *w, const struct pol_rule *model)
{
	struct pol *p = ps->p;
	struct pol_rule *r = find_rule(p, w->s);
	int nr = pol_call_number(w->s);

	if (nr == -1 || strlen(w->s) > POL_NAME_MAX)
		return lex_fail(&ps->x, w->line, "unknown system call '%s'", w->s);
	if (r && r->file == ps->file)
		return lex_fail(&ps->x, w->line, "'%s' has a rule in this file already", w->s);
	if (!r && p->n_rules == POL_RULES_MAX)
		return lex_fail(&ps->x, w->line, "more than %d rules", POL_RULES_MAX);
	if (!r)
		r = &p->rules[p->n_rules++];
	*r = *model;
	r->nr = nr;
	r->file = ps->file;
	(void)str_copy(r->name, sizeof(r->name), w->s); /* the length was checked */
	return 0;
}

/* The statements. */

static int do_default(struct parser *ps)
{
	struct pol *p = ps->p;
	unsigned line = ps->x.words[0].line;
	uint32_t verdict;
	int r;

	ps->has_statement = true;
	r = take_verdict(ps, &verdict);
	if (r == 0)
		r = lex_end(&ps->x);
	if (r < 0)
		return r;
	if (p->has_fallback && p->fallback_file == ps->file)
		return lex_fail(&ps->x, line, "a second 'default' in this file");
	p->fallback = verdict;
	p->fallback_file = ps->file;
	p->has_fallback = true;
	return 0;
}

static int do_include(struct parser *ps)
{
	unsigned line = ps->x.words[0].line;
	const struct word *w;
	int r = lex_take(&ps->x, "a file name", &w);

	if (r == 0)
		r = lex_end(&ps->x);
	if (r < 0)
		return r;
	if (!ps->src)
		return lex_fail(&ps->x, line, "'include' needs a policy that comes from a file");
	if (ps->has_statement)
		return lex_fail(&ps->x, line, "'include' after the first rule");
	if (ps->p->n_files > POL_INCLUDES_MAX)
		return lex_fail(&ps->x, line, "more than %d included files", POL_INCLUDES_MAX);
	r = ps->src->include(ps->src, w->s, ps->p, ps->x.e);
	return r < 0 ? err_wrap(ps->x.e, "%s:%u: include", ps->x.name, line) : 0;
}

static int do_rule(struct parser *ps)
{
	struct pol_rule model = {.first_term = ps->p->n_terms};
	size_t first, last;
	int r;

	ps->has_statement = true;
	r = take_verdict(ps, &model.verdict);
	if (r < 0)
		return r;
	first = ps->x.pos;
	while (lex_peek(&ps->x) && !lex_is(&ps->x, "if"))
		ps->x.pos++;
	last = ps->x.pos;
	if (first == last)
		return lex_fail(&ps->x, ps->x.words[0].line, "no system call is named");
	if (lex_skip(&ps->x, "if")) {
		r = take_condition(ps, &model);
		model.n_terms = (uint16_t)(ps->p->n_terms - model.first_term);
		model.has_otherwise = r == 0 && lex_skip(&ps->x, "else");
		if (model.has_otherwise)
			r = take_verdict(ps, &model.otherwise);
	}
	if (r == 0)
		r = lex_end(&ps->x);
	for (size_t i = first; r == 0 && i < last; i++)
		r = add_rule(ps, &ps->x.words[i], &model);
	return r;
}

static int do_statement(struct parser *ps)
{
	if (lex_skip(&ps->x, "default"))
		return do_default(ps);
	if (lex_skip(&ps->x, "include"))
		return do_include(ps);
	return do_rule(ps);
}

int pol_add_text(struct pol *p, struct pol_source *src, const char *text, size_t n,
		 const char *name, struct err *e)
{
	_cleanup_free_ struct parser *ps = calloc(1, sizeof(*ps));
	int r;

	if (!ps)
		return err_set(e, ENOMEM, "%s: out of memory", name);
	if (n > POL_TEXT_MAX)
		return err_set(e, EFBIG, "%s: longer than %d bytes", name, POL_TEXT_MAX);
	ps->p = p;
	ps->src = src;
	ps->x.e = e;
	ps->x.name = name;
	ps->x.at = text;
	ps->x.end = text + n;
	ps->x.line = 1;
	ps->file = p->n_files++;
	for (;;) {
		r = lex_read(&ps->x);
		if (r < 0 || ps->x.n_words == 0)
			return r;
		r = do_statement(ps);
		if (r < 0)
			return r;
	}
}

int pol_finish(struct pol *p, const char *name, struct err *e)
{
	if (!p->has_fallback)
		return err_set(e, EINVAL, "%s: no 'default' line", name);
	for (size_t i = 0; i < p->n_rules; i++)
		if (!p->rules[i].has_otherwise)
			p->rules[i].otherwise = p->fallback;
	return 0;
}

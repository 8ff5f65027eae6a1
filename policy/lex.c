/* Policy text → statements of words: see policy/lex.h. */
#include "policy/lex.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

int lex_fail(struct lex *x, unsigned line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(x->e, EINVAL, "%s:%u: %s", x->name, line, text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int add_word(struct lex *x, const char *s, size_t n)
{
	struct word *w;

	if (x->n_words == POL_STATEMENT_MAX)
		return lex_fail(x, x->line, "more than %d words in one statement",
				POL_STATEMENT_MAX);
	if (n > POL_WORD_MAX)
		return lex_fail(x, x->line, "a word is longer than %d bytes", POL_WORD_MAX);
	for (size_t i = 0; i < n; i++)
		if (s[i] <= 0x20 || s[i] >= 0x7f)
			return lex_fail(x, x->line, "byte 0x%02x outside a comment",
					(unsigned char)s[i]);
	w = &x->words[x->n_words++];
	memcpy(w->s, s, n);
	w->s[n] = '\0';
	w->line = x->line;
	return 0;
}

static int add_line(struct lex *x, const char *s, const char *end)
{
	while (s < end) {
		const char *start = s;
		int r;

		while (s < end && !is_blank(*s))
			s++;
		if (s > start && (r = add_word(x, start, (size_t)(s - start))) < 0)
			return r;
		while (s < end && is_blank(*s))
			s++;
	}
	return 0;
}

/* Fill words with the next statement; none at the end of the text. */
int lex_read(struct lex *x)
{
	x->n_words = x->pos = 0;
	while (x->at < x->end) {
		size_t left = (size_t)(x->end - x->at);
		const char *newline = memchr(x->at, '\n', left);
		const char *eol = newline ? newline : x->end;
		const char *hash = memchr(x->at, '#', (size_t)(eol - x->at));
		const char *stop = hash ? hash : eol;
		size_t before = x->n_words;
		int r;

		if (eol - x->at > POL_LINE_MAX)
			return lex_fail(x, x->line, "line is longer than %d bytes", POL_LINE_MAX);
		if (before && stop > x->at && !is_blank(*x->at))
			return 0; /* the next statement: stays for the next call */
		r = add_line(x, x->at, stop);
		if (r < 0)
			return r;
		if (!before && x->n_words && is_blank(*x->at))
			return lex_fail(x, x->line,
					"an indented line, and nothing that it continues");
		x->at = newline ? newline + 1 : x->end;
		x->line++;
	}
	return 0;
}

const struct word *lex_peek(const struct lex *x)
{
	return x->pos < x->n_words ? &x->words[x->pos] : NULL;
}

bool lex_is(const struct lex *x, const char *s)
{
	const struct word *w = lex_peek(x);

	return w && str_is(w->s, s);
}

bool lex_skip(struct lex *x, const char *s)
{
	if (!lex_is(x, s))
		return false;
	x->pos++;
	return true;
}

int lex_take(struct lex *x, const char *what, const struct word **ret)
{
	const struct word *w = lex_peek(x);

	if (!w)
		return lex_fail(x, x->words[x->n_words - 1].line, "%s is missing at the end", what);
	x->pos++;
	*ret = w;
	return 0;
}

int lex_end(struct lex *x)
{
	const struct word *w = lex_peek(x);

	return w ? lex_fail(x, w->line, "unexpected '%s'", w->s) : 0;
}

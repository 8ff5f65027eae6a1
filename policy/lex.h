/*
 * The words of policy text, statement by statement.
 *
 * A statement is a line and the indented lines after it; '#' begins a comment. lex_read() makes the next
 * statement current, the others walk its words. All errors are "NAME:LINE: …" in *e.
 */
#ifndef POLICY_LEX_H
#define POLICY_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "policy/policy.h"

struct word {
	char s[POL_WORD_MAX + 1];
	unsigned line;
};

struct lex {
	struct err *e;
	const char *name;     /* of the text, for errors */
	const char *at, *end; /* what is left of the text; need not end in NUL */
	unsigned line;        /* of the byte at `at`; starts at 1 */
	size_t n_words, pos;  /* of the current statement; the word that comes next */
	struct word words[POL_STATEMENT_MAX];
};

/* Make the next statement current: n_words is 0 at the end of the text. */
int lex_read(struct lex *x);

/* The next word, or NULL at the end of the statement. */
const struct word *lex_peek(const struct lex *x);
bool lex_is(const struct lex *x, const char *s);

/* Pass the next word if it is s. */
bool lex_skip(struct lex *x, const char *s);

/* Pass the next word, whatever it is; what names it in the error when there is none. */
int lex_take(struct lex *x, const char *what, const struct word **ret);

/* An error unless the statement is used up. */
int lex_end(struct lex *x);

int lex_fail(struct lex *x, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

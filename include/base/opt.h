/*
 * Command lines from tables: one row gives an option's name, where its value goes and its help line, so
 * parsing, help, manual and completion cannot disagree.
 *
 *	static const struct opt opts[] = {
 *		{"memory", 0, OPT_NUMBER, offsetof(struct options, memory_mb), "MB", "memory limit"},
 *		{"format", 'f', OPT_CHOICE, offsetof(struct options, format), "table|json", "how to print"},
 *		{"criu", 0, OPT_REFUSED, 0, "PATH", "there is no checkpoint and restore"},
 *		{"NAME", 0, OPT_NAME, offsetof(struct options, name), NULL, NULL},
 *		{NULL},
 *	};
 *	opt_parse(opts, argc, argv, &options, &e);
 *
 * "--memory 128", "--memory=128", "-n 5", "-n5" and "-it" are understood, of flags "--all=true" and
 * "--all=false" too; "--" ends the options. Positional words fill the rows of OPT_NAME and OPT_MAYBE in the
 * order of the table. Where a table has an OPT_REST, options end at the first positional word, since what
 * follows may be another program's. Values point into argv.
 *
 * A row whose help is NULL is hidden: taken, for those who know another spelling, and shown nowhere.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define OPT_LIST_MAX 128

enum opt_type {
	OPT_NAME,   /* const char *: positional, required */
	OPT_MAYBE,  /* const char *: positional, may be left out */
	OPT_REST,   /* struct opt_rest: all words after the other positional ones; the last row */
	OPT_FLAG,   /* bool: no value */
	OPT_TEXT,   /* const char * */
	OPT_CHOICE, /* const char *: one of the words of the row's value, "a|b" */
	OPT_NUMBER, /* uint64_t, 1 or more: so 0 means "not given" */
	OPT_COUNT,  /* uint64_t, 0 or more */
	OPT_TIME,   /* uint64_t µs, from "24h", "90s" */
	OPT_LIST,   /* struct opt_list: may be given many times */
	OPT_REFUSED, /* an option of other programs of this kind that is not honoured: help says why */
	OPT_TYPES
};

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

struct opt_rest {
	char **words;
	int n;
};

struct opt {
	const char
		*name; /* "memory" for --memory, "NAME" of a positional one; NULL ends the table */
	char letter;   /* 'n' for -n; 0 = none */
	enum opt_type type;
	size_t offset;     /* of the value in the struct given to opt_parse() */
	const char *value; /* what help calls the value; of OPT_REFUSED NULL: it is a flag */
	const char *help;
};

/* Parse argv[0..argc) into *into, whose defaults stay where nothing is given. -EINVAL with a line. */
int opt_parse(const struct opt *opts, int argc, char **argv, void *into, struct err *e);

/*
 * The options before the first word that is none, which is a command: *ret_used words are consumed.
 * Positional rows have no meaning here.
 */
int opt_parse_head(const struct opt *opts, int argc, char **argv, void *into, int *ret_used,
		   struct err *e);

bool opt_is_positional(const struct opt *opt);
bool opt_takes_value(const struct opt *opt);

/* " ID [SIGNAL] [ARG...]": the positional rows, as a usage line has them. */
void opt_usage(const struct opt *opts, FILE *out);

/* The rows as help text, one line each, those that are refused behind the others. */
void opt_help(const struct opt *opts, FILE *out);

#endif

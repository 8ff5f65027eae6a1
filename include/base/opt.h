/*
 * Command lines from tables: one row gives an option's name, where its value goes and its help line, so
 * parsing and help cannot disagree.
 *
 *	static const struct opt opts[] = {
 *		{"memory", 0, OPT_NUMBER, offsetof(struct options, memory_mb), "MB", "memory limit"},
 *		{NULL},
 *	};
 *	opt_parse(opts, argc, argv, &options, &e);
 *
 * "--memory 128", "--memory=128", "-n 5" and "-n5" are understood; "--" ends the options. A row of type
 * OPT_NAME is a positional argument, required, in the order of the rows. Values point into argv.
 */
#ifndef BASE_OPT_H
#define BASE_OPT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define OPT_LIST_MAX 128

enum opt_type {
	OPT_NAME,   /* const char *: positional */
	OPT_FLAG,   /* bool: no value */
	OPT_TEXT,   /* const char * */
	OPT_NUMBER, /* uint64_t, 1 or more: so 0 means "not given" */
	OPT_TIME,   /* uint64_t µs, from "24h", "90s" */
	OPT_LIST,   /* struct opt_list: may be given many times */
	OPT_TYPES
};

struct opt_list {
	const char *items[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	const char *name; /* "memory" for --memory, "NAME" for OPT_NAME; NULL ends the table */
	char letter;	  /* 'n' for -n; 0 = none */
	enum opt_type type;
	size_t offset;	   /* of the value in the struct given to opt_parse() */
	const char *value; /* what help calls the value */
	const char *help;
};

/* Parse argv[0..argc) into *into, whose defaults stay where nothing is given. -EINVAL with a line. */
int opt_parse(const struct opt *opts, int argc, char **argv, void *into, struct err *e);

/*
 * The options before the first word that is none, which is a command: *ret_used words are consumed. Rows of
 * type OPT_NAME have no meaning here.
 */
int opt_parse_head(const struct opt *opts, int argc, char **argv, void *into, int *ret_used,
		   struct err *e);

/* The rows as help text, one line each. */
void opt_help(const struct opt *opts, FILE *out);

#endif

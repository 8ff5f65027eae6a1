/* Command lines from tables: see include/base/opt.h. */
#include "base/opt.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

/* What remains to be parsed. */
struct cursor {
	char **argv;
	int argc;
	int at;
};

static int set_flag(void *at, const char *what, const char *text, struct err *e)
{
	(void)what;
	(void)text;
	(void)e;
	*(bool *)at = true;
	return 0;
}

static int set_text(void *at, const char *what, const char *text, struct err *e)
{
	(void)what;
	(void)e;
	*(const char **)at = text;
	return 0;
}

static int set_number(void *at, const char *what, const char *text, struct err *e)
{
	return str_to_u64(text, 1, INT32_MAX, what, at, e);
}

static int set_time(void *at, const char *what, const char *text, struct err *e)
{
	return str_to_us(text, what, at, e);
}

static int set_list(void *at, const char *what, const char *text, struct err *e)
{
	struct opt_list *list = at;

	if (list->n == OPT_LIST_MAX)
		return err_set(e, EINVAL, "%s: more than %d", what, OPT_LIST_MAX);
	list->items[list->n++] = text;
	return 0;
}

static const struct {
	bool takes_value;
	int (*set)(void *at, const char *what, const char *text, struct err *e);
} types[OPT_TYPES] = {
	[OPT_NAME] = {false, set_text  },
		[OPT_FLAG] = {false, set_flag  },
	[OPT_TEXT] = {true,  set_text  },
		[OPT_NUMBER] = {true,  set_number},
	[OPT_TIME] = {true,  set_time  },
		[OPT_LIST] = {true,  set_list  },
};

static int set(const struct opt *opt, void *into, const char *text, struct err *e)
{
	char what[64];

	snprintf(what, sizeof(what), "%s%s", opt->type == OPT_NAME ? "" : "--", opt->name);
	return types[opt->type].set((char *)into + opt->offset, what, text, e);
}

/* The row for "--name", "--name=value", "-n" or "-nvalue"; *ret_value as far as it is in the word. */
static const struct opt *find(const struct opt *opts, const char *word, const char **ret_value)
{
	bool is_long = word[1] == '-';
	size_t n = is_long ? strcspn(word + 2, "=") : 1;

	for (; opts->name; opts++) {
		if (opts->type == OPT_NAME)
			continue;
		if (is_long ? strlen(opts->name) == n && strncmp(opts->name, word + 2, n) == 0
			    : opts->letter == word[1])
			break;
	}
	if (is_long)
		*ret_value = word[2 + n] == '=' ? word + 2 + n + 1 : NULL;
	else
		*ret_value = word[2] ? word + 2 : NULL;
	return opts->name ? opts : NULL;
}

static int parse_option(const struct opt *opts, struct cursor *c, void *into, struct err *e)
{
	const char *word = c->argv[c->at++], *value;
	const struct opt *opt = find(opts, word, &value);

	if (!opt)
		return err_set(e, EINVAL, "unknown option '%s'", word);
	if (!types[opt->type].takes_value && value)
		return err_set(e, EINVAL, "--%s takes no value", opt->name);
	if (types[opt->type].takes_value && !value) {
		if (c->at == c->argc)
			return err_set(e, EINVAL, "--%s needs a value: %s", opt->name, opt->value);
		value = c->argv[c->at++];
	}
	return set(opt, into, value, e);
}

/* The next positional row after *opt; the first one when *opt is before the table's rows. */
static const struct opt *next_name(const struct opt *opt)
{
	while (opt->name && opt->type != OPT_NAME)
		opt++;
	return opt;
}

int opt_parse(const struct opt *opts, int argc, char **argv, void *into, struct err *e)
{
	const struct opt *name = next_name(opts);
	struct cursor c = {.argv = argv, .argc = argc};
	bool has_options = true;
	int r = 0;

	while (r == 0 && c.at < argc) {
		const char *word = argv[c.at];

		if (has_options && str_is(word, "--")) {
			has_options = false;
			c.at++;
		} else if (has_options && word[0] == '-' && word[1]) {
			r = parse_option(opts, &c, into, e);
		} else if (!name->name) {
			return err_set(e, EINVAL, "unexpected argument '%s'", word);
		} else {
			r = set(name, into, word, e);
			name = next_name(name + 1);
			c.at++;
		}
	}
	if (r == 0 && name->name)
		return err_set(e, EINVAL, "%s is missing", name->name);
	return r;
}

int opt_parse_head(const struct opt *opts, int argc, char **argv, void *into, int *ret_used,
		   struct err *e)
{
	struct cursor c = {.argv = argv, .argc = argc};
	int r = 0;

	while (r == 0 && c.at < argc && argv[c.at][0] == '-' && argv[c.at][1])
		r = parse_option(opts, &c, into, e);
	if (r == 0)
		*ret_used = c.at;
	return r;
}

void opt_help(const struct opt *opts, FILE *out)
{
	for (; opts->name; opts++) {
		char left[64], letter[8] = "    ";

		if (opts->type == OPT_NAME)
			continue;
		if (opts->letter)
			snprintf(letter, sizeof(letter), "-%c, ", opts->letter);
		snprintf(left, sizeof(left), "%s--%s %s", letter, opts->name,
			 opts->value ? opts->value : "");
		fprintf(out, "  %-28s %s\n", left, opts->help);
	}
}

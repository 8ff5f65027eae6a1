/* Command lines from tables: see include/base/opt.h. */
#include "base/opt.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define HELP_COLUMN 28

/* What remains to be parsed. */
struct cursor {
	char **argv;
	int argc;
	int at;
};

static int set_flag(void *at, const struct opt *opt, const char *text, struct err *e)
{
	if (text && !str_is(text, "true") && !str_is(text, "false"))
		return err_set(e, EINVAL, "--%s takes no value but true and false", opt->name);
	*(bool *)at = !text || str_is(text, "true");
	return 0;
}

static int set_text(void *at, const struct opt *opt, const char *text, struct err *e)
{
	(void)opt;
	(void)e;
	*(const char **)at = text;
	return 0;
}

static int set_choice(void *at, const struct opt *opt, const char *text, struct err *e)
{
	size_t n = strlen(text);

	for (const char *word = opt->value; word; word = strchr(word, '|')) {
		word += *word == '|';
		if (strcspn(word, "|") == n && strncmp(word, text, n) == 0)
			return set_text(at, opt, text, e);
	}
	return err_set(e, EINVAL, "--%s '%s': not one of %s", opt->name, text, opt->value);
}

static int number(void *at, const struct opt *opt, const char *text, uint64_t min, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "--%s", opt->name);
	return str_to_u64(text, min, INT32_MAX, what, at, e);
}

static int set_number(void *at, const struct opt *opt, const char *text, struct err *e)
{
	return number(at, opt, text, 1, e);
}

static int set_count(void *at, const struct opt *opt, const char *text, struct err *e)
{
	return number(at, opt, text, 0, e);
}

static int set_time(void *at, const struct opt *opt, const char *text, struct err *e)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "--%s", opt->name);
	return str_to_us(text, what, at, e);
}

static int set_list(void *at, const struct opt *opt, const char *text, struct err *e)
{
	struct opt_list *list = at;

	if (list->n == OPT_LIST_MAX)
		return err_set(e, EINVAL, "--%s: more than %d", opt->name, OPT_LIST_MAX);
	list->items[list->n++] = text;
	return 0;
}

static int refuse(void *at, const struct opt *opt, const char *text, struct err *e)
{
	(void)at;
	if (!opt->value && text && str_is(text, "false"))
		return 0; /* asks for nothing */
	return err_set(e, EINVAL, "--%s is not supported: %s", opt->name, opt->help);
}

/* The rows of the table of types: positional words are set as text, OPT_REST by opt_parse() itself. */
static const struct {
	bool is_positional, takes_value;
	int (*set)(void *at, const struct opt *opt, const char *text, struct err *e);
} types[OPT_TYPES] = {
	[OPT_NAME] = {.is_positional = true, .set = set_text},
	[OPT_MAYBE] = {.is_positional = true,                     .set = set_text},
	[OPT_REST] = {.is_positional = true},
	[OPT_FLAG] = {.set = set_flag},
	[OPT_TEXT] = {.takes_value = true,       .set = set_text},
	[OPT_CHOICE] = {.takes_value = true,   .set = set_choice},
	[OPT_NUMBER] = {.takes_value = true,                     .set = set_number},
	[OPT_COUNT] = {.takes_value = true,  .set = set_count},
	[OPT_TIME] = {.takes_value = true,   .set = set_time},
	[OPT_LIST] = {.takes_value = true,                     .set = set_list},
	[OPT_REFUSED] = {.set = refuse   },
};

bool opt_is_positional(const struct opt *opt)
{
	return types[opt->type].is_positional;
}

bool opt_takes_value(const struct opt *opt)
{
	return types[opt->type].takes_value || (opt->type == OPT_REFUSED && opt->value);
}

static int set(const struct opt *opt, void *into, const char *text, struct err *e)
{
	return types[opt->type].set((char *)into + opt->offset, opt, text, e);
}

/* ---- options ---- */

static const struct opt *find_long(const struct opt *opts, const char *name, size_t n)
{
	for (; opts->name; opts++)
		if (!opt_is_positional(opts) && strlen(opts->name) == n &&
		    strncmp(opts->name, name, n) == 0)
			return opts;
	return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
	for (; opts->name; opts++)
		if (!opt_is_positional(opts) && opts->letter == letter)
			return opts;
	return NULL;
}

/* The value is in the word, after "=" or a letter, or it is the next word. */
static int set_with_value(const struct opt *opt, const char *value, struct cursor *c, void *into,
			  struct err *e)
{
	if (!value && opt_takes_value(opt)) {
		if (c->at == c->argc)
			return err_set(e, EINVAL, "--%s needs a value: %s", opt->name, opt->value);
		value = c->argv[c->at++];
	}
	return set(opt, into, value, e);
}

static int parse_long(const struct opt *opts, const char *word, struct cursor *c, void *into,
		      struct err *e)
{
	size_t n = strcspn(word + 2, "=");
	const struct opt *opt = find_long(opts, word + 2, n);

	if (!opt)
		return err_set(e, EINVAL, "unknown option '%s'", word);
	return set_with_value(opt, word[2 + n] ? word + 2 + n + 1 : NULL, c, into, e);
}

/* "-it", "-n5": flags up to a letter that takes the rest for its value. */
static int parse_letters(const struct opt *opts, const char *word, struct cursor *c, void *into,
			 struct err *e)
{
	int r = 0;

	for (const char *at = word + 1; r == 0 && *at; at++) {
		const struct opt *opt = find_letter(opts, *at);

		if (!opt)
			return err_set(e, EINVAL, "unknown option '-%c' in '%s'", *at, word);
		if (opt_takes_value(opt))
			return set_with_value(opt, at[1] ? at + 1 : NULL, c, into, e);
		r = set(opt, into, NULL, e);
	}
	return r;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

static int parse_option(const struct opt *opts, struct cursor *c, void *into, struct err *e)
{
	const char *word = c->argv[c->at++];

	return word[1] == '-' ? parse_long(opts, word, c, into, e)
			      : parse_letters(opts, word, c, into, e);
}

/* ---- whole command lines ---- */

/* This positional row, or the next one. */
static const struct opt *to_positional(const struct opt *opt)
{
	while (opt->name && !opt_is_positional(opt))
		opt++;
	return opt;
}

static bool has_rest(const struct opt *opts)
{
	while (opts->name && opts->type != OPT_REST)
		opts++;
	return opts->name != NULL;
}

/* The next word for *name, or all that are left. */
static int parse_positional(const struct opt **name, struct cursor *c, void *into, struct err *e)
{
	const struct opt *opt = *name;

	if (!opt->name)
		return err_set(e, EINVAL, "unexpected argument '%s'", c->argv[c->at]);
	if (opt->type == OPT_REST) {
		struct opt_rest *rest = (void *)((char *)into + opt->offset);

		*rest = (struct opt_rest){.words = c->argv + c->at, .n = c->argc - c->at};
		c->at = c->argc;
		return 0;
	}
	*name = to_positional(opt + 1);
	return set(opt, into, c->argv[c->at++], e);
}

int opt_parse(const struct opt *opts, int argc, char **argv, void *into, struct err *e)
{
	const struct opt *name = to_positional(opts);
	struct cursor c = {.argv = argv, .argc = argc};
	bool takes_options = true, stays_so = !has_rest(opts);
	int r = 0;

	while (r == 0 && c.at < argc) {
		if (takes_options && str_is(argv[c.at], "--")) {
			takes_options = false;
			c.at++;
		} else if (takes_options && is_option(argv[c.at])) {
			r = parse_option(opts, &c, into, e);
		} else {
			takes_options = takes_options && stays_so;
			r = parse_positional(&name, &c, into, e);
		}
	}
	if (r == 0 && name->name && name->type == OPT_NAME)
		return err_set(e, EINVAL, "%s is missing", name->name);
	return r;
}

int opt_parse_head(const struct opt *opts, int argc, char **argv, void *into, int *ret_used,
		   struct err *e)
{
	struct cursor c = {.argv = argv, .argc = argc};
	int r = 0;

	while (r == 0 && c.at < argc && is_option(argv[c.at]))
		r = parse_option(opts, &c, into, e);
	if (r == 0)
		*ret_used = c.at;
	return r;
}

/* ---- help ---- */

void opt_usage(const struct opt *opts, FILE *out)
{
	static const struct {
		const char *before, *after;
	} forms[OPT_TYPES] = {
		[OPT_NAME] = {"",  ""    },
		[OPT_MAYBE] = {"[", "]"   },
		[OPT_REST] = {"[", "...]"},
	};

	for (; opts->name; opts++)
		if (opt_is_positional(opts))
			fprintf(out, " %s%s%s", forms[opts->type].before, opts->name,
				forms[opts->type].after);
}

/* What is too long for its column has its text below. */
static void help_line(const struct opt *opt, FILE *out)
{
	char left[96], letter[8] = "    ";

	if (opt->letter)
		(void)snprintf(letter, sizeof(letter), "-%c, ", opt->letter);
	(void)snprintf(left, sizeof(left), "%s--%s %s", letter, opt->name, opt->value ?: "");
	if (strlen(left) > HELP_COLUMN)
		fprintf(out, "  %s\n  %-*s %s\n", left, HELP_COLUMN, "", opt->help);
	else
		fprintf(out, "  %-*s %s\n", HELP_COLUMN, left, opt->help);
}

void opt_help(const struct opt *opts, FILE *out)
{
	const char *heading = "\nknown, but refused:\n";

	for (const struct opt *opt = opts; opt->name; opt++)
		if (!opt_is_positional(opt) && opt->type != OPT_REFUSED && opt->help)
			help_line(opt, out);
	for (const struct opt *opt = opts; opt->name; opt++) {
		if (opt->type != OPT_REFUSED)
			continue;
		fputs(heading, out);
		heading = "";
		help_line(opt, out);
	}
}

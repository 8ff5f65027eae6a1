/* The tables of commands as text for people: usage, --help, and the part of the manual about options. */
#include <errno.h>

#include "base/str.h"
#include "sandbox/cli/cli.h"

const struct opt help_opts[] = {
	{"COMMAND", 0, OPT_MAYBE, offsetof(struct cli, topic),       NULL, NULL},
	{"scdoc",   0, OPT_FLAG,  offsetof(struct cli, wants_scdoc), NULL, NULL},
	OPT_ROW_END,
};

int cli_no_topic(const char *word, struct err *e)
{
	return err_set(e, EINVAL, "unknown command '%s': No help topic for '%s'; see --help", word,
		       word);
}

void cli_print_usage(FILE *out)
{
	fputs("usage: sandbox [OPTION...] COMMAND ...\n\n", out);
	for (const struct command *c = cli_commands; c->name; c++)
		fprintf(out, "  %-11s %s\n", c->name, c->help);
	fputs("\n", out);
	opt_help(cli_global_opts, out);
	fputs("\n'sandbox help COMMAND' tells a command's options.\n", out);
}

/* The marks of the manual, *bold* and _underlined_, are nothing on a terminal. */
static void print_plain(const char *text, FILE *out)
{
	for (; *text; text++)
		if (*text != '*')
			fputc(*text, out);
}

void cli_print_help(const struct command *c, FILE *out)
{
	fprintf(out, "usage: sandbox %s [OPTION...]", c->name);
	opt_usage(c->opts, out);
	fprintf(out, "\n\n%s\n", c->help);
	if (c->about) {
		fputs("\n", out);
		print_plain(c->about, out);
		fputs("\n", out);
	}
	fputs("\n", out);
	opt_help(cli_common_opts, out);
	opt_help(c->opts, out);
}

/* ---- the manual ---- */

/* Text of the tables for scdoc: "_" in a word, as in a path, would begin an underline. */
static void print_scdoc(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '_')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void manual_option(const struct opt *opt, FILE *out)
{
	if (opt->letter)
		fprintf(out, "*-%c*, ", opt->letter);
	fprintf(out, "*--%s*", opt->name);
	if (opt->value)
		fprintf(out, " _%s_", opt->value);
	fputs("\n\t", out);
	if (opt->type == OPT_REFUSED)
		fputs("Refused: ", out);
	print_scdoc(opt->help, out);
	fputs(".\n\n", out);
}

static void manual_options(const struct opt *opts, FILE *out)
{
	for (; opts->name; opts++)
		if (!opt_is_positional(opts) && opts->help)
			manual_option(opts, out);
}

static void manual_command(const struct command *c, FILE *out)
{
	fprintf(out, "## %s", c->name);
	opt_usage(c->opts, out);
	fputs("\n\n", out);
	print_scdoc(c->help, out);
	fputs(".\n\n", out);
	if (c->about) {
		print_scdoc(c->about, out);
		fputs("\n\n", out);
	}
	manual_options(c->opts, out);
}

static void print_manual(FILE *out)
{
	fputs("# OPTIONS\n\n", out);
	manual_options(cli_global_opts, out);
	fputs("# COMMANDS\n\n", out);
	for (const struct command *c = cli_commands; c->name; c++)
		manual_command(c, out);
}

int cmd_help(struct cli *c, struct err *e)
{
	const struct command *topic = c->topic ? cli_find(c->topic) : NULL;

	if (c->topic && !topic)
		return cli_no_topic(c->topic, e);
	if (c->wants_scdoc)
		print_manual(stdout);
	else if (topic)
		cli_print_help(topic, stdout);
	else
		cli_print_usage(stdout);
	return 0;
}

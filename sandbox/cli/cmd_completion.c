/*
 * sandbox completion: a script for bash, from the tables of commands. It has three lists as shell functions
 * (commands; the options of each; how the value of each option is completed) and one function that uses them.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/cli.h"

const struct opt completion_opts[] = {
	{"SHELL", 0, OPT_NAME, offsetof(struct cli, topic), NULL, NULL},
	OPT_ROW_END,
};

/* What stands behind the lists. IDs are those of the --root that is typed. */
static const char function[] =
	"_sandbox()\n"
	"{\n"
	"	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"	local command= root=() how= i\n"
	"	for ((i = 1; i < COMP_CWORD; i++)); do\n"
	"		case ${COMP_WORDS[i]} in\n"
	"		--root) root=(--root \"${COMP_WORDS[i+1]}\"); ((i++)) ;;\n"
	"		-*) [[ -z $(_sandbox_value '' \"${COMP_WORDS[i]}\") ]] || ((i++)) ;;\n"
	"		*) command=${COMP_WORDS[i]}; break ;;\n"
	"		esac\n"
	"	done\n"
	"	how=$(_sandbox_value \"$command\" \"$prev\")\n"
	"	if [[ -n $how ]]; then\n"
	"		:\n"
	"	elif [[ $cur == -* ]]; then\n"
	"		how=\"-W '$(_sandbox_options \"$command\")'\"\n"
	"	elif [[ -z $command || $command == help ]]; then\n"
	"		how=\"-W '$_sandbox_commands'\"\n"
	"	else\n"
	"		how=$(_sandbox_words \"$command\")\n"
	"	fi\n"
	"	if [[ $how == ids ]]; then\n"
	"		how=\"-W '$(\"${COMP_WORDS[0]}\" \"${root[@]}\" list -q 2>/dev/null | "
	"tr '\\n' ' ')'\"\n"
	"	fi\n"
	"	mapfile -t COMPREPLY < <(eval \"compgen $how -- \\\"\\$cur\\\"\")\n"
	"}\n"
	"complete -F _sandbox sandbox\n";

/* A value, or a positional word, by its name in the tables: how compgen completes it. */
/* clang-format off */
static const struct {
	const char *name, *how;
} values[] = {
	{"DIR",    "-d"     },
	{"FILE",   "-f"     },
	{"SOCKET", "-f"     },
	{"ID",     "ids"    },
	{"SHELL",  "-W bash"},
};
/* clang-format on */

static void print_how(const char *value, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (str_is(values[i].name, value)) {
			fprintf(out, "echo '%s'", values[i].how);
			return;
		}
	fputs("echo \"-W ''\"", out); /* something we cannot know */
}

/* "text|json" are words to choose from. */
static void print_choice(const char *value, FILE *out)
{
	fputs("echo \"-W '", out);
	for (; *value; value++)
		fputc(*value == '|' ? ' ' : *value, out);
	fputs("'\"", out);
}

static bool is_shown(const struct opt *opt)
{
	return !opt_is_positional(opt) && opt->help && opt->type != OPT_REFUSED;
}

static void print_values(const char *command, const struct opt *opts, FILE *out)
{
	for (; opts->name; opts++) {
		if (!is_shown(opts) || !opt_takes_value(opts))
			continue;
		fprintf(out, "\t'%s --%s'", command, opts->name);
		if (opts->letter)
			fprintf(out, "|'%s -%c'", command, opts->letter);
		fputs(") ", out);
		if (opts->type == OPT_CHOICE)
			print_choice(opts->value, out);
		else
			print_how(opts->value, out);
		fputs(" ;;\n", out);
	}
}

static void print_options(const char *command, const struct opt *opts, FILE *out)
{
	fprintf(out, "\t'%s') echo '--help", command);
	for (; opts->name; opts++)
		if (is_shown(opts) && !str_is(opts->name, "help"))
			fprintf(out, " --%s", opts->name);
	fputs("' ;;\n", out);
}

/* The first positional word of a command is the one worth knowing. */
static void print_words(const char *command, const struct opt *opts, FILE *out)
{
	while (opts->name && !opt_is_positional(opts))
		opts++;
	if (!opts->name)
		return;
	fprintf(out, "\t'%s') ", command);
	print_how(opts->name, out);
	fputs(" ;;\n", out);
}

/* A shell function with one case for each row that print makes lines of. */
static void print_function(const char *name, const char *subject, FILE *out,
			   void (*print)(const char *command, const struct opt *opts, FILE *out))
{
	fprintf(out, "%s()\n{\n\tcase %s in\n", name, subject);
	print("", cli_global_opts, out);
	for (const struct command *c = cli_commands; c->name; c++)
		print(c->name, c->opts, out);
	fputs("\tesac\n}\n", out);
}

int cmd_completion(struct cli *c, struct err *e)
{
	if (!str_is(c->topic, "bash"))
		return err_set(e, EINVAL, "'%s': only bash is known", c->topic);
	puts("# Completion of sandbox's command line: made from its tables by `sandbox completion "
	     "bash`.");
	fputs("_sandbox_commands='", stdout);
	for (const struct command *row = cli_commands; row->name; row++)
		printf("%s%s", row == cli_commands ? "" : " ", row->name);
	puts("'");
	print_function("_sandbox_options", "$1", stdout, print_options);
	print_function("_sandbox_value", "\"$1 $2\"", stdout, print_values);
	print_function("_sandbox_words", "$1", stdout, print_words);
	fputs(function, stdout);
	return 0;
}

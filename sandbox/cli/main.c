/*
 * sandbox: an OCI container runtime. Exit status: that of the command, 1 failed (one line on stderr), 2 wrong
 * usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "sandbox/cli/cli.h"

/* opts NULL: the command parses its own words. */
static const struct command {
	const char *name, *args, *help;
	const struct opt *opts;
	cli_command *run;
} commands[] = {
	{"run",				  "[--bundle DIR] ID", "start a bundle and wait for its end", run_opts, cmd_run},
	{"spec", "", "print a config.json to begin with", spec_opts, cmd_spec},
	{"policy",			       "check|explain FILE [SYSCALL...]", "check or show a policy", NULL, cmd_policy},
	{.name = NULL				},
};

static const struct opt global_opts[] = {
	{"root",		 0,   OPT_TEXT, offsetof(struct cli, root),		  "DIR",	 "state; default " CLI_ROOT},
	{"log",		0,   OPT_TEXT, offsetof(struct cli, log),		"FILE",	"errors go here too"	    },
	{"log-format",     0,	  OPT_TEXT, offsetof(struct cli, log_format),     "FORMAT", "text or json"	      },
	{"debug",	  0,   OPT_FLAG, offsetof(struct cli, is_debug),       NULL,     "say more"		       },
	{"systemd-cgroup", 0,   OPT_FLAG, offsetof(struct cli, systemd_cgroup), NULL,	    "refused"		     },
	{"version",	    'v', OPT_FLAG, offsetof(struct cli, wants_version),	NULL,     "print the version"	 },
	{"help",		 'h', OPT_FLAG, offsetof(struct cli, wants_help),	  NULL,	"this help"		   },
	OPT_ROW_END,
};

static const struct opt help_opts[] = {
	{"help", 'h', OPT_FLAG, offsetof(struct cli, wants_help), NULL, "this help"},
	OPT_ROW_END,
};

static void print_usage(FILE *out)
{
	fputs("usage: sandbox [OPTION...] COMMAND ...\n\n", out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-7s %-33s %s\n", c->name, c->args, c->help);
	fputs("\n", out);
	opt_help(global_opts, out);
	fputs("\n'sandbox COMMAND --help' tells a command's options.\n", out);
}

static void print_help(const struct command *c)
{
	printf("usage: sandbox %s %s\n\n%s\n\n", c->name, c->args, c->help);
	if (c->opts)
		opt_help(c->opts, stdout);
	opt_help(help_opts, stdout);
}

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (c->name && !str_is(c->name, name))
		c++;
	return c->name ? c : NULL;
}

static bool asks_help(int argc, char **argv)
{
	for (int i = 0; i < argc && !str_is(argv[i], "--"); i++)
		if (str_is(argv[i], "--help") || str_is(argv[i], "-h"))
			return true;
	return false;
}

static int check_global(const struct cli *c, struct err *e)
{
	if (c->systemd_cgroup)
		return err_set(e, EINVAL,
			       "--systemd-cgroup is not supported: start sandbox in a delegated "
			       "group instead (systemd: Delegate=yes)");
	if (!str_is(c->log_format, "text") && !str_is(c->log_format, "json"))
		return err_set(e, EINVAL, "--log-format '%s': neither text nor json",
			       c->log_format);
	return 0;
}

/* A descriptor of ours must never become the container's stdin, stdout or stderr. */
static int open_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int fail(const struct cli *c, const struct err *e, int status)
{
	cli_report(c, e);
	return status;
}

static int run(const struct command *command, struct cli *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r = 0;

	c->command = command->name;
	c->argc = argc;
	c->argv = argv;
	if (asks_help(argc, argv)) {
		print_help(command);
		return EXIT_SUCCESS;
	}
	if (command->opts && opt_parse(command->opts, argc, argv, c, &e) < 0)
		return fail(c, &e, CLI_USAGE);
	r = command->run(c, &e);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&e, EIO, "the output could not be written whole");
	return r < 0 ? fail(c, &e, CLI_FAILED) : r;
}

int main(int argc, char **argv)
{
	struct cli c = {.root = CLI_ROOT, .log_format = "text", .bundle = "."};
	const struct command *command;
	struct err e = ERR_INIT;
	int used = 0;

	if (open_stdio() < 0)
		return CLI_FAILED;
	if (opt_parse_head(global_opts, argc - 1, argv + 1, &c, &used, &e) < 0 ||
	    (!c.wants_help && !c.wants_version && check_global(&c, &e) < 0))
		return fail(&c, &e, CLI_USAGE);
	argc -= used + 1;
	argv += used + 1;
	if (c.wants_version) {
		puts("sandbox " CLI_VERSION "\nspec: " CLI_OCI_SPEC);
		return EXIT_SUCCESS;
	}
	if (c.wants_help || argc == 0) {
		print_usage(c.wants_help ? stdout : stderr);
		return c.wants_help ? EXIT_SUCCESS : CLI_USAGE;
	}
	command = find(argv[0]);
	if (!command) {
		err_set(&e, EINVAL, "unknown command '%s'; see --help", argv[0]);
		return fail(&c, &e, CLI_USAGE);
	}
	return run(command, &c, argc - 1, argv + 1);
}

/*
 * sandbox: an OCI container runtime. Exit status: that of the command, 1 failed (one line on stderr), 2 wrong
 * usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/cli/cli.h"
#include "sandbox/userns.h"

#define ROWS_MAX       64
#define ROOT_BYTES_MAX 1024

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

/* As podman and others look for it: "sandbox version 0.1.0" first. */
static void print_version(void)
{
	char seccomp[32];

	pol_library_version(seccomp, sizeof(seccomp));
	printf("sandbox version " CLI_VERSION "\nspec: " CLI_OCI_SPEC "\nlibseccomp: %s\n",
	       seccomp);
}

/* An ordinary user's state is where he may write, and nobody else. */
static int choose_root(struct cli *c, char path[ROOT_BYTES_MAX], struct err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	int n;

	c->is_rootless =
		str_is(c->rootless, "auto") ? !userns_is_host_root() : str_is(c->rootless, "true");
	if (c->root)
		return 0;
	c->root = c->is_rootless && geteuid() != 0 ? CLI_NO_ROOT : CLI_ROOT;
	if (!c->is_rootless || !run || !*run)
		return 0;
	n = snprintf(path, ROOT_BYTES_MAX, "%s/sandbox", run);
	if (n < 0 || n >= ROOT_BYTES_MAX)
		return err_set(e, ENAMETOOLONG, "XDG_RUNTIME_DIR: longer than %d bytes",
			       ROOT_BYTES_MAX);
	c->root = path;
	return 0;
}

/* The command's rows and those of all commands, in one table. */
static int parse(const struct command *command, int argc, char **argv, struct cli *c, struct err *e)
{
	struct opt rows[ROWS_MAX];
	size_t n = 0;

	for (const struct opt *opt = cli_common_opts; opt->name; opt++)
		rows[n++] = *opt;
	for (const struct opt *opt = command->opts; opt->name && n < ROWS_MAX - 1; opt++)
		rows[n++] = *opt;
	rows[n] = (struct opt)OPT_ROW_END;
	return opt_parse(rows, argc, argv, c, e);
}

static int run(const struct command *command, struct cli *c, int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r = parse(command, argc, argv, c, &e);

	c->command = command->name;
	if (c->wants_help) {
		cli_print_help(command, stdout);
		return EXIT_SUCCESS;
	}
	if (r < 0)
		return fail(c, &e, CLI_USAGE);
	r = command->run(c, &e);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = err_set(&e, EIO, "the output could not be written whole");
	return r < 0 ? fail(c, &e, CLI_FAILED) : r;
}

int main(int argc, char **argv)
{
	struct cli c = CLI_INIT;
	char root[ROOT_BYTES_MAX];
	const struct command *command;
	struct err e = ERR_INIT;
	int used = 0, r;

	c.words = argv;
	/* Ignored by a careless caller, wait(2) would tell of no child: a hook that failed would be one that did not. */
	(void)signal(SIGCHLD, SIG_DFL); /* cannot fail for this one */
	if (open_stdio() < 0)
		return CLI_FAILED;
	r = opt_parse_head(cli_global_opts, argc - 1, argv + 1, &c, &used, &e);
	argc -= used + 1;
	argv += used + 1;
	if (r == 0 && c.wants_version) {
		print_version();
		return EXIT_SUCCESS;
	}
	if (r == 0 && (c.wants_help || argc == 0)) {
		cli_print_usage(c.wants_help ? stdout : stderr);
		return c.wants_help ? EXIT_SUCCESS : CLI_USAGE;
	}
	if (r == 0)
		r = cli_check_global(&c, &e);
	if (r == 0)
		r = choose_root(&c, root, &e);
	if (r < 0)
		return fail(&c, &e, CLI_USAGE);
	if (cli_check_log(&c, &e) < 0)
		return fail(&c, &e, CLI_FAILED);
	command = cli_find(argv[0]);
	if (!command) {
		cli_no_topic(argv[0], &e);
		return fail(&c, &e, CLI_USAGE);
	}
	return run(command, &c, argc - 1, argv + 1);
}

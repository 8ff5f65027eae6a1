/*
 * The commands of `sandbox`. main.c looks the command's word up in its table, parses what follows by the
 * row's options into struct cli, and calls the row's function.
 *
 * A command returns the exit status, or a negative error, which main.c reports: one line, "sandbox run:
 * step: object: errno".
 */
#ifndef SANDBOX_CLI_CLI_H
#define SANDBOX_CLI_CLI_H

#include <stdbool.h>

#include "base/err.h"
#include "base/opt.h"

#define CLI_FAILED   1
#define CLI_USAGE    2

#define CLI_VERSION  "0.1.0"
#define CLI_OCI_SPEC "1.3.0"

/* All that a command line can say. What is not given is NULL or false, or the default named. */
struct cli {
	/* before the command */
	const char *root;	/* state of containers; CLI_ROOT */
	const char *log;	/* append errors to this file too */
	const char *log_format; /* "text", "json"; text */
	bool is_debug;
	bool systemd_cgroup;
	bool wants_version;
	bool wants_help;
	/* the command */
	const char *command;
	int argc; /* its words, for a row without options */
	char **argv;
	const char *bundle; /* . */
	const char *id;
};

#define CLI_ROOT "/run/sandbox"

typedef int cli_command(struct cli *c, struct err *e);

cli_command cmd_run, cmd_spec, cmd_policy;
extern const struct opt run_opts[], spec_opts[];

#define OPT_ROW_END                                                                                \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* ---- report.c ---- */

/* The error as one line, text or JSON, to stderr and --log. */
void cli_report(const struct cli *c, const struct err *e);

/* With --debug, a line to the same places. */
void cli_debug(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- state.c ---- */

/*
 * Make the state directory ROOT/ID our own: nobody else has a container of this ID while it is open.
 * -EEXIST if somebody has. One left by a killed process is taken over. *ret_fd is the directory.
 */
int state_claim(const char *root, const char *id, int *ret_fd, struct err *e);
int state_release(const char *root, const char *id, int *fd, struct err *e);

#endif

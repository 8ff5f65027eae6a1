/*
 * The commands of `sandbox`. commands.c has one row for each: its words, its help and its rows of options.
 * From that row come parsing (main.c), --help, the manual and the completion (help.c). main.c parses what
 * follows the command's word into struct cli, and calls the row's function.
 *
 * A command returns the exit status, or a negative error, which main.c reports: one line, "sandbox run:
 * step: object: errno".
 */
#ifndef SANDBOX_CLI_CLI_H
#define SANDBOX_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/opt.h"
#include "sandbox/sandbox.h"

#define CLI_FAILED   1
#define CLI_USAGE    2

#define CLI_VERSION  "0.1.0"
#define CLI_OCI_SPEC "1.3.0"

/* The single limits of `update`. */
enum cli_knob {
	CLI_MEMORY,
	CLI_MEMORY_SWAP,
	CLI_MEMORY_RESERVATION,
	CLI_MEMORY_KERNEL,
	CLI_MEMORY_KERNEL_TCP,
	CLI_CPU_SHARES,
	CLI_CPU_QUOTA,
	CLI_CPU_PERIOD,
	CLI_CPU_BURST,
	CLI_CPU_IDLE,
	CLI_CPU_RT_PERIOD,
	CLI_CPU_RT_RUNTIME,
	CLI_CPUSET_CPUS,
	CLI_CPUSET_MEMS,
	CLI_PIDS_LIMIT,
	CLI_BLKIO_WEIGHT,
	CLI_KNOBS
};

/* All that a command line can say. What is not given is NULL or false, or the default named. */
struct cli {
	/* before the command */
	const char *root;           /* state of containers; CLI_ROOT, or below $XDG_RUNTIME_DIR */
	const char *log;            /* append errors to this file too */
	const char *log_format;     /* "text", "json"; text */
	const char *rootless;       /* "true", "false", "auto"; auto */
	bool is_rootless;           /* what that comes to */
	const char *cgroup_manager; /* "cgroupfs" and those that are refused; cgroupfs */
	bool is_debug;
	bool wants_version;
	bool wants_help;
	char **words; /* all of them, as main() got them */
	/* of several commands */
	const char *command;
	const char *bundle; /* . */
	const char *config; /* create, run: from there; config.json */
	const char *id;
	const char *format;         /* "table", "json"; table */
	struct opt_rest rest;       /* words for which the command has no row */
	const char *pid_file;       /* create, run, exec */
	const char *console_socket; /* create, run, exec */
	uint64_t preserve_fds;      /* create, run, exec: after stdio and LISTEN_FDS */
	bool no_new_keyring;        /* create, run */
	bool is_detached;           /* run, exec */
	bool is_quiet;
	bool wants_json;
	/* of one */
	bool keeps;                   /* run: does not delete it */
	bool is_forced;               /* delete */
	bool to_all;                  /* kill */
	const char *signal;           /* kill */
	const char *action;           /* policy */
	const char *topic;            /* help */
	bool wants_scdoc;             /* help */
	const char *file;             /* policy, update */
	const char *knobs[CLI_KNOBS]; /* update: as typed */
	bool wants_stats;             /* events */
	uint64_t interval_us;         /* events; 0 is 5 s */
	bool wants_rootless_spec;     /* spec */
	struct sbx_wish wish;         /* exec */
	const char *process_file;     /* exec */
	bool ignore_paused;           /* exec */
	struct opt_list groups_below; /* exec */
};

#define CLI_ROOT "/run/sandbox"

/* In c->root: an ordinary user has said nothing of where his state is. */
#define CLI_NO_ROOT ""

#define CLI_INIT                                                                                   \
	{                                                                                          \
		.log_format = "text", .rootless = "auto", .cgroup_manager = "cgroupfs",            \
		.bundle = ".", .config = "config.json", .format = "table"                          \
	}

typedef int cli_command(struct cli *c, struct err *e);

struct command {
	const char *name;
	const char *help; /* one line, small letter, no stop */
	const char
		*about; /* for its --help and the manual: sentences; NULL: the line says it all */
	const struct opt *opts;
	cli_command *run;
};

/* A name of NULL ends the tables. */
extern const struct command cli_commands[];
extern const struct opt cli_global_opts[], cli_common_opts[];

/* The command's row, or NULL. */
const struct command *cli_find(const char *name);

/* What the options before the command ask for and we do not do is -EINVAL, with what to do instead. */
int cli_check_global(const struct cli *c, struct err *e);

cli_command cmd_create, cmd_start, cmd_state, cmd_kill, cmd_delete;
extern const struct opt create_opts[], start_opts[], state_opts[], kill_opts[], delete_opts[];
cli_command cmd_exec, cmd_ps;
extern const struct opt exec_opts[], ps_opts[];
cli_command cmd_run, cmd_spec, cmd_policy, cmd_features, cmd_doctor, cmd_list, cmd_pause,
	cmd_resume, cmd_events, cmd_update, cmd_help, cmd_completion;
extern const struct opt run_opts[], spec_opts[], policy_opts[], features_opts[], doctor_opts[],
	list_opts[], pause_opts[], events_opts[], update_opts[], help_opts[], completion_opts[];

#define OPT_ROW_END                                                                                \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/* The row of a command that is about one container. */
#define OPT_ROW_ID                                                                                 \
	{                                                                                          \
		"ID", 0, OPT_NAME, offsetof(struct cli, id), NULL, NULL                            \
	}

/* ---- help.c ---- */

/* There is no such command; the error has runc's words in it. */
int cli_no_topic(const char *word, struct err *e);

void cli_print_usage(FILE *out);
void cli_print_help(const struct command *c, FILE *out);

/* ---- report.c ---- */

/* --log can be written to, or it is an error before anything is done. An empty name is none, as engines give it. */
int cli_check_log(struct cli *c, struct err *e);

/* The error as one line to --log, as --log-format says, and in plain words (without --log: or as JSON) to stderr. */
void cli_report(const struct cli *c, const struct err *e);

/* What the plan's config asks for and cannot have, without being refused, to the same places. */
struct sbx_plan;
void cli_warnings(const struct cli *c, const struct sbx_plan *plan);

/* With --debug: to --log, or else to stderr. */
void cli_debug(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* How far a start has come, in the words that those who debug runc look for. */
#define CLI_DEBUG_SETUP    "nsexec container setup"
#define CLI_DEBUG_CHILD    "child process in init()"
#define CLI_DEBUG_DONE     "init: closing the pipe to signal completion"
#define CLI_DEBUG_EXECUTED "setns_init: about to exec"

/* ---- process.c: what create, run and exec do for the process they make ---- */

/*
 * A process gets those of stdio, and of the next n (--preserve-fds) those that we were given: a number that is not
 * open, or is our own (close-on-exec), is closed for it.
 */
int cli_pass_descriptors(uint64_t n, struct sbx_place *place, struct err *e);

/* Does what the plan says of a terminal fit to --console-socket? -EINVAL. */
int cli_check_terminal(const struct cli *c, const struct sbx_plan *p, bool is_detached,
		       struct err *e);

/*
 * Where the terminal's master will go, place->console: to --console-socket, or to us, by *ret_ours; then the plan's
 * terminal gets the size of ours. Both are the caller's to close, and untouched if the plan has no terminal.
 */
int cli_open_terminal(const struct cli *c, struct sbx_plan *p, struct sbx_place *place,
		      int *ret_ours, struct err *e);

/* Into --pid-file, if there is one; made anew and renamed. */
int cli_write_pid(const struct cli *c, pid_t pid, struct err *e);

/* ---- seal.c ---- */

/*
 * First of all in a command that creates or enters a container: execute ourselves from a file that nobody can
 * write, unless that is done. Returns then, or if it need not be done.
 */
int cli_seal(const struct cli *c, struct err *e);

/* ---- attend.c ---- */

/*
 * Block the signals that are passed on to a container's process, and open the descriptor they come from.
 * Before it is started: then none is lost.
 */
int attend_signals(int *ret_fd, struct err *e);

/*
 * Stay until the process ends: pass signals on, relay its terminal (*master, taken over; -1 = it has none) to
 * ours. *ret_status is as a shell has it: 128 + N after signal N.
 */
int attend(const struct sbx_proc *proc, int signals, int *master, int *ret_status, struct err *e);

#endif

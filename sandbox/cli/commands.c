/* What `sandbox` can be told: the commands, and the options before and of all of them. See cli.h. */
#include <errno.h>
#include <stddef.h>

#include "base/str.h"
#include "sandbox/cli/cli.h"

#define NO_SYSTEMD                                                                                 \
	"groups are made by cgroupfs alone; start sandbox in a delegated group instead (systemd: " \
	"Delegate=yes), and podman with --cgroup-manager cgroupfs"

/* It would align rows of more than one line as a table that nobody can read. */
/* clang-format off */
const struct command cli_commands[] = {
	{
		.name = "create", .opts = create_opts, .run = cmd_create,
		.help = "make a container whose process waits for start",
	},
	{
		.name = "start", .opts = start_opts, .run = cmd_start,
		.help = "let a created container's process go",
	},
	{
		.name = "state", .opts = state_opts, .run = cmd_state,
		.help = "tell the state of a container as JSON",
		.about = "What the specification shows; once it has stopped, where that is known, also "
			 "*exitStatus*, 128 and the number of the signal that ended it, and *oomKilled*: "
			 "something in it was killed at its memory limit.",
	},
	{
		.name = "kill", .opts = kill_opts, .run = cmd_kill,
		.help = "send a signal to a container's process",
		.about = "SIGNAL is a name, with or without SIG, or a number; default TERM.",
	},
	{
		.name = "delete", .opts = delete_opts, .run = cmd_delete,
		.help = "remove a container that has stopped",
		.about = "A container that was created and not started is killed first. poststop hooks run "
			 "last; that one of them fails is only told.",
	},
	{
		.name = "run", .opts = run_opts, .run = cmd_run,
		.help = "create and start a container, and stay until it ends",
		.about = "The exit status is that of the process, or 128 and the number of the signal that "
			 "ended it.",
	},
	{
		.name = "exec", .opts = exec_opts, .run = cmd_exec,
		.help = "start a further process in a container",
		.about = "It gets what the container's own process got, but for what is said here; *--cap* adds "
			 "to the bounding, permitted and effective sets alone. The exit status is that of the "
			 "process, or 128 and the number of the signal that ended it; 255 if it could not be "
			 "started.",
	},
	{
		.name = "ps", .opts = ps_opts, .run = cmd_ps,
		.help = "list the processes of a container",
		.about = "The table is what the host's ps(1) prints of them, with *-ef* or the options given "
			 "after ID.",
	},
	{
		.name = "list", .opts = list_opts, .run = cmd_list,
		.help = "list containers and their status",
		.about = "These are the containers of *--root*; other users' are not shown.",
	},
	{
		.name = "pause", .opts = pause_opts, .run = cmd_pause,
		.help = "freeze all processes of a container",
		.about = "It returns when they stand still.",
	},
	{
		.name = "resume", .opts = pause_opts, .run = cmd_resume,
		.help = "let a paused container go on",
	},
	{
		.name = "update", .opts = update_opts, .run = cmd_update,
		.help = "change the limits of a container",
		.about = "What is not named stays as it is. Limits are checked as those of a config.json "
			 "are; an error names the first that could not be applied, and those before it may "
			 "have been.",
	},
	{
		.name = "events", .opts = events_opts, .run = cmd_events,
		.help = "tell what a container uses, and when memory runs out, until it ends",
		.about = "Each event is a line of JSON, of type *stats* or *oom*.",
	},
	{
		.name = "spec", .opts = spec_opts, .run = cmd_spec,
		.help = "write a config.json to begin with",
		.about = "It is written into the bundle's directory. A file that is there is not "
			 "overwritten.",
	},
	{
		.name = "features", .opts = features_opts, .run = cmd_features,
		.help = "print what of the specification is understood, as JSON",
		.about = "This is the features document of the runtime specification. It tells of this "
			 "program, not of the host: see *doctor*.",
	},
	{
		.name = "doctor", .opts = doctor_opts, .run = cmd_doctor,
		.help = "tell what this host offers, and what will not work",
		.about = "Each row is ok, limited or missing. The exit status is 0 if containers can run "
			 "here, 1 if not.",
	},
	{
		.name = "policy", .opts = policy_opts, .run = cmd_policy,
		.help = "check a policy of system calls, or explain its verdicts",
		.about = "ACTION is *check*, which says how long its compiled program is, or *explain*, "
			 "which prints the verdict on each system call, or on those named.",
	},
	{
		.name = "help", .opts = help_opts, .run = cmd_help,
		.help = "tell the commands, or the options of one",
	},
	{
		.name = "completion", .opts = completion_opts, .run = cmd_completion,
		.help = "print the completion script of a shell",
		.about = "SHELL is *bash*: eval \"$(sandbox completion bash)\" gives it to the present "
			 "shell.",
	},
	{.name = NULL},
};

const struct opt cli_global_opts[] = {
	{"root",           0,   OPT_TEXT,    offsetof(struct cli, root),            "DIR",
	 "state of containers; default " CLI_ROOT ", or $XDG_RUNTIME_DIR/sandbox"},
	{"log",            0,   OPT_TEXT,    offsetof(struct cli, log),             "FILE",
	 "errors go here too"},
	{"log-format",     0,   OPT_CHOICE,  offsetof(struct cli, log_format),      "text|json",
	 "how errors are written; default text"},
	{"debug",          0,   OPT_FLAG,    offsetof(struct cli, is_debug),        NULL,
	 "say more"},
	{"rootless",       0,   OPT_CHOICE,  offsetof(struct cli, rootless),        "true|false|auto",
	 "may it do without a group? default auto: unless we are root of the host"},
	{"cgroup-manager", 0,   OPT_CHOICE,  offsetof(struct cli, cgroup_manager),  "cgroupfs|systemd|disabled",
	 "who makes groups: only cgroupfs, the others are refused"},
	{"version",        'v', OPT_FLAG,    offsetof(struct cli, wants_version),   NULL,
	 "print the version"},
	{"help",           'h', OPT_FLAG,    offsetof(struct cli, wants_help),      NULL,
	 "this help"},
	{"systemd-cgroup", 's', OPT_REFUSED, 0,                                     NULL,
	 NO_SYSTEMD},
	{"criu",           0,   OPT_REFUSED, 0,                                     "PATH",
	 "there is no checkpoint and restore"},
	OPT_ROW_END,
};

const struct opt cli_common_opts[] = {
	{"help", 'h', OPT_FLAG, offsetof(struct cli, wants_help), NULL, "this help"},
	OPT_ROW_END,
};
/* clang-format on */

const struct command *cli_find(const char *name)
{
	const struct command *c = cli_commands;

	while (c->name && !str_is(c->name, name))
		c++;
	return c->name ? c : NULL;
}

int cli_check_global(const struct cli *c, struct err *e)
{
	if (str_is(c->cgroup_manager, "systemd"))
		return err_set(e, EINVAL, "--cgroup-manager systemd is not supported: " NO_SYSTEMD);
	if (str_is(c->cgroup_manager, "disabled"))
		return err_set(e, EINVAL,
			       "--cgroup-manager disabled is not supported: a container is ended "
			       "by its group, so it always has one");
	return 0;
}

/* sandbox exec: a further process in a container. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/target.h"
#include "sandbox/console.h"

#define EXEC_FAILED  255        /* as runc has it: any other status is the process's */
#define CONFIG_BYTES (1u << 20) /* of config.json and of --process */

/* clang-format off */
const struct opt exec_opts[] = {
	{"process",         'p', OPT_TEXT,    offsetof(struct cli, process_file),      "FILE",
	 "the process as JSON; what it lacks is the container's"},
	{"env",             'e', OPT_LIST,    offsetof(struct cli, wish.env),          "NAME=VALUE",
	 "set a variable; may be repeated"},
	{"cwd",             0,   OPT_TEXT,    offsetof(struct cli, wish.cwd),          "DIR",
	 "working directory inside"},
	{"user",            'u', OPT_TEXT,    offsetof(struct cli, wish.user),         "UID[:GID]",
	 "numbers; names are not looked up"},
	{"additional-gids", 'g', OPT_LIST,    offsetof(struct cli, wish.groups),       "GID",
	 "a supplementary group more; may be repeated"},
	{"cap",             'c', OPT_LIST,    offsetof(struct cli, wish.caps),         "CAP_NAME",
	 "a capability more; may be repeated"},
	{"tty",             't', OPT_FLAG,    offsetof(struct cli, wish.terminal),     NULL,
	 "a terminal of its own"},
	{"detach",          'd', OPT_FLAG,    offsetof(struct cli, is_detached),       NULL,
	 "do not wait for its end"},
	{"pid-file",        0,   OPT_TEXT,    offsetof(struct cli, pid_file),          "FILE",
	 "write its pid"},
	{"console-socket",  0,   OPT_TEXT,    offsetof(struct cli, console_socket),    "PATH",
	 "send its terminal's master there; with --detach"},
	{"preserve-fds",    0,   OPT_COUNT,   offsetof(struct cli, preserve_fds),      "N",
	 "keep descriptors 3 .. 3+N-1 open"},
	{"process-label",   0,   OPT_TEXT,    offsetof(struct cli, wish.label),        "LABEL",
	 "SELinux label"},
	{"apparmor",        0,   OPT_TEXT,    offsetof(struct cli, wish.apparmor),     "PROFILE",
	 "AppArmor profile"},
	{"no-new-privs",    0,   OPT_FLAG,    offsetof(struct cli, wish.no_new_privs), NULL,
	 "it can gain no privileges by executing"},
	{"ignore-paused",   0,   OPT_FLAG,    offsetof(struct cli, ignore_paused),     NULL,
	 "even if the container is paused: it waits for the thaw"},
	{"cgroup",          0,   OPT_LIST,    offsetof(struct cli, groups_below),      "[CONTROLLERS:]PATH",
	 "put it in this group below the container's, which exists; may be repeated"},
	OPT_ROW_ID,
	{"COMMAND",         0,   OPT_REST,    offsetof(struct cli, wish.argv),         NULL, NULL},
	OPT_ROW_END,
};
/* clang-format on */

/* What one exec holds; exec_end() gives it back. */
struct exec {
	struct target target;
	struct sbx_plan *plan;
	struct sbx_place place;
	struct sbx_proc proc;
	int terminal; /* our end of place.console, in the foreground */
	int master;
	int signals;
};

/* Whether a process can come into it now. */
static int check_status(const struct cli *c, const struct target *t, struct err *e)
{
	bool is_fine = t->status == STATE_CREATED || t->status == STATE_RUNNING ||
		       (t->status == STATE_PAUSED && c->ignore_paused);

	if (t->status == STATE_PAUSED && !is_fine)
		return err_set(
			e, EBUSY,
			"container '%s': cannot exec in a paused container (use --ignore-paused)",
			c->id);
	if (!is_fine || t->init.pid < 0)
		return err_set(e, ESRCH, "container '%s': cannot exec in a container that is %s",
			       c->id,
			       state_status_name(t->init.pid < 0 ? STATE_STOPPED : t->status));
	return 0;
}

static int make_plan(struct cli *c, struct exec *x, struct err *e)
{
	_cleanup_free_ char *config = malloc(CONFIG_BYTES), *process = NULL;
	int r = config ? 0 : err_set(e, ENOMEM, "out of memory");

	if (r == 0)
		r = file_read(x->target.state.dir, STATE_FILE_CONFIG, config, CONFIG_BYTES, e);
	if (r == 0 && c->process_file) {
		process = malloc(CONFIG_BYTES);
		r = process ? file_read(AT_FDCWD, c->process_file, process, CONFIG_BYTES, e)
			    : err_set(e, ENOMEM, "out of memory");
		if (r < 0)
			return err_wrap(e, "--process");
		c->wish.process = process;
	}
	if (r == 0)
		r = sbx_plan_for_exec(c->root, config, x->target.state.bundle, &c->wish, &x->plan,
				      e);
	c->wish.process = NULL;
	if (r == 0)
		r = sbx_plan_grant(x->plan, e);
	if (r == 0)
		cli_warnings(c, x->plan);
	return r < 0 ? r : cli_check_terminal(c, x->plan, c->is_detached, e);
}

static int start(struct cli *c, struct exec *x, struct err *e)
{
	/* Before anything is opened: what stands at 3 must be our starter's. */
	int r = cli_pass_descriptors(c->preserve_fds, &x->place, e);

	if (r == 0 && !c->process_file && c->wish.argv.n == 0)
		r = err_set(e, EINVAL, "COMMAND is missing: what is to be executed in '%s'?",
			    c->id);
	if (r == 0)
		r = target_open(c, &x->target, e);
	if (r == 0)
		r = check_status(c, &x->target, e);
	if (r == 0)
		r = make_plan(c, x, e);
	if (r == 0)
		r = target_descend(&x->target.group, &c->groups_below, e);
	if (r == 0)
		r = cli_open_terminal(c, x->plan, &x->place, &x->terminal, e);
	if (r == 0 && !c->is_detached)
		r = attend_signals(&x->signals, e);
	if (r < 0)
		return r;
	x->place.group = x->target.state.paths ? &x->target.group : NULL;
	cli_debug(c, CLI_DEBUG_SETUP ": %s", c->id);
	if (x->plan->tune.has_exec_initial)
		cli_debug(c, "initial CPU affinity: 0x%lx", x->plan->tune.exec_initial.words[0]);
	r = sbx_exec(x->plan, &x->place, &x->target.init, &x->proc, e);
	/* A container that runs systemd has moved itself into a group below its own, and given that controllers. */
	if (r == -EBUSY && cg_go_to(&x->target.group, x->target.init.pid, e) == 0)
		r = sbx_exec(x->plan, &x->place, &x->target.init, &x->proc, e);
	fd_close(&x->place.console);
	if (r < 0)
		return err_wrap(e, "container '%s': exec failed", c->id);
	cli_debug(c, CLI_DEBUG_CHILD ": pid %d", (int)x->proc.pid);
	cli_debug(c, CLI_DEBUG_EXECUTED);
	if (x->terminal >= 0)
		r = console_receive(x->terminal, &x->master, e);
	return r < 0 ? r : cli_write_pid(c, x->proc.pid, e);
}

static void exec_end(struct exec *x, bool has_failed)
{
	if (has_failed && x->proc.pidfd >= 0) {
		/* It is our child, so the pidfd is still its. */
		(void)pidfd_send_signal(x->proc.pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)x->proc.pidfd, NULL, WEXITED);
	}
	sbx_proc_close(&x->proc);
	target_close(&x->target);
	sbx_plan_free(x->plan);
	fd_close(&x->place.console);
	fd_close(&x->terminal);
	fd_close(&x->master);
	fd_close(&x->signals);
}

int cmd_exec(struct cli *c, struct err *e)
{
	struct exec x = {
		.target = TARGET_INIT,
		.place = {.net_ns = -1, .console = -1},
		.proc = {.pid = -1,    .pidfd = -1  },
		.terminal = -1,
		.master = -1,
		.signals = -1,
	};
	int status = 0, r = cli_seal(c, e);

	if (r == 0)
		r = start(c, &x, e);
	if (r == 0 && !c->is_detached)
		r = attend(&x.proc, x.signals, &x.master, &status, e);
	exec_end(&x, r < 0);
	if (r == 0)
		return status;
	cli_report(c, e);
	return EXEC_FAILED;
}

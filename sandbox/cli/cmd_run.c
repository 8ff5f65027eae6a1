/* sandbox run: start a bundle's process and stay until it ends. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/cli/cli.h"
#include "sandbox/console.h"
#include "sandbox/sandbox.h"
#include "sandbox/state.h"

#define GROUP_OF_ALL "sandbox" /* all containers' groups are in it */
#define GROUP_BYTES  1280

const struct opt run_opts[] = {
	{"bundle", 'b', OPT_TEXT, offsetof(struct cli, bundle), "DIR",
	 "the bundle; default the current directory"			    },
	{"ID",     0,	  OPT_NAME, offsetof(struct cli, id),     NULL,  NULL},
	OPT_ROW_END,
};

/* What one run holds; run_end() gives it back, whatever of it there is. */
struct run {
	struct sbx_plan *plan;
	struct state state;
	struct cg_host *host;
	char group_path[GROUP_BYTES];
	struct cg group;
	struct cg_paths paths; /* depth 0: there is no group */
	struct sbx_proc proc;
	int signals;
	int master; /* of its terminal; -1 = it has none */
};

static int make_group(struct run *run, const struct cli *c, struct err *e)
{
	const char *path = run->plan->cgroup_path;
	uint32_t depth = 0;
	int r = cg_probe(&run->host, e), n;

	if (r < 0)
		return r;
	n = path ? snprintf(run->group_path, GROUP_BYTES, "%s", path)
		 : snprintf(run->group_path, GROUP_BYTES, GROUP_OF_ALL "/%s", c->id);
	if (n < 0 || n >= GROUP_BYTES)
		return err_set(e, ENAMETOOLONG, "cgroup: a path of %d bytes", n);
	r = cg_shared_create(run->host, run->group_path, 0, &run->group, &depth, e);
	if (r == 0)
		r = cg_paths_get(&run->group, depth, &run->paths, e);
	return r < 0 ? r : cg_limit(&run->group, &run->plan->limits, e);
}

static int start(struct run *run, const struct cli *c, struct err *e)
{
	struct sbx_place place = {
		.group = &run->group, .net_ns = -1, .fds = {0, 1, 2},
			      .n_fds = 3, .console = -1
	       };
	_cleanup_fd_ int terminal = -1;
	uint64_t begin_us = clk_now_us();
	int r;

	r = sbx_plan_from_oci_at(c->root, c->bundle, &run->plan, e);
	if (r < 0)
		return r;
	/* Nobody else waits for it, and no state tells of it: it must not be left alone. */
	run->plan->dies_with_parent = true;
	cli_debug(c, "plan: %u mounts, %llu us", run->plan->n_mounts,
		  (unsigned long long)(clk_now_us() - begin_us));
	r = state_claim(c->root, c->id, &run->state, e);
	if (r == STATE_E_LEFTOVER)
		r = state_reset(c->id, &run->state, e);
	if (r == 0)
		r = make_group(run, c, e);
	if (r == 0)
		r = attend_signals(&run->signals, e);
	if (r == 0 && run->plan->terminal.is_wanted)
		r = sock_pair(SOCK_STREAM, &terminal, &place.console, e);
	if (r == 0)
		r = sbx_start(run->plan, &place, &run->proc, e);
	fd_close(&place.console);
	if (r == 0 && terminal >= 0)
		r = console_receive(terminal, &run->master, e);
	if (r == 0)
		cli_debug(c, "started: pid %d, group %s, %llu us", (int)run->proc.pid,
			  run->group_path, (unsigned long long)(clk_now_us() - begin_us));
	return r;
}

/* Processes outside of a pid namespace may outlive the first: they end here. */
static int end_group(struct run *run, struct err *e)
{
	int r = 0;

	cg_close(&run->group);
	if (run->paths.depth > 0)
		r = cg_paths_remove(run->host, &run->paths, e);
	cg_host_free(run->host);
	return r;
}

static int run_end(struct run *run, const struct cli *c, struct err *e)
{
	int r = end_group(run, e);

	if (run->state.dir >= 0 && r == 0)
		r = state_remove(c->root, &run->state, e);
	state_fini(&run->state);
	fd_close(&run->signals);
	fd_close(&run->master);
	sbx_proc_close(&run->proc);
	sbx_plan_free(run->plan);
	return r;
}

int cmd_run(struct cli *c, struct err *e)
{
	struct run run = {
		.state = STATE_INIT,
		.group = CG_INIT,
		.proc = {.pid = -1, .pidfd = -1},
		.signals = -1,
		.master = -1
	    };
	struct err ending = ERR_INIT;
	int status = CLI_FAILED, r = start(&run, c, e);

	if (r == 0)
		r = attend(&run.proc, run.signals, &run.master, &status, e);
	/* The first error is the one to report; the process's own status counts more than ours. */
	if (run_end(&run, c, &ending) < 0) {
		if (r == 0)
			cli_report(c, &ending);
	}
	return r < 0 ? r : status;
}

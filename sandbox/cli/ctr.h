/*
 * What the commands do to a container. create, start, run and delete are made of these four:
 *
 *	ctr_create()	ROOT/ID, its group, its process; undone wholly if anything fails
 *	ctr_start()	let the process of an earlier create execute, run poststart
 *	ctr_kill()	SIGKILL to all of it
 *	ctr_destroy()	end it, remove what create made, run poststop
 *
 * A detached container's process waits at a gate between create and start; one in the foreground (`run`) passes
 * without, and ends with this program.
 */
#ifndef SANDBOX_CLI_CTR_H
#define SANDBOX_CLI_CTR_H

#include "sandbox/cli/cli.h"
#include "sandbox/sandbox.h"
#include "sandbox/state.h"

/* One container for the length of a command: starts as CTR_INIT, ends with ctr_close(). */
struct ctr {
	const struct cli *cli;
	struct state state;
	struct sbx_plan *plan;
	char *config; /* text; NULL once it is copied */
	struct cg_host *host;
	struct cg group;
	struct sbx_gate gate;
	struct sbx_begun begun;
	struct sbx_proc proc;
	int terminal; /* an engine's socket, or ours to receive the master from; -1: there is none */
	bool is_foreground;
	bool has_run_hooks; /* some may have left something for poststop to undo */
};
#define CTR_INIT                                                                                   \
	{                                                                                          \
		.state = STATE_INIT, .group = CG_INIT, .gate = SBX_GATE_INIT,                      \
		.begun = SBX_BEGUN_INIT, .proc = {.pid = -1, .pidfd = -1}, .terminal = -1          \
	}

void ctr_close(struct ctr *c);
#define _cleanup_ctr_ __attribute__((cleanup(ctr_close)))

/* Find ROOT/ID of the command line, with its lock. */
int ctr_find(struct ctr *c, const struct cli *cli, struct err *e);

/*
 * As the options of create and run say. In the foreground the program runs when this returns, c->proc is its
 * process, c->terminal (if the config wants one) has its master to be received, and the lock is given back.
 */
int ctr_create(struct ctr *c, const struct cli *cli, bool is_foreground, struct err *e);

int ctr_start(struct ctr *c, struct err *e);
int ctr_kill(struct ctr *c, struct err *e);
int ctr_destroy(struct ctr *c, struct err *e);

/* The rows that create and run have in common. */
/* clang-format off */
#define CTR_OPT_ROWS                                                                               \
	{"bundle",         'b', OPT_TEXT,    offsetof(struct cli, bundle),         "DIR",          \
	 "the bundle; default the current directory"},                                             \
	{"config",         'f', OPT_TEXT,    offsetof(struct cli, config),         "FILE",         \
	 "read it instead of the bundle's config.json"},                                           \
	{"pid-file",       0,   OPT_TEXT,    offsetof(struct cli, pid_file),       "FILE",         \
	 "write the pid of its process there"},                                                    \
	{"console-socket", 0,   OPT_TEXT,    offsetof(struct cli, console_socket), "SOCKET",       \
	 "send the master of its terminal there"},                                                 \
	{"preserve-fds",   0,   OPT_COUNT,   offsetof(struct cli, preserve_fds),   "N",            \
	 "pass N more descriptors on, from the third after those of LISTEN_FDS"},                  \
	{"no-new-keyring", 0,   OPT_FLAG,    offsetof(struct cli, no_new_keyring), NULL,           \
	 "leave it our session keyring"},                                                          \
	{"no-pivot",       0,   OPT_REFUSED, 0,                                    NULL,           \
	 "a root that is not pivoted to can be left; put the bundle on a file system of its own"}
/* clang-format on */

/* ---- ctr_group.c ---- */

/*
 * Where its group will be, in c->state.group, with c->host; "" and no host: it has none, because none can be made and
 * none is needed. Then make it, and limit it; c->state.paths stays NULL where there is none.
 */
int ctr_choose_group(struct ctr *c, struct err *e);
int ctr_make_group(struct ctr *c, struct err *e);

/* End all that is in the container, and remove the group. */
int ctr_remove_group(struct ctr *c, struct err *e);

/* ---- ctr_hooks.c ---- */

/* Run the hooks of a kind, with the state as of `status` on stdin. */
int ctr_run_hooks(struct ctr *c, enum sbx_hook_kind kind, enum state_status status, struct err *e);

/* All of them, whatever fails: that is only told, for nothing is left that could be undone. */
void ctr_run_poststop(struct ctr *c);

/* The files of c->gate: made before the child is born, filled once its pid is known. */
int ctr_open_hook_states(struct ctr *c, struct err *e);
int ctr_fill_hook_states(struct ctr *c, struct err *e);

/* ---- ctr_plan.c ---- */

/* c->plan from the bundle's config.json, whose text stays in c->config, with what the options change. */
int ctr_load_bundle(struct ctr *c, struct err *e);

/* c->plan from the copy that create made. */
int ctr_load_copy(struct ctr *c, struct err *e);

/* The descriptors it starts with, and their number in its environment. */
int ctr_place_descriptors(struct ctr *c, struct sbx_place *place, struct err *e);

/* ---- keeper.c ---- */

/*
 * Leave a process behind that writes exit.json once the container's process (pidfd) has been reaped, with the
 * exit status where the kernel tells it (Linux 6.15).
 */
int ctr_leave_keeper(struct ctr *c, int pidfd, struct err *e);

#endif

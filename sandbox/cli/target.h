/*
 * The standing container that a command works on: what is remembered of it, and what there is of it.
 *
 * No lock is taken: exec and ps may be called by hooks, while create or start holds it.
 */
#ifndef SANDBOX_CLI_TARGET_H
#define SANDBOX_CLI_TARGET_H

#include "sandbox/cgroup.h"
#include "sandbox/cli/cli.h"
#include "sandbox/sandbox.h"
#include "sandbox/state.h"

struct target {
	struct state state;
	enum state_status status;
	struct cg group;      /* CG_INIT when it is gone */
	struct sbx_proc init; /* its first process, surely it; pid -1 when it has ended */
};

#define TARGET_INIT                                                                                \
	{                                                                                          \
		.state = STATE_INIT, .group = CG_INIT, .init = {.pid = -1, .pidfd = -1 }           \
	}

/*
 * Go to existing groups below the container's: each word is PATH, of all hierarchies, or CONTROLLER[,...]:PATH.
 * "/" is the container's own.
 */
int target_descend(struct cg *cg, const struct opt_list *words, struct err *e);

int target_open(const struct cli *c, struct target *t, struct err *e);
void target_close(struct target *t);
#define _cleanup_target_ __attribute__((cleanup(target_close)))

#endif

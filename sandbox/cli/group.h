/* A container's group, for the commands that look at it or change it. */
#ifndef SANDBOX_CLI_GROUP_H
#define SANDBOX_CLI_GROUP_H

#include "sandbox/cgroup.h"
#include "sandbox/cli/cli.h"
#include "sandbox/state.h"

/*
 * The container of the command line: its state (with the lock, if the command changes something), its status and
 * its group, open. The caller ends s and group, also on failure. -ESRCH "container not running" when it is
 * stopped.
 */
int cli_open_group(const struct cli *c, bool is_locked, struct state *s, enum state_status *ret,
		   struct cg *group, struct err *e);

#endif

/* Network namespaces from inside. */
#ifndef SANDBOX_NET_H
#define SANDBOX_NET_H

#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

/* Bring the loopback device of the caller's network namespace up. */
int net_loopback_up(struct err *e);

/*
 * Move the plan's devices into the network namespace of process pid, with their addresses, and bring them
 * up. Those moved before a failure stay there.
 */
int net_move_devices(const struct sbx_plan *p, pid_t pid, struct err *e);

#endif

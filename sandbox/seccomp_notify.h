/*
 * Passing on the listener of a filter with SCMP_ACT_NOTIFY (runtime-spec, "The Container Process State").
 *
 * The child cannot send it: its filter is in force. It says the descriptor's number, and the starter fetches it
 * (pidfd_getfd(2), Linux 5.6), which needs the power to trace the child.
 */
#ifndef SANDBOX_SECCOMP_NOTIFY_H
#define SANDBOX_SECCOMP_NOTIFY_H

#include "sandbox/sandbox.h"

/*
 * At SBX_STAGE_LISTENING: connect to plan->listener.path and send the container process state with the
 * descriptor. state is the container's state as JSON. Any failure must end the start: nobody would answer. Blocks up
 * to 10 s.
 */
int seccomp_notify(const struct sbx_plan *plan, const struct sbx_begun *b, const char *oci_version,
		   const char *state, struct err *e);

#endif

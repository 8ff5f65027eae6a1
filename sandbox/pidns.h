/*
 * The processes of a container that has no control group of its own, found by their pid namespace in /proc. As an
 * ordinary user we see those of our own containers: we own their user namespaces.
 */
#ifndef SANDBOX_PIDNS_H
#define SANDBOX_PIDNS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * All processes in the pid namespace of init, or in one below; *ret is the caller's to free(). Those that are born
 * meanwhile may be missed. Before its program was executed nobody may look at init (it is not dumpable): then it is
 * alone in there.
 */
int pidns_processes(pid_t init, pid_t **ret, size_t *ret_n, struct err *e);

/* A signal to each of them, by pidfd: never to a process that came later by the same number. */
int pidns_signal(pid_t init, int number, struct err *e);

#endif

/*
 * The launcher's children: each is known by its pidfd, watched, and reaped once. A process that is never
 * reaped keeps its pid namespace, and with it a slot, for ever.
 */
#ifndef RUNTIMED_PROC_H
#define RUNTIMED_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtimed/watch.h"
#include "sandbox/sandbox.h"

/* Call ended(arg) once p has ended. On failure p is ended and closed: nobody would hear of it. */
int proc_watch(struct watches *ws, struct watch *w, struct sbx_proc *p, void (*ended)(void *arg),
	       void *arg, struct err *e);

/* It has ended, as its watch said: take its status (may be NULL), close it. */
void proc_reap(struct sbx_proc *p, struct watch *w, int *ret_status);

/* Kill, wait, close; harmless if there is none. */
void proc_end(struct sbx_proc *p);

/*
 * The memory of a process, pages shared with others divided among them. Looks at each of its mappings: about
 * a millisecond for a zygote.
 */
int proc_pss(pid_t pid, uint64_t *ret_bytes, struct err *e);

#endif

/*
 * What the pool's files share: its own structures. Nobody else includes this.
 *
 *	pool.c          function versions, asking, serving; open, drain, close
 *	pool_queue.c    who waits for an instance, and who is refused one
 *	pool_events.c   what instances, launcher and clock tell
 */
#ifndef RUNTIMED_POOL_PRIVATE_H
#define RUNTIMED_POOL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "runtimed/func.h"
#include "runtimed/instance.h"
#include "runtimed/invocation.h"

struct fnpool {
	struct list link;    /* all of the pool's */
	struct func *fn;     /* of its instances and invocations, which hold references */
	struct list idle;    /* most recently used first */
	struct list others;  /* asked, opening, busy, stopping */
	struct list waiting; /* invocations, oldest first */
	uint64_t n_instances, n_starting, n_waiting;
	uint64_t n_evicting; /* others' instances that end to make room for it */
};

struct pool {
	struct core *core;
	struct instance **at; /* instances_max places */
	uint32_t n_places;
	uint64_t n_instances, n_idle, n_waiting;
	uint64_t n_asked_ever;
	struct list functions; /* struct fnpool */
	struct list idle;      /* all idle ones, least recently used first */
	struct list thawed;    /* the idle ones that are not frozen, oldest first */
	struct list refused;   /* invocations to be told so from the loop */
	uv_timer_t sweep;
	uv_idle_t tell;
	uint32_t n_handles;
	bool is_draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* An instance's id: a number that never comes again, and its place in pool.at[]. */
#define POOL_PLACE_BITS 20
#define POOL_PLACE_MASK ((UINT64_C(1) << POOL_PLACE_BITS) - 1)

/* Free it, unless something of the function is still here. */
void fnpool_release(struct fnpool *of);

/* End an instance, whatever it does. */
void pool_stop(struct pool *p, struct instance *in);

/* The counts of an instance that leaves a state for good. */
void pool_no_longer_idle(struct pool *p, struct instance *in);
void pool_no_longer_starting(struct instance *in);

/* ---- pool_queue.c ---- */

/* Wait for an instance of the function, at most until the queue's deadline. */
void pool_enqueue(struct pool *p, struct fnpool *of, struct invocation *inv);

/* Take out of the queue. */
void pool_dequeue(struct pool *p, struct invocation *inv);

/* The invocation that waits longest, or NULL. */
struct invocation *fnpool_first_waiting(const struct fnpool *of);

/* No instance for it, queued or not: it is told so from the loop, never from within invoke_start(). */
void pool_refuse(struct pool *p, struct invocation *inv, enum outcome why);

/* Tell now all that were refused. */
void pool_tell_refused(struct pool *p);

/* ---- pool.c, pool_events.c ---- */

/* Start or evict for one function, or for all that wait: a place may have become free. */
void pool_decide_for(struct pool *p, struct fnpool *of);
void pool_decide_for_all(struct pool *p);

/* The instance has nothing to do: the next of its queue, or rest, or the end of an outdated one. */
void pool_rest(struct pool *p, struct instance *in);

/* Whether new invocations of this version may come. */
bool pool_is_current(const struct pool *p, const struct func *fn);

void pool_check_drained(struct pool *p);

/* Freeze, end idle and late instances by the clock. */
void pool_sweep_start(struct pool *p);

#endif

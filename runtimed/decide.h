/*
 * What the pool does with an invocation that finds no idle instance, as a pure function of counts.
 *
 * The first policy: start one while the caps allow it, make room by ending somebody's idle instance, else
 * wait within the queue's bound: what starts an instance is never refused, so one function's backlog does
 * not throttle another. A start is asked for only while more invocations wait than instances are
 * on their way: a burst of n starts n, not n squared.
 */
#ifndef RUNTIMED_DECIDE_H
#define RUNTIMED_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

struct pool_view {
	uint64_t n_instances; /* all, in any state */
	uint64_t instances_max;
	uint64_t n_of_function; /* of the function in question */
	uint64_t of_function_max;
	uint64_t n_starting;       /* of the function, not ready yet */
	uint64_t n_waiting;        /* invocations of the function in the queue, this one included */
	uint64_t n_idle_elsewhere; /* idle instances of other functions */
	uint64_t n_queued;         /* all functions, this one included */
	uint64_t queue_max;
};

enum pool_verdict {
	POOL_START,           /* ask for one more instance; the invocation waits for it */
	POOL_EVICT_AND_START, /* end the idle instance that was not used for longest first */
	POOL_WAIT,            /* in the queue, for an instance to become free */
	POOL_THROTTLE,        /* refuse: the queue is full */
};

enum pool_verdict pool_decide(const struct pool_view *v);

#endif

/* One invocation, inside the core: what pool.c and instance.c know of each other's. See invoke.h. */
#ifndef RUNTIMED_INVOCATION_H
#define RUNTIMED_INVOCATION_H

#include <stdbool.h>
#include <sys/uio.h>
#include <uv.h>

#include "base/list.h"
#include "runtimed/guest.h"
#include "runtimed/invoke.h"
#include "runtimed/loglines.h"

struct instance;

struct invocation {
	struct core *core;
	struct invoke_request req; /* fn, event and context are ours */
	struct instance *in;       /* while it runs */
	struct record rec;
	bool is_canceled;     /* nobody waits for done() */
	bool is_timed_out;    /* its instance was stopped for it; the end comes with GONE */
	enum outcome refused; /* not OUTCOME_OK: why; told from the loop */
	uint64_t queued_us;
	uint64_t begun_us;    /* given to the instance: the time it is billed from */
	uint64_t deadline_us; /* of the handler, while it runs */
	struct guest_frame frame;
	struct guest_invoke head;
	uv_timer_t timer; /* in the queue: its deadline; running: the handler's */
	struct list link; /* queue of the function, or the pool's throttled ones */
	struct loglines lines;
};

/* The frame as pieces for writev(2): headers, context, event. */
#define INVOCATION_PIECES 4
void invocation_frame(struct invocation *inv, struct iovec iov[INVOCATION_PIECES]);

/* It was given an instance: the handler's time begins. */
void invocation_begin(struct invocation *inv, struct instance *in);

/* Bytes the function wrote to its log. */
void invocation_log(struct invocation *inv, const char *data, size_t n);

/*
 * Its end, each exactly once: done(), record, log; then it is freed.
 *   answer  the handler's reply or error object
 *   error   the platform's: a JSON error object is made of type and text
 */
void invocation_answer(struct invocation *inv, enum outcome outcome, const char *payload, size_t n);
void invocation_error(struct invocation *inv, enum outcome outcome, const char *type,
		      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif

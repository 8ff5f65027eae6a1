/*
 * One invocation, from event to result.
 *
 *	invoke_start() → (queue) → instance chosen or started → event sent → result → done()
 *
 * done() is called exactly once, always from the loop and never from within invoke_start(), with
 * everything known. invoke_cancel() (the client went away) drops an invocation that still waits in the
 * queue; one that runs goes on to its end and is recorded and billed, but done() is not called any more.
 */
#ifndef RUNTIMED_INVOKE_H
#define RUNTIMED_INVOKE_H

#include <stddef.h>
#include <stdint.h>

#include "runtimed/func.h"
#include "runtimed/record.h"

#define INVOKE_LOG_TAIL_BYTES 4096

struct core;
struct invocation; /* opaque to the front */

struct invoke_result {
	struct record rec;   /* outcome, times, usage, request id */
	const char *payload; /* reply, or JSON error object; borrowed until done() returns */
	size_t payload_size;
	const char *log_tail; /* START, log lines, END, REPORT: the last 4 KiB; borrowed */
	size_t log_tail_size;
	const char *throttle_reason; /* OUTCOME_THROTTLED: Lambda's Reason, else NULL */
};

struct invoke_request {
	struct func *fn;     /* borrowed; a reference is taken */
	const char *context; /* decoded client context JSON or NULL; copied */
	size_t context_size;
	char *event; /* heap; ownership moves to the invocation on success */
	size_t event_size;
	uint64_t received_us; /* CLOCK_MONOTONIC: first byte of the request */
	char request_id[37];  /* from request_id_make() */
	void (*done)(void *arg, const struct invoke_result *res);
	void *arg;
};

int invoke_start(struct core *core, const struct invoke_request *req, struct invocation **ret,
		 struct err *e);
void invoke_cancel(struct invocation *inv);

/* UUIDv7 text: time-ordered, so that the ledger's index grows at its end. */
void request_id_make(char out[37]);

#endif

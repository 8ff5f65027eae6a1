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
	struct instance *in;	   /* while it runs */
	struct record rec;
	uint64_t sent_us; /* to the instance */
	bool is_canceled; /* nobody waits for done() */
	/* What is to be said at the end, when the instance's end has to be waited for. */
	enum outcome doomed; /* OUTCOME_OK: not doomed */
	struct guest_frame frame;
	struct guest_invoke head;
	struct loglines lines;
	struct list link; /* queue of the function, completed list, or free list */
	struct list queue_link; /* all that wait, oldest first */
	uint64_t queued_us;
	uint64_t deadline_us; /* of the handler, while it runs */
	struct list deadline_link;
	/* The result between completion and done(). */
	struct buf payload;
};

/* The frame as pieces for writev(2): header, context, event. */
#define INVOCATION_PIECES 4
void invocation_frame(struct invocation *inv, uint64_t deadline_us, struct iovec iov[INVOCATION_PIECES]);

/* Bytes the function wrote to its log. */
void invocation_log(struct invocation *inv, const char *data, size_t n);

/* The handler answered. */
void invocation_result(struct invocation *inv, const struct guest_result *res, const char *payload,
		       size_t n);

/* It ends without an answer of the handler. error is the text for people, exit facts are in m. */
void invocation_fail(struct invocation *inv, enum outcome outcome, const char *type,
		     const char *message);

/* The user's own error object, of GUEST_INIT_ERROR. */
void invocation_init_error(struct invocation *inv, const char *error, size_t n);

#endif

/*
 * One instance, as the core sees it: a stream to the guest, a log pipe, four counters. It belongs to one
 * version of one function for its whole life.
 *
 *	ASKED ──STARTED──► OPENING ──GUEST_READY──► IDLE ◄──► BUSY
 *	   any ──► STOPPING ──GONE or FAILED──► freed
 *
 * The pool owns instances; an invocation is lent one while BUSY. What happens is told upwards by the
 * functions named at the end, always from the loop.
 */
#ifndef RUNTIMED_INSTANCE_H
#define RUNTIMED_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "runtimed/func.h"
#include "runtimed/guest.h"
#include "runtimed/launch.h"
#include "sandbox/cgroup.h"

struct core;
struct fnpool;
struct invocation;

enum instance_state {
	INSTANCE_ASKED,
	INSTANCE_OPENING,
	INSTANCE_IDLE,
	INSTANCE_BUSY,
	INSTANCE_STOPPING,
	INSTANCE_STATES
};

struct instance {
	struct core *core;
	struct func *fn; /* a reference */
	struct fnpool *of;
	struct fnpool *evicted_for; /* ends to make room for it, or NULL */
	uint64_t id;
	enum instance_state state;
	bool is_frozen;
	bool is_starting;       /* counted in of->n_starting */
	bool is_fresh;          /* has served nothing yet: the next invocation is its cold one */
	struct invocation *inv; /* while BUSY */
	uint64_t asked_us, idle_since_us;
	struct launch_started started;
	struct guest_ready ready;
	struct cg_meter meter;
	uint64_t cpu_seen_us;    /* of the group, at the end of the last invocation */
	uint64_t oom_seen;       /* kills of the group until then: not the next one's */
	uint64_t idle_log_bytes; /* written since it went idle */
	int data, log;
	uv_poll_t data_poll, log_poll;
	uint32_t n_handles;    /* of the two polls, not yet closed */
	bool is_writing;       /* waiting for the stream to take the rest */
	bool is_late;          /* stopped because it was not ready in time */
	struct buf in;         /* the frame being received */
	struct buf out;        /* GUEST_INIT, until it is sent */
	uint64_t sent;         /* bytes of out and of the invocation's frame that are gone */
	struct list link;      /* idle list of the function, most recent first; or its others */
	struct list idle_link; /* all idle ones, least recently used first */
	struct list thaw_link; /* idle and not frozen, oldest first */
};

/* Ask the launcher for one. NULL = out of memory. */
struct instance *instance_ask(struct core *core, struct func *fn, uint64_t id, uint32_t image);

/* STARTED came: take the descriptors, send GUEST_INIT. */
void instance_open(struct instance *in, const struct launch_started *m, int *fds);

/* IDLE → BUSY: send the invocation's frame (invocation_frame()). Thaws first. */
void instance_serve(struct instance *in, struct invocation *inv);

/* Freeze or thaw; failures end the instance. */
void instance_freeze(struct instance *in, bool frozen);

/* Read what is in the log pipe now and hand it to the invocation, or to the log if there is none. */
void instance_drain_log(struct instance *in);

/* Have it killed. Idempotent; GONE follows. For pool.c: it keeps the counts. */
void instance_stop(struct instance *in);

/* GONE or FAILED came: close and free. */
void instance_free(struct instance *in);

/* ---- told upwards: implemented in pool.c ---- */

void pool_instance_ready(struct instance *in);
/* It closed its stream or broke the protocol: the pool ends it. */
void pool_instance_broken(struct instance *in);
/* GUEST_INIT_ERROR: the JSON error object. The pool ends the instance. */
void pool_instance_bad_init(struct instance *in, const char *error, size_t n);
/* GUEST_RESULT for in->inv. */
void pool_instance_result(struct instance *in, const struct guest_result *res, const char *payload,
			  size_t n);

#endif

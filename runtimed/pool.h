/*
 * The pool: all instances, and the invocations that wait for one.
 *
 * Each function version in use has a struct fnpool: its idle instances, most recently used first, and its
 * queue. pool.c carries out; decide.c decides; who waits is in pool_queue.c, what happens in pool_events.c.
 */
#ifndef RUNTIMED_POOL_H
#define RUNTIMED_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/func.h"
#include "runtimed/launch.h"

struct core;
struct instance;
struct invocation;
struct pool;

int pool_open(struct core *core, struct pool **ret, struct err *e);

/* End all instances; done() is called, once, when the last is gone and nothing waits. */
void pool_drain(struct pool *p, void (*done)(void *arg), void *arg);
void pool_close(struct pool *p); /* after done() */

/* An invocation wants an instance. It is dispatched, queued, or (later, from the loop) throttled. */
void pool_submit(struct pool *p, struct invocation *inv);

/* A waiting invocation goes away. */
void pool_forget(struct pool *p, struct invocation *inv);

/* The handler's time is up. */
void pool_timeout(struct pool *p, struct invocation *inv);

/* The registry changed: idle instances of versions that are no longer registered end now. */
void pool_registry_changed(struct core *core);

/* Whether an instance, starting, idle or busy, or a waiting invocation needs this code. */
bool pool_uses_code(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN]);

/* Who gets what this instance writes to its log now: its invocation, the one it starts for, or NULL. */
struct invocation *pool_log_target(struct instance *in);

/* CPU time a 100 ms period allows: one core up to 1769 MB, Lambda's measure, and in proportion above. */
uint64_t pool_cpu_quota_us(uint32_t memory_mb);

/* From the launcher. */
void pool_started(struct core *core, const struct launch_started *m, int *fds);
void pool_failed(struct core *core, const struct launch_failed *m);
void pool_gone(struct core *core, const struct launch_gone *m);

#endif

/*
 * The store: what must outlive the daemon. Two SQLite files in one directory, so that a backup of the
 * ledger is separate:
 *
 *	functions.db   one row per function, its JSON (func_to_json)
 *	ledger.db      one row per invocation (struct record)
 *
 *  1. store_open()            checks, migrates; starts the threads
 *  2. store_load_functions()  fills the registry
 *  3. store_record(), store_put_function(), store_usage() ... from the loop's thread
 *  4. store_drain(), store_close(), then run the loop once more: it frees the handle
 *
 * Threads: a writer, the only one that writes rows, and a reader with its own connections, which
 * answers store_usage() and copies the write-ahead log back from time to time so that the writer never
 * stalls for it. All functions here are called from the loop's thread, and so is every done(); never
 * from within the call that asked for it, except by store_close(), which calls what is still due;
 * those must not use the store any more.
 *
 * Durability: WAL with synchronous=FULL. Function changes are on disk when done() is called with
 * e->code 0. Records are committed in groups, at most STORE_COMMIT_US after store_record() while the
 * disk keeps up. So kill -9 or power loss loses at most the records of the last 2 ms, replies of which
 * may have been sent; never a committed one, never half of one.
 *
 * A disk that fails loses no record either: the writer keeps them, tries again, and the queue grows.
 * At STORE_RECORDS_FULL store_is_full() turns true and the daemon must throttle new invocations; the
 * other half of the queue is for those already admitted. Beyond STORE_RECORDS_MAX store_record()
 * refuses, and the caller counts and reports the lost row.
 */
#ifndef RUNTIMED_STORE_H
#define RUNTIMED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "runtimed/meter.h"
#include "runtimed/record.h"

#define STORE_COMMIT_US    2000
#define STORE_BATCH_MAX    128
#define STORE_RECORDS_MAX  32768
#define STORE_RECORDS_FULL (STORE_RECORDS_MAX / 2)

struct store;

/*
 * Open the store in dir (exists, ours alone; files are made 0600). Blocks: quick_check reads both
 * files, about 0.3 s per million records. -EUCLEAN: a file is damaged or not ours; -ENOTSUP: made by a newer version of the daemon.
 */
int store_open(const char *dir, uv_loop_t *loop, struct store **ret, struct err *e);

/* Block until all that was queued is durable, or fail with why the disk refused it. */
int store_drain(struct store *s, struct err *e);

/*
 * Try once to write what is queued, stop the threads, call every done() that is due (a usage still
 * running gets -ECANCELED). Records that cannot be written are lost: call store_drain() first to hear
 * of it. NULL is fine.
 */
void store_close(struct store *s);

/* Queue a copy. Never blocks. -EAGAIN: the queue is at its bound (or no memory); the row is lost. */
int store_record(struct store *s, const struct record *rec, struct err *e);

/* Whether new invocations must be refused until the writer has caught up. */
bool store_is_full(struct store *s);

/* Counters since start, for metrics. */
struct store_stats {
	uint64_t queued;   /* records waiting now */
	uint64_t written;  /* records durable */
	uint64_t refused;  /* by store_record(): lost */
	uint64_t commits;  /* of the ledger */
	uint64_t failures; /* commits that failed and were tried again */
};
void store_get_stats(struct store *s, struct store_stats *ret);

/*
 * Make a function's row, or replace it; remove it (a missing one is fine). name and json are copied;
 * changes are made in the order asked for. Negative only when nothing was queued (-ENOMEM): then
 * done() is not called.
 */
typedef void store_done_fn(void *arg, const struct err *e);
int store_put_function(struct store *s, const char *name, const char *json, store_done_fn *done,
		       void *arg);
int store_delete_function(struct store *s, const char *name, store_done_fn *done, void *arg);

/*
 * Call each() for every function on disk in name order; a negative result of each() ends it and is
 * returned, e untouched. Blocks: for the start, before the loop runs. json is NUL-terminated, n bytes.
 */
int store_load_functions(struct store *s,
			 int (*each)(void *arg, const char *name, const char *json, size_t n),
			 void *arg, struct err *e);

/*
 * Sum the records of a function received at since_wall_us or later, including every one queued before
 * this call. usage is NULL when e->code is not 0.
 */
typedef void store_usage_fn(void *arg, const struct usage *usage, const struct err *e);
int store_usage(struct store *s, const char *function, uint64_t since_wall_us, store_usage_fn *done,
		void *arg);

#endif

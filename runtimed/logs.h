/*
 * Logs of functions: JSON lines in files of bounded size, written by a thread of their own.
 *
 *	DIR/<function>.log      {"seq":7,"t":<wall µs>,"id":"<request id>","line":"..."}\n
 *	DIR/<function>.log.1    the same, older; replaced when log has reached half the bound
 *
 * seq grows by one per line of a function and survives restarts. A crash of the machine may lose the
 * last lines (nothing is synced: these are logs, the ledger is elsewhere); a torn last line is cut off
 * when the file is used again.
 *
 * logs_append() never blocks. When the writer cannot keep up, or the disk is full, lines are dropped
 * and counted; the count stands in the log as a line "N log lines dropped" with an empty id.
 *
 * All functions are called from the loop's thread, and so is every done(), never from within the call
 * that asked for it, except by logs_close(). Function names have been checked by func_check().
 */
#ifndef RUNTIMED_LOGS_H
#define RUNTIMED_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

#define LOGS_QUEUE_BYTES_MAX (8 << 20)
#define LOGS_WAIT_MAX_US     (60 * UINT64_C(1000000))

struct logs;
struct logs_query; /* a read that has not been answered */

/*
 * dirfd: the directory that holds all files; duplicated, the caller keeps its own.
 * bytes_max: config.log_file_bytes_max, for both files of a function together.
 */
int logs_open(int dirfd, uint64_t bytes_max, uv_loop_t *loop, struct logs **ret, struct err *e);

/*
 * Write what is queued, stop the thread, answer every query (waiting ones as if their time was up).
 * Run the loop once more afterwards: it frees the handle. NULL is fine.
 */
void logs_close(struct logs *l);

/*
 * Queue one line (without its end; not empty-checked, any bytes). request_id may be "". The time is
 * that of the call. Returns 0, or LOGS_E_DROPPED: counted, and told in the log later.
 */
enum logs_outcome { LOGS_E_DROPPED = 1 };
int logs_append(struct logs *l, const char *function, const char *request_id, const char *line,
		size_t n);

/* Lines dropped since start, for metrics. */
uint64_t logs_dropped(struct logs *l);

/*
 * What a read gives. Whole lines as they stand in the file, in order, all with seq > after; at most
 * max_bytes, but at least one line if there is any. To go on, pass last_sequence as after.
 */
struct logs_page {
	const char *data; /* borrowed until done() returns */
	size_t size;
	uint64_t last_sequence; /* of the last line in data; after itself if there is none */
	bool is_gap;            /* lines between after and the first one are gone */
};
typedef void logs_done_fn(void *arg, const struct logs_page *page, const struct err *e);

/*
 * Read, or wait up to wait_us (at most LOGS_WAIT_MAX_US; 0 = do not wait) until there is a line after
 * the sequence number, then read. An empty page = time is up, or no such log. All lines queued before
 * the call are seen. An after beyond the newest line (the log was deleted since) begins anew.
 * page is NULL when e->code is not 0. Negative (-ENOMEM): done() is not called.
 */
int logs_read(struct logs *l, const char *function, uint64_t after, size_t max_bytes,
	      logs_done_fn *done, void *arg);
int logs_wait(struct logs *l, const char *function, uint64_t after, size_t max_bytes,
	      uint64_t wait_us, logs_done_fn *done, void *arg, struct logs_query **ret);

/* Before done() was called: it will not be. */
void logs_cancel(struct logs_query *q);

/* Remove a function's log, in order with lines queued before. */
int logs_delete(struct logs *l, const char *function);

#endif

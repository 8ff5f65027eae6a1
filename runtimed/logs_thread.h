/*
 * The queue and the thread behind the logs: private to logs.c (the loop's side) and logs_thread.c.
 *
 * One queue leads to the writer: lines, queries and deletions, in the order asked for, so a query sees
 * every line queued before it. A query that finds nothing waits in the writer's own list. What stands
 * below lock in struct logs is shared; the tables of the writer are its own.
 */
#ifndef RUNTIMED_LOGS_THREAD_H
#define RUNTIMED_LOGS_THREAD_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "runtimed/func.h"
#include "runtimed/logs.h"
#include "runtimed/mailbox.h"

#define LOGS_BUCKETS   256
#define REQUEST_ID_MAX 36

/*
 * Lines are gathered for so long: those of one call are written at once, and not while it starts. The writer
 * then took a processor for 0.2 ms, and the launcher waited for it.
 */
#define LOGS_GATHER_US 5000

enum item_kind { ITEM_LINE, ITEM_QUERY, ITEM_DELETE, ITEM_KINDS };

struct item {
	struct letter letter; /* its link: the queue, the waiting, the mailbox, one after another */
	enum item_kind kind;
	size_t bytes; /* against the queue's bound; 0 for all but lines */
	char function[FUNC_NAME_MAX + 1];
};

struct line {
	struct item item;
	uint64_t wall_us;
	char request_id[REQUEST_ID_MAX + 1];
	size_t n;
	char text[];
};

struct logs_query {
	struct item item;
	atomic_bool is_cancelled; /* set by the loop's thread, which alone reads done */
	uint64_t after, deadline_us;
	size_t max_bytes;
	struct buf data;
	struct logs_page page;
	struct err err;
	struct logs *logs;
	logs_done_fn *done;
	void *arg;
};

struct dropped {
	struct list link;
	uint64_t n;
	char function[FUNC_NAME_MAX + 1];
};

struct logs {
	struct mailbox *mailbox;
	int dirfd;
	uint64_t bytes_max;
	pthread_t thread;
	bool has_thread;

	/* the writer's */
	struct list buckets[LOGS_BUCKETS]; /* struct logfile */
	struct list dirty;                 /* struct logfile: lines not yet written */
	struct list waiting;               /* struct item: queries */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list queue, drops;
	size_t queued_bytes;
	uint64_t queued_us; /* when the first of the queue came */
	uint64_t n_dropped;
	bool is_closing;
	bool is_urgent; /* there is more than lines to gather, or a waiting query was cancelled */
};

static inline struct logs_query *query_of(struct item *item)
{
	return container_of(item, struct logs_query, item);
}

/* The thread function, of a struct logs. Ends once is_closing is set and all was written. */
void *logs_writer(void *logs);

#endif

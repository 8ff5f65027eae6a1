/*
 * Threads and queues of the store: private to store.c (the loop's side) and store_threads.c.
 *
 * Two queues lead to the writer: rows of the ledger, and changes of functions. Changes are made first,
 * each in a commit of its own, and succeed or fail at once: somebody waits for the answer. Rows are
 * gathered and committed together; when that fails they go back to the head of their queue, so nothing
 * but store_close() ever drops one. Questions (store_usage) lead to the reader.
 *
 * lock guards everything in struct store that stands below it. Each database belongs to one thread.
 */
#ifndef RUNTIMED_STORE_THREADS_H
#define RUNTIMED_STORE_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "runtimed/mailbox.h"
#include "runtimed/store.h"
#include "runtimed/store_db.h"

struct row {
	struct list link;
	uint64_t queued_us;
	struct record rec;
};

/* A change or a question; answered by running its letter on the loop. */
struct task {
	struct letter letter; /* its link serves the queue before */
	struct err err;
	void *arg;
	/* a change: json NULL removes */
	store_done_fn *done;
	char *json;
	/* a question */
	store_usage_fn *answer;
	uint64_t since_wall_us;
	uint64_t after_row; /* rows that must be durable first */
	struct usage usage;
	char name[]; /* of the function */
};

struct store {
	char *dir;
	struct mailbox *mailbox;
	struct store_db *writer_db, *reader_db;
	pthread_t writer, reader;
	bool has_writer, has_reader;

	pthread_mutex_t lock;
	pthread_cond_t writer_wake, reader_wake, progress;
	struct list rows, changes, questions;
	uint64_t n_added, n_changes; /* rows ever queued; changes not yet made */
	bool is_closing;
	bool is_flushing;  /* somebody waits: do not gather */
	bool has_given_up; /* closing, and the last try failed */
	bool wants_checkpoint;
	uint64_t retry_us;  /* not before; 0 = the last commit succeeded */
	struct err failure; /* of the last commit, when retry_us is set */
	struct store_stats stats;
};

/* Thread functions, of a struct store. Both end once is_closing is set and their queues are empty. */
void *store_writer(void *store);
void *store_reader(void *store);

/*
 * With the lock held: return when so many rows were written, or with the failure of the next commit.
 * Makes the writer commit at once.
 */
int store_wait_durable(struct store *s, uint64_t n_rows, struct err *e);

void store_free_rows(struct list *rows);

#endif

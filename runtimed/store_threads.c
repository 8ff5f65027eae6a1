/* The writer and the reader: see store_threads.h. The SQL is in store_db.c. */
#include "runtimed/store_threads.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clk.h"
#include "base/mem.h"

#define RETRY_US         (100 * CLK_US_PER_MS)
#define WAL_PAGES_STEP   1000  /* 4 MB: the reader copies the log back */
#define WAL_PAGES_MAX    16384 /* 64 MB: it cannot keep up, the writer stops and does it */
#define CHECKPOINT_TRIES 4

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_us)
{
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_us / CLK_US_PER_SEC),
		.tv_nsec = (long)(deadline_us % CLK_US_PER_SEC * 1000),
	};

	(void)pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &ts); /* callers look again */
}

static struct row *first_row(struct store *s)
{
	return container_of(s->rows.next, struct row, link);
}

static void move_all(struct list *from, struct list *to)
{
	list_for_each (pos, from) {
		list_del(pos);
		list_add_tail(to, pos);
	}
}

/* --- the writer ------------------------------------------------------------------------------- */

/* When the rows are due: gathered for a while, or after the pause that follows a failure. */
static uint64_t rows_due_us(struct store *s)
{
	if (list_is_empty(&s->rows))
		return UINT64_MAX;
	if (s->is_flushing || s->is_closing)
		return 0;
	if (s->retry_us)
		return s->retry_us;
	if (s->stats.queued >= STORE_BATCH_MAX)
		return 0;
	return first_row(s)->queued_us + STORE_COMMIT_US;
}

/* Returns when there is work; false when there will be none. */
static bool writer_wait(struct store *s)
{
	for (;;) {
		uint64_t due_us = rows_due_us(s);

		if (!list_is_empty(&s->changes))
			return true;
		if (s->is_closing && (s->has_given_up || due_us == UINT64_MAX))
			return false;
		if (due_us == UINT64_MAX)
			pthread_cond_wait(&s->writer_wake, &s->lock);
		else if (due_us > clk_now_us())
			wait_until(&s->writer_wake, &s->lock, due_us);
		else
			return true;
	}
}

static size_t take_rows(struct store *s, struct list *batch)
{
	size_t n = 0;

	if (rows_due_us(s) > clk_now_us())
		return 0;
	while (n < STORE_BATCH_MAX && !list_is_empty(&s->rows)) {
		struct list *link = s->rows.next;

		list_del(link);
		list_add_tail(batch, link);
		n++;
	}
	return n;
}

static uint64_t write_changes(struct store *s, struct list *changes)
{
	uint64_t n = 0;

	list_for_each (pos, changes) {
		struct task *t = container_of(pos, struct task, letter.link);

		list_del(pos);
		(void)store_db_set_function(s->writer_db, t->name, t->json, &t->err);
		mailbox_post(s->mailbox, &t->letter); /* carries the error */
		n++;
	}
	return n;
}

static int write_rows(struct store *s, struct list *batch, struct err *e)
{
	int r = store_db_begin(s->writer_db, e);

	if (r < 0)
		return r;
	list_for_each (pos, batch) {
		r = store_db_add(s->writer_db, &container_of(pos, struct row, link)->rec, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = store_db_commit(s->writer_db, e);
	if (r < 0)
		store_db_rollback(s->writer_db);
	return r;
}

void store_free_rows(struct list *rows)
{
	list_for_each (pos, rows) {
		list_del(pos);
		free(container_of(pos, struct row, link));
	}
}

static void account_rows(struct store *s, struct list *batch, size_t n, int result,
			 const struct err *e)
{
	if (result == 0) {
		s->stats.queued -= n;
		s->stats.written += n;
		s->stats.commits++;
		s->retry_us = 0;
		return;
	}
	while (!list_is_empty(batch)) {
		struct list *last = batch->prev;

		list_del(last);
		list_add_head(&s->rows, last);
	}
	s->stats.failures++;
	s->failure = *e;
	s->retry_us = clk_now_us() + RETRY_US;
	s->has_given_up = s->is_closing;
}

/*
 * The reader copies the log back while we write on, so it may never reach the log's end, where SQLite
 * starts over at its beginning; beyond WAL_PAGES_MAX nobody writes until it has. Asked for once per
 * step, not once per commit.
 */
static bool check_wal(struct store *s, int asked_at[STORE_FILES])
{
	struct err e;
	bool wants = false;

	for (enum store_file i = 0; i < STORE_FILES; i++) {
		int pages = store_db_wal_pages(s->writer_db, i);

		if (pages < asked_at[i])
			asked_at[i] = 0; /* started over */
		if (pages < asked_at[i] + WAL_PAGES_STEP)
			continue;
		asked_at[i] = pages;
		wants = true;
		if (pages >= WAL_PAGES_MAX)
			(void)store_db_checkpoint(s->writer_db, i, &e); /* tried again next step */
	}
	return wants;
}

void *store_writer(void *arg)
{
	struct store *s = arg;
	int asked_at[STORE_FILES] = {0};

	pthread_mutex_lock(&s->lock);
	while (writer_wait(s)) {
		struct list changes = LIST_INIT(changes), batch = LIST_INIT(batch);
		struct err e = ERR_INIT;
		size_t n_rows = take_rows(s, &batch);
		uint64_t n_changes;
		bool wants;
		int r = 0;

		s->is_flushing = false;
		move_all(&s->changes, &changes);
		pthread_mutex_unlock(&s->lock);
		n_changes = write_changes(s, &changes);
		if (n_rows > 0)
			r = write_rows(s, &batch, &e);
		if (r == 0)
			store_free_rows(&batch);
		wants = check_wal(s, asked_at);

		pthread_mutex_lock(&s->lock);
		s->n_changes -= n_changes;
		if (n_rows > 0)
			account_rows(s, &batch, n_rows, r, &e);
		s->wants_checkpoint |= wants;
		pthread_cond_broadcast(&s->progress);
		if (wants)
			pthread_cond_signal(&s->reader_wake);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int store_wait_durable(struct store *s, uint64_t row, struct err *e)
{
	uint64_t failures = s->stats.failures;

	while (s->stats.written < row) {
		if (s->stats.failures != failures || s->has_given_up) {
			*e = s->failure;
			return -e->code;
		}
		s->is_flushing = true;
		pthread_cond_signal(&s->writer_wake);
		pthread_cond_wait(&s->progress, &s->lock);
	}
	return 0;
}

/* --- the reader ------------------------------------------------------------------------------- */

static void answer(struct store *s, struct task *t)
{
	bool is_closing = s->is_closing;
	int r = 0;

	if (!is_closing)
		r = store_wait_durable(s, t->after_row, &t->err);
	pthread_mutex_unlock(&s->lock);
	if (is_closing)
		(void)err_set(&t->err, ECANCELED, "usage: the store is closing");
	else if (r == 0)
		(void)store_db_sum(s->reader_db, t->name, t->since_wall_us, &t->usage, &t->err);
	mailbox_post(s->mailbox, &t->letter);
	pthread_mutex_lock(&s->lock);
}

static void checkpoint(struct store *s)
{
	struct err e; /* a failure here shows as a failing commit soon enough */

	s->wants_checkpoint = false;
	pthread_mutex_unlock(&s->lock);
	for (enum store_file i = 0; i < STORE_FILES; i++)
		for (int n = 0; n < CHECKPOINT_TRIES; n++)
			if (store_db_checkpoint(s->reader_db, i, &e) <= 0)
				break;
	pthread_mutex_lock(&s->lock);
}

void *store_reader(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		struct list *first = s->questions.next;

		if (first != &s->questions) {
			list_del(first);
			answer(s, container_of(first, struct task, letter.link));
		} else if (s->is_closing) {
			break;
		} else if (s->wants_checkpoint) {
			checkpoint(s);
		} else {
			pthread_cond_wait(&s->reader_wake, &s->lock);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

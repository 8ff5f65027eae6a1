/* The loop's side of the store: see store.h; its threads are in store_threads.c. */
#include "runtimed/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/store_threads.h"

static int start(struct store *s, pthread_t *thread, bool *has, void *(*run)(void *), struct err *e)
{
	int r = pthread_create(thread, NULL, run, s);

	if (r != 0)
		return err_set(e, r, "store: thread: %s", strerror(r));
	*has = true;
	return 0;
}

static int open_parts(struct store *s, const char *dir, uv_loop_t *loop, struct err *e)
{
	int r;

	s->dir = strdup(dir);
	if (!s->dir)
		return err_set(e, ENOMEM, "out of memory");
	r = store_db_open(dir, &s->writer_db, e);
	if (r == 0)
		r = store_db_reopen(dir, &s->reader_db, e);
	if (r == 0)
		r = mailbox_open(loop, &s->mailbox, e);
	if (r == 0)
		r = start(s, &s->writer, &s->has_writer, store_writer, e);
	if (r == 0)
		r = start(s, &s->reader, &s->has_reader, store_reader, e);
	return r;
}

int store_open(const char *dir, uv_loop_t *loop, struct store **ret, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ENOMEM, "store: out of memory");
	s->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	s->writer_wake = s->reader_wake = s->progress = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	list_init(&s->rows);
	list_init(&s->changes);
	list_init(&s->questions);
	r = open_parts(s, dir, loop, e);
	if (r < 0) {
		store_close(s);
		return err_wrap(e, "store '%s'", dir);
	}
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_cond_broadcast(&s->writer_wake);
	pthread_cond_broadcast(&s->reader_wake);
	pthread_mutex_unlock(&s->lock);
	if (s->has_reader) {
		store_db_interrupt(s->reader_db);
		(void)pthread_join(s->reader, NULL); /* fails only for a thread that is none */
	}
	if (s->has_writer)
		(void)pthread_join(s->writer, NULL);
	store_free_rows(&s->rows);
	store_db_close(s->reader_db);
	store_db_close(s->writer_db);
	mailbox_close(s->mailbox);
	free(s->dir);
	free(s);
}

int store_drain(struct store *s, struct err *e)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = store_wait_durable(s, s->n_added, e);
	while (s->n_changes > 0)
		pthread_cond_wait(&s->progress, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_record(struct store *s, const struct record *rec, struct err *e)
{
	struct row *row = malloc(sizeof(*row));
	bool is_taken;

	if (row)
		*row = (struct row){.queued_us = clk_now_us(), .rec = *rec};
	pthread_mutex_lock(&s->lock);
	is_taken = row && s->stats.queued < STORE_RECORDS_MAX;
	if (is_taken) {
		list_add_tail(&s->rows, &row->link);
		s->stats.queued++;
		s->n_added++;
		/* Otherwise the writer waits for the time of an earlier row already. */
		if (s->stats.queued == 1 || s->stats.queued == STORE_BATCH_MAX)
			pthread_cond_signal(&s->writer_wake);
	} else {
		s->stats.refused++;
	}
	pthread_mutex_unlock(&s->lock);
	if (is_taken)
		return 0;
	free(row);
	return err_set(e, EAGAIN, "ledger: record %s refused, %d are waiting", rec->request_id,
		       STORE_RECORDS_MAX);
}

bool store_is_full(struct store *s)
{
	struct store_stats stats;

	store_get_stats(s, &stats);
	return stats.queued >= STORE_RECORDS_FULL;
}

void store_get_stats(struct store *s, struct store_stats *ret)
{
	pthread_mutex_lock(&s->lock);
	*ret = s->stats;
	pthread_mutex_unlock(&s->lock);
}

static void run_task(struct letter *letter)
{
	struct task *t = container_of(letter, struct task, letter);

	if (t->done)
		t->done(t->arg, &t->err);
	else
		t->answer(t->arg, t->err.code ? NULL : &t->usage, &t->err);
	free(t->json);
	free(t);
}

static struct task *task_new(const char *name, void *arg)
{
	size_t n = strlen(name) + 1;
	struct task *t = calloc(1, sizeof(*t) + n);

	if (!t)
		return NULL;
	memcpy(t->name, name, n);
	t->arg = arg;
	t->letter.run = run_task;
	return t;
}

static void queue_change(struct store *s, struct task *t)
{
	pthread_mutex_lock(&s->lock);
	list_add_tail(&s->changes, &t->letter.link);
	s->n_changes++;
	pthread_cond_signal(&s->writer_wake);
	pthread_mutex_unlock(&s->lock);
}

int store_put_function(struct store *s, const char *name, const char *json, store_done_fn *done,
		       void *arg)
{
	struct task *t = task_new(name, arg);
	char *copy = strdup(json);

	if (!t || !copy) {
		free(t);
		free(copy);
		return -ENOMEM;
	}
	t->json = copy;
	t->done = done;
	queue_change(s, t);
	return 0;
}

int store_delete_function(struct store *s, const char *name, store_done_fn *done, void *arg)
{
	struct task *t = task_new(name, arg);

	if (!t)
		return -ENOMEM;
	t->done = done;
	queue_change(s, t);
	return 0;
}

int store_load_functions(struct store *s,
			 int (*each)(void *arg, const char *name, const char *json, size_t n),
			 void *arg, struct err *e)
{
	struct store_db *db; /* the others belong to the threads */
	int r = store_db_reopen(s->dir, &db, e);

	if (r < 0)
		return r;
	r = store_db_each_function(db, each, arg, e);
	store_db_close(db);
	return r;
}

int store_usage(struct store *s, const char *function, uint64_t since_wall_us, store_usage_fn *done,
		void *arg)
{
	struct task *t = task_new(function, arg);

	if (!t)
		return -ENOMEM;
	t->answer = done;
	t->since_wall_us = since_wall_us;
	pthread_mutex_lock(&s->lock);
	t->after_row = s->n_added;
	list_add_tail(&s->questions, &t->letter.link);
	pthread_cond_signal(&s->reader_wake);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

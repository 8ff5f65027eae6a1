/* The loop's side of the logs: see logs.h; the thread behind is in logs_thread.c. */
#include "runtimed/logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "runtimed/logs_file.h"
#include "runtimed/logs_thread.h"

#define PAGE_MAX (8 << 20)

static int open_parts(struct logs *l, int dirfd, uv_loop_t *loop, struct err *e)
{
	int r = file_open_dir(dirfd, ".", &l->dirfd, e);

	if (r == 0)
		r = mailbox_open(loop, &l->mailbox, e);
	if (r < 0)
		return r;
	r = pthread_create(&l->thread, NULL, logs_writer, l);
	if (r != 0)
		return err_set(e, r, "logs: thread: %s", strerror(r));
	l->has_thread = true;
	return 0;
}

int logs_open(int dirfd, uint64_t bytes_max, uv_loop_t *loop, struct logs **ret, struct err *e)
{
	struct logs *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, ENOMEM, "logs: out of memory");
	l->dirfd = -1;
	l->bytes_max = bytes_max;
	l->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	l->wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	for (size_t i = 0; i < LOGS_BUCKETS; i++)
		list_init(&l->buckets[i]);
	list_init(&l->dirty);
	list_init(&l->waiting);
	list_init(&l->queue);
	list_init(&l->drops);
	r = open_parts(l, dirfd, loop, e);
	if (r < 0) {
		logs_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

void logs_close(struct logs *l)
{
	if (!l)
		return;
	if (l->has_thread) {
		pthread_mutex_lock(&l->lock);
		l->is_closing = true;
		pthread_cond_signal(&l->wake);
		pthread_mutex_unlock(&l->lock);
		(void)pthread_join(l->thread, NULL); /* fails only for a thread that is none */
	}
	for (size_t i = 0; i < LOGS_BUCKETS; i++)
		list_for_each (pos, &l->buckets[i])
			logfile_free(container_of(pos, struct logfile, link));
	mailbox_close(l->mailbox);
	fd_close(&l->dirfd);
	free(l);
}

/* With the lock held. Without memory even for this, only the sum is right. */
static void note_drop(struct logs *l, const char *function)
{
	struct dropped *d;

	l->n_dropped++;
	list_for_each (pos, &l->drops) {
		d = container_of(pos, struct dropped, link);
		if (str_is(d->function, function)) {
			d->n++;
			return;
		}
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return;
	(void)str_copy(d->function, sizeof(d->function), function); /* checked: fits */
	d->n = 1;
	list_add_tail(&l->drops, &d->link);
}

static void init_item(struct item *item, enum item_kind kind, const char *function)
{
	list_init(&item->letter.link);
	item->kind = kind;
	(void)str_copy(item->function, sizeof(item->function), function); /* checked: fits */
}

/* Lines can wait a while, until they fill half the queue; somebody waits for all else. */
static void push(struct logs *l, struct item *item)
{
	bool is_first = list_is_empty(&l->queue);

	if (is_first)
		l->queued_us = clk_now_us();
	list_add_tail(&l->queue, &item->letter.link);
	l->queued_bytes += item->bytes;
	if (item->kind != ITEM_LINE || l->queued_bytes > LOGS_QUEUE_BYTES_MAX / 2)
		l->is_urgent = true;
	if (is_first || l->is_urgent)
		pthread_cond_signal(&l->wake);
}

int logs_append(struct logs *l, const char *function, const char *request_id, const char *text,
		size_t n)
{
	struct line *line;
	bool is_taken;

	if (n > LOGLINES_LINE_MAX)
		n = LOGLINES_LINE_MAX;
	line = malloc(sizeof(*line) + n);
	if (line) {
		init_item(&line->item, ITEM_LINE, function);
		line->item.bytes = sizeof(*line) + n;
		line->wall_us = clk_wall_us();
		(void)str_copy(line->request_id, sizeof(line->request_id), request_id);
		line->n = n;
		memcpy(line->text, text, n);
	}
	pthread_mutex_lock(&l->lock);
	is_taken = line && l->queued_bytes + line->item.bytes <= LOGS_QUEUE_BYTES_MAX;
	if (is_taken)
		push(l, &line->item);
	else
		note_drop(l, function);
	pthread_mutex_unlock(&l->lock);
	if (is_taken)
		return 0;
	free(line);
	return LOGS_E_DROPPED;
}

uint64_t logs_dropped(struct logs *l)
{
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	n = l->n_dropped;
	pthread_mutex_unlock(&l->lock);
	return n;
}

static void answer(struct letter *letter)
{
	struct logs_query *q = query_of(container_of(letter, struct item, letter));

	if (q->done)
		q->done(q->arg, q->err.code ? NULL : &q->page, &q->err);
	buf_fini(&q->data);
	free(q);
}

int logs_wait(struct logs *l, const char *function, uint64_t after, size_t max_bytes,
	      uint64_t wait_us, logs_done_fn *done, void *arg, struct logs_query **ret)
{
	struct logs_query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	init_item(&q->item, ITEM_QUERY, function);
	q->item.letter.run = answer;
	q->after = after;
	q->max_bytes = max_bytes < PAGE_MAX ? max_bytes : PAGE_MAX;
	/* A page may be one line longer than asked for. */
	buf_init(&q->data, q->max_bytes + LOGFILE_LINE_MAX);
	q->deadline_us = clk_now_us() + (wait_us < LOGS_WAIT_MAX_US ? wait_us : LOGS_WAIT_MAX_US);
	q->logs = l;
	q->done = done;
	q->arg = arg;
	pthread_mutex_lock(&l->lock);
	push(l, &q->item);
	pthread_mutex_unlock(&l->lock);
	if (ret)
		*ret = q;
	return 0;
}

int logs_read(struct logs *l, const char *function, uint64_t after, size_t max_bytes,
	      logs_done_fn *done, void *arg)
{
	return logs_wait(l, function, after, max_bytes, 0, done, arg, NULL);
}

void logs_cancel(struct logs_query *q)
{
	struct logs *l = q->logs;

	q->done = NULL;
	pthread_mutex_lock(&l->lock);
	atomic_store(&q->is_cancelled, true);
	l->is_urgent = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
}

int logs_delete(struct logs *l, const char *function)
{
	struct item *item = calloc(1, sizeof(*item));

	if (!item)
		return -ENOMEM;
	init_item(item, ITEM_DELETE, function);
	pthread_mutex_lock(&l->lock);
	push(l, item);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

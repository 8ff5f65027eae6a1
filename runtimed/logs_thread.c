/* The writer of the logs: see logs_thread.h. The files themselves are in logs_file.c. */
#include "runtimed/logs_thread.h"

#include <stdlib.h>
#include <time.h>

#include "base/clk.h"
#include "base/str.h"
#include "runtimed/logs_file.h"

static struct item *item_of(struct list *link)
{
	return container_of(link, struct item, letter.link);
}

static struct list *bucket_of(struct logs *l, const char *function)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	while (*function)
		hash = (hash ^ (unsigned char)*function++) * 16777619u;
	return &l->buckets[hash % LOGS_BUCKETS];
}

static struct logfile *find_file(struct logs *l, const char *function)
{
	list_for_each (pos, bucket_of(l, function)) {
		struct logfile *f = container_of(pos, struct logfile, link);

		if (str_is(f->function, function))
			return f;
	}
	return NULL;
}

static int get_file(struct logs *l, const char *function, struct logfile **ret, struct err *e)
{
	struct logfile *f = find_file(l, function);
	int r = f ? 0 : logfile_new(l->dirfd, function, l->bytes_max, &f, e);

	if (r < 0)
		return r;
	if (list_is_empty(&f->link))
		list_add_tail(bucket_of(l, function), &f->link);
	*ret = f;
	return 0;
}

static void set_dirty(struct logs *l, struct logfile *f)
{
	if (list_is_empty(&f->dirty))
		list_add_tail(&l->dirty, &f->dirty);
}

static void count_dropped(struct logs *l, uint64_t n)
{
	pthread_mutex_lock(&l->lock);
	l->n_dropped += n;
	pthread_mutex_unlock(&l->lock);
}

static void flush(struct logs *l, struct logfile *f)
{
	logfile_flush(f);
	if (f->n_lost > 0)
		count_dropped(l, f->n_lost);
	f->n_lost = 0;
}

static void do_line(struct logs *l, struct item *item)
{
	struct line *line = container_of(item, struct line, item);
	struct logfile *f;
	struct err e;

	if (get_file(l, item->function, &f, &e) < 0) {
		count_dropped(l, 1);
	} else {
		logfile_append(f, line->wall_us, line->request_id, line->text, line->n);
		set_dirty(l, f);
	}
	free(line);
}

static void do_delete(struct logs *l, struct item *item)
{
	struct err e = ERR_INIT;

	logfile_free(find_file(l, item->function));
	(void)logfile_remove(l->dirfd, item->function, &e); /* what stays is still bounded */
	free(item);
}

/* True when the query is done with: it has lines, an error, or was cancelled. */
static bool try_query(struct logs *l, struct logs_query *q)
{
	struct logs_page *page = &q->page;
	struct logfile *f;

	if (atomic_load(&q->is_cancelled) || get_file(l, q->item.function, &f, &q->err) < 0)
		return true;
	flush(l, f);
	page->last_sequence = q->after;
	if (q->after == logfile_last(f))
		return false;
	if (logfile_read(f, q->after, q->max_bytes, &q->data, &page->last_sequence, &page->is_gap,
			 &q->err) < 0)
		return true;
	page->data = q->data.data;
	page->size = q->data.len;
	return page->size > 0;
}

static void do_query(struct logs *l, struct item *item)
{
	if (try_query(l, query_of(item)))
		mailbox_post(l->mailbox, &item->letter);
	else
		list_add_tail(&l->waiting, &item->letter.link);
}

static void (*const actions[ITEM_KINDS])(struct logs *, struct item *) = {
	[ITEM_LINE] = do_line,
	[ITEM_QUERY] = do_query,
	[ITEM_DELETE] = do_delete,
};

/* Do all that was taken; returns how many bytes of the queue are free again. */
static size_t do_items(struct logs *l, struct list *items)
{
	size_t bytes = 0;

	list_for_each (pos, items) {
		struct item *item = item_of(pos);

		list_del(pos);
		bytes += item->bytes;
		actions[item->kind](l, item);
	}
	return bytes;
}

static void do_drops(struct logs *l, struct list *drops)
{
	list_for_each (pos, drops) {
		struct dropped *d = container_of(pos, struct dropped, link);
		struct logfile *f;
		struct err e;

		list_del(pos);
		if (get_file(l, d->function, &f, &e) == 0) {
			logfile_drop(f, d->n);
			set_dirty(l, f);
		}
		free(d);
	}
}

static void flush_all(struct logs *l)
{
	list_for_each (pos, &l->dirty) {
		list_del(pos);
		flush(l, container_of(pos, struct logfile, dirty));
	}
}

/* Answer those whose lines came or whose time is up. Returns the next deadline. */
static uint64_t serve_waiting(struct logs *l, bool is_closing)
{
	uint64_t now_us = clk_now_us(), next_us = UINT64_MAX;

	list_for_each (pos, &l->waiting) {
		struct logs_query *q = query_of(item_of(pos));

		if (try_query(l, q) || is_closing || q->deadline_us <= now_us) {
			list_del(pos);
			mailbox_post(l->mailbox, &q->item.letter);
		} else if (q->deadline_us < next_us) {
			next_us = q->deadline_us;
		}
	}
	return next_us;
}

static void move_all(struct list *from, struct list *to)
{
	list_for_each (pos, from) {
		list_del(pos);
		list_add_tail(to, pos);
	}
}

/* When there is something to do; query_us: for the waiting queries. */
static uint64_t due_us(const struct logs *l, uint64_t query_us)
{
	uint64_t lines_us = list_is_empty(&l->queue) ? UINT64_MAX : l->queued_us + LOGS_GATHER_US;

	if (l->is_closing || l->is_urgent)
		return 0;
	return lines_us < query_us ? lines_us : query_us;
}

static void wait_for_work(struct logs *l, uint64_t query_us)
{
	uint64_t until_us;

	while ((until_us = due_us(l, query_us)) > clk_now_us()) {
		struct timespec ts = {
			.tv_sec = (time_t)(until_us / CLK_US_PER_SEC),
			.tv_nsec = (long)(until_us % CLK_US_PER_SEC * 1000),
		};

		if (until_us == UINT64_MAX)
			pthread_cond_wait(&l->wake, &l->lock);
		else
			(void)pthread_cond_clockwait(&l->wake, &l->lock, CLOCK_MONOTONIC, &ts);
	}
}

void *logs_writer(void *arg)
{
	struct logs *l = arg;
	uint64_t deadline_us = UINT64_MAX;
	bool is_closing = false;

	while (!is_closing) {
		struct list items = LIST_INIT(items), drops = LIST_INIT(drops);
		size_t bytes;

		pthread_mutex_lock(&l->lock);
		wait_for_work(l, deadline_us);
		l->is_urgent = false;
		is_closing = l->is_closing;
		move_all(&l->queue, &items);
		move_all(&l->drops, &drops);
		pthread_mutex_unlock(&l->lock);

		bytes = do_items(l, &items);
		do_drops(l, &drops);
		flush_all(l);
		deadline_us = serve_waiting(l, is_closing);

		pthread_mutex_lock(&l->lock);
		l->queued_bytes -= bytes;
		pthread_mutex_unlock(&l->lock);
	}
	return NULL;
}

/* From a thread to the loop: see mailbox.h. */
#include "runtimed/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

struct mailbox {
	uv_async_t async;
	pthread_mutex_t lock; /* guards letters */
	struct list letters;
};

/* A letter posted by run() itself is run too: the loop ends only when the box is empty. */
static void deliver(uv_async_t *async)
{
	struct mailbox *m = container_of(async, struct mailbox, async);

	for (;;) {
		struct list *first;

		pthread_mutex_lock(&m->lock);
		first = m->letters.next;
		list_del(first); /* harmless on the head of an empty list */
		pthread_mutex_unlock(&m->lock);
		if (first == &m->letters)
			return;
		container_of(first, struct letter, link)
			->run(container_of(first, struct letter, link));
	}
}

int mailbox_open(uv_loop_t *loop, struct mailbox **ret, struct err *e)
{
	struct mailbox *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(e, ENOMEM, "mailbox: out of memory");
	m->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	list_init(&m->letters);
	r = uv_async_init(loop, &m->async, deliver);
	if (r < 0) {
		free(m);
		return err_set(e, -r, "mailbox: %s", uv_strerror(r));
	}
	*ret = m;
	return 0;
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
	pthread_mutex_lock(&m->lock);
	list_add_tail(&m->letters, &letter->link);
	pthread_mutex_unlock(&m->lock);
	(void)uv_async_send(&m->async); /* fails only for a handle of another kind */
}

static void on_closed(uv_handle_t *handle)
{
	free(container_of((uv_async_t *)handle, struct mailbox, async));
}

void mailbox_close(struct mailbox *m)
{
	if (!m)
		return;
	deliver(&m->async);
	uv_close((uv_handle_t *)&m->async, on_closed);
}

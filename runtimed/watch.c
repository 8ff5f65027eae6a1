/* The launcher's event loop: see watch.h. */
#include "runtimed/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/fd.h"

#define EVENTS_PER_TURN 64

struct watches {
	int epoll;
	int n_ready, at; /* of the turn that is being delivered */
	struct epoll_event ready[EVENTS_PER_TURN];
};

int watches_new(struct watches **ret, struct err *e)
{
	struct watches *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return err_set(e, ENOMEM, "event loop");
	ws->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (ws->epoll < 0) {
		free(ws);
		return err_errno(e, "epoll_create1");
	}
	*ret = ws;
	return 0;
}

void watches_free(struct watches *ws)
{
	if (!ws)
		return;
	fd_close(&ws->epoll);
	free(ws);
}

int watch_add(struct watches *ws, struct watch *w, int fd, void (*ready)(void *arg), void *arg,
	      struct err *e)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = w};

	if (epoll_ctl(ws->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_errno(e, "watch descriptor %d", fd);
	*w = (struct watch){.fd = fd, .ready = ready, .arg = arg, .of = ws};
	return 0;
}

void watch_drop(struct watch *w)
{
	struct watches *ws = w->of;

	if (!ws)
		return;
	(void)epoll_ctl(ws->epoll, EPOLL_CTL_DEL, w->fd,
			NULL); /* only fails if it is not in there */
	for (int i = ws->at; i < ws->n_ready; i++)
		if (ws->ready[i].data.ptr == w)
			ws->ready[i].data.ptr = NULL;
	w->of = NULL;
}

int watches_turn(struct watches *ws, int timeout_ms, struct err *e)
{
	int n = epoll_wait(ws->epoll, ws->ready, EVENTS_PER_TURN, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : err_errno(e, "epoll_wait");
	ws->n_ready = n;
	for (ws->at = 0; ws->at < ws->n_ready; ws->at++) {
		struct watch *w = ws->ready[ws->at].data.ptr;

		if (w)
			w->ready(w->arg);
	}
	ws->n_ready = 0;
	return 0;
}

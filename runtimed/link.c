/* The core's line to the launcher: see link.h. */
#include "runtimed/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtimed/core.h"
#include "runtimed/package.h"
#include "runtimed/pool.h"

/* Beyond this the launcher has stopped reading; it would be dead or stopped by a debugger. */
#define QUEUE_MAX 16384

struct waiting {
	struct list link;
	int fd; /* ours, or -1 */
	size_t size;
	union launch_message m;
};

struct link {
	struct core *core;
	int sock;
	uv_poll_t poll;
	struct list queue;
	uint32_t n_queue;
};

/* Without the launcher there is nothing to serve with, and it reaps us: no undoing here. */
static __attribute__((noreturn)) void die(const struct err *e)
{
	log_err(e);
	_exit(EXIT_FAILURE);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct link *l)
{
	int events = UV_READABLE | (list_is_empty(&l->queue) ? 0 : UV_WRITABLE);

	(void)uv_poll_start(&l->poll, events, on_event); /* fails only for a closing handle */
}

static void waiting_free(struct waiting *w)
{
	list_del(&w->link);
	fd_close(&w->fd);
	free(w);
}

static void flush(struct link *l)
{
	struct err e = ERR_INIT;

	while (!list_is_empty(&l->queue)) {
		struct waiting *w = container_of(l->queue.next, struct waiting, link);

		if (sock_send(l->sock, &w->m, w->size, &w->fd, w->fd >= 0, &e) < 0) {
			if (e.code == EAGAIN)
				break;
			die(&e);
		}
		l->n_queue--;
		waiting_free(w);
	}
	watch(l);
}

static void enqueue(struct link *l, const void *m, size_t size, int fd)
{
	struct waiting *w = l->n_queue < QUEUE_MAX ? calloc(1, sizeof(*w)) : NULL;
	struct err e = ERR_INIT;

	if (!w) {
		err_set(&e, ENOBUFS, "the launcher does not read");
		die(&e);
	}
	memcpy(&w->m, m, size);
	w->size = size;
	w->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	list_add_tail(&l->queue, &w->link);
	l->n_queue++;
	watch(l);
}

static void post(struct link *l, const void *m, size_t size, int fd)
{
	struct err e = ERR_INIT;

	if (!list_is_empty(&l->queue) || sock_send(l->sock, m, size, &fd, fd >= 0, &e) < 0) {
		if (e.code != 0 && e.code != EAGAIN)
			die(&e);
		enqueue(l, m, size, fd);
	}
}

void link_ready(struct link *l)
{
	struct launch_ready m = {.type = LAUNCH_READY};

	post(l, &m, sizeof(m), -1);
}

void link_start(struct link *l, const struct launch_start *m)
{
	post(l, m, sizeof(*m), -1);
}

void link_stop(struct link *l, uint64_t id)
{
	struct launch_stop m = {.type = LAUNCH_STOP, .id = id};

	post(l, &m, sizeof(m), -1);
}

int link_unpack(struct core *core, uint64_t job, const uint8_t sha256[LAUNCH_SHA256_LEN],
		const char *module, int fd, struct err *e)
{
	struct launch_unpack m = {.type = LAUNCH_UNPACK, .job = job};

	if (!str_copy(m.module, sizeof(m.module), module))
		return err_set(e, EINVAL, "module name of %zu bytes", strlen(module));
	memcpy(m.code, sha256, sizeof(m.code));
	post(core->link, &m, sizeof(m), fd);
	return 0;
}

int link_forget(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN], struct err *e)
{
	struct launch_forget m = {.type = LAUNCH_FORGET};

	(void)e;
	memcpy(m.code, sha256, sizeof(m.code));
	post(core->link, &m, sizeof(m), -1);
	return 0;
}

/* ---- what the launcher says ---- */

static void on_started(struct core *core, const union launch_message *m, int *fds)
{
	pool_started(core, &m->started, fds);
}

static void on_failed(struct core *core, const union launch_message *m, int *fds)
{
	(void)fds;
	pool_failed(core, &m->failed);
}

static void on_gone(struct core *core, const union launch_message *m, int *fds)
{
	(void)fds;
	pool_gone(core, &m->gone);
}

static void on_unpacked(struct core *core, const union launch_message *m, int *fds)
{
	struct err e = ERR_INIT;

	(void)fds;
	if (!package_unpacked(core, &m->unpacked)) {
		err_set(&e, EPROTO, "launcher: a package nobody sent");
		die(&e);
	}
}

static void on_base(struct core *core, const union launch_message *m, int *fds)
{
	struct err e = ERR_INIT;

	(void)fds;
	if (m->base.image < core->hello.n_images) {
		core->hello.images[m->base.image].base_bytes = m->base.bytes;
	} else {
		err_set(&e, EPROTO, "launcher: memory of an image it has not");
		die(&e);
	}
}

static const struct {
	size_t size;
	size_t n_fds;
	void (*run)(struct core *, const union launch_message *, int *fds);
} messages[] = {
	[LAUNCH_STARTED] = {sizeof(struct launch_started),  LAUNCH_STARTED_FDS, on_started },
	[LAUNCH_FAILED] = {sizeof(struct launch_failed),   0,                  on_failed  },
	[LAUNCH_GONE] = {sizeof(struct launch_gone),     0,                  on_gone    },
	[LAUNCH_UNPACKED] = {sizeof(struct launch_unpacked), 0,                  on_unpacked},
	[LAUNCH_BASE] = {sizeof(struct launch_base),     0,                  on_base    },
};

/* One message; false when there is none. */
static bool receive(struct link *l)
{
	union launch_message m;
	int fds[LAUNCH_STARTED_FDS];
	struct err e = ERR_INIT;
	size_t len = 0, n_fds = 0;
	int r = sock_recv(l->sock, &m, sizeof(m), &len, fds, LAUNCH_STARTED_FDS, &n_fds, &e);

	if (r == SOCK_E_AGAIN)
		return false;
	if (r == SOCK_E_EOF)
		r = err_set(&e, EPIPE, "the launcher is gone");
	if (r == 0 && (m.type >= ARRAY_SIZE(messages) || !messages[m.type].run ||
		       len != messages[m.type].size || n_fds != messages[m.type].n_fds))
		r = err_set(&e, EPROTO, "launcher: message of type %u and %zu bytes", m.type, len);
	if (r < 0)
		die(&e);
	messages[m.type].run(l->core, &m, fds);
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]); /* those the receiver did not take */
	return true;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct link *l = poll->data;

	(void)status; /* an error shows in the next call */
	if (events & UV_WRITABLE)
		flush(l);
	if (events & UV_READABLE)
		while (receive(l))
			;
}

static int hello(struct core *core, int sock, struct err *e)
{
	union launch_message m;
	size_t len = 0;
	int r = sock_recv(sock, &m, sizeof(m), &len, NULL, 0, NULL, e);

	if (r < 0)
		return r;
	if (r > 0 || m.type != LAUNCH_HELLO || len != sizeof(m.hello) ||
	    m.hello.n_images > LAUNCH_IMAGES_MAX)
		return err_set(e, EPROTO, "launcher: no HELLO");
	core->hello = m.hello;
	return 0;
}

int link_open(struct core *core, int sock, struct link **ret, struct err *e)
{
	struct link *l = calloc(1, sizeof(*l));
	int r = l ? hello(core, sock, e) : err_set(e, ENOMEM, "link");

	if (r == 0 && fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
		r = err_errno(e, "launcher socket");
	if (r == 0 && (r = uv_poll_init(&core->loop, &l->poll, sock)) < 0)
		r = err_set(e, -r, "launcher socket: %s", uv_strerror(r));
	if (r < 0) {
		free(l);
		return r;
	}
	l->core = core;
	l->sock = sock;
	l->poll.data = l;
	list_init(&l->queue);
	watch(l);
	*ret = l;
	return 0;
}

static void on_closed(uv_handle_t *h)
{
	struct link *l = h->data;

	fd_close(&l->sock);
	free(l);
}

void link_close(struct link *l)
{
	if (!l)
		return;
	list_for_each (pos, &l->queue)
		waiting_free(container_of(pos, struct waiting, link));
	uv_close((uv_handle_t *)&l->poll, on_closed);
}

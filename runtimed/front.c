/* Listening, deadlines, access, dispatch: see runtimed/front.h. */
#include "runtimed/front.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/conn.h"
#include "runtimed/core.h"
#include "runtimed/sigv4.h"

#define BACKLOG 4096

/* ---- phases and their deadlines ---- */

static uint64_t timeout_of(const struct config *cfg, enum conn_phase phase)
{
	const uint64_t timeouts[CONN_PHASES] = {
		[CONN_IDLE] = cfg->idle_timeout_us,
		[CONN_HEAD] = cfg->header_timeout_us,
		[CONN_BODY] = cfg->body_timeout_us,
		[CONN_BUSY] = 0, /* none */
		[CONN_WRITE] = cfg->body_timeout_us,
		[CONN_LINGER] = CONN_LINGER_US,
		[CONN_GONE] = 0,
	};

	return timeouts[phase];
}

static void on_timer(uv_timer_t *timer);

static void arm(struct front *f, uint64_t due_us, uint64_t now_us)
{
	uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;

	f->timer_due_us = due_us;
	uv_timer_start(&f->timer, on_timer, wait_us / CLK_US_PER_MS + 1, 0);
}

void front_enter(struct conn *c, enum conn_phase phase)
{
	struct front *f = c->front;
	uint64_t timeout_us = timeout_of(&f->core->cfg, phase), now_us = clk_now_us();

	list_del(&c->link);
	list_add_tail(&f->phases[phase], &c->link);
	c->phase = phase;
	c->deadline_us = now_us + timeout_us;
	c->window_left = CONN_WINDOW_BYTES;
	if (timeout_us && (!f->timer_due_us || c->deadline_us < f->timer_due_us))
		arm(f, c->deadline_us, now_us);
}

/* A slow reader is forgiven as long as it reads. */
static bool is_moving(struct conn *c)
{
	size_t queued = uv_stream_get_write_queue_size(&c->u.stream);
	bool is_moving = c->phase == CONN_WRITE && queued + CONN_WINDOW_BYTES <= c->n_queued_bytes;

	c->n_queued_bytes = queued;
	return is_moving;
}

static void expire_phase(struct front *f, enum conn_phase phase, uint64_t now_us, uint64_t *next_us)
{
	while (!list_is_empty(&f->phases[phase])) {
		struct conn *c = container_of(f->phases[phase].next, struct conn, link);

		if (c->deadline_us > now_us) {
			if (!*next_us || c->deadline_us < *next_us)
				*next_us = c->deadline_us;
			return;
		}
		if (is_moving(c))
			front_enter(c, phase);
		else
			conn_expire(c); /* leaves the phase */
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct front *f = container_of(timer, struct front, timer);
	uint64_t now_us = clk_now_us(), next_us = 0;

	f->timer_due_us = 0;
	for (enum conn_phase phase = CONN_IDLE; phase < CONN_PHASES; phase++)
		if (timeout_of(&f->core->cfg, phase))
			expire_phase(f, phase, now_us, &next_us);
	if (next_us && (!f->timer_due_us || next_us < f->timer_due_us))
		arm(f, next_us, now_us);
}

const char *front_date(struct front *f)
{
	uint64_t now_s = clk_wall_us() / CLK_US_PER_SEC;
	time_t t = (time_t)now_s;
	struct tm tm;

	if (now_s != f->date_s) {
		strftime(f->date, sizeof(f->date), "%a, %d %b %Y %T GMT", gmtime_r(&t, &tm));
		f->date_s = now_s;
	}
	return f->date;
}

/* ---- requests ---- */

bool front_may_speak(struct conn *c)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	uv_os_fd_t fd;

	if (!c->is_trusted)
		return true;
	return uv_fileno(&c->u.handle, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static bool may_receive(struct conn *c)
{
	const struct http_request *req = &c->http.req;
	size_t want = req->is_chunked ? c->http.body_max : req->content_length;

	if (want > FRONT_BODIES_MAX - c->front->n_bodies_bytes)
		return false;
	c->n_body_bytes = want;
	c->front->n_bodies_bytes += want;
	return true;
}

bool front_head(struct conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct http_request *req = &c->http.req;
	struct err e = ERR_INIT;
	bool is_found;
	uv_buf_t buf = uv_buf_init((char *)(uintptr_t)go_on, sizeof(go_on) - 1);

	is_found = route_find(req->method, req->path, &c->route, c->call.name, &e) == 0;
	if (!is_found)
		c->route = NULL;
	/* A request that will be refused is read to its end: clients do not listen while they send. */
	c->http.body_max = is_found ? c->route->body_max : API_BODY_MAX;
	if (req->content_length > c->http.body_max) {
		conn_refuse(c, API_TOO_LARGE, "the body is larger than this request may be");
		return false;
	}
	if (!may_receive(c)) {
		conn_refuse(c, API_UNAVAILABLE, "too many uploads at one time");
		return false;
	}
	if (req->expects_continue) /* lost if the buffer is full: clients go on after a while */
		(void)uv_try_write(&c->u.stream, &buf, 1);
	return true;
}

static void refuse_path(struct conn *c)
{
	struct err e = ERR_INIT;
	const struct http_request *req = &c->http.req;

	switch ((enum route_outcome)route_find(req->method, req->path, &c->route, c->call.name,
					       &e)) {
	case ROUTE_E_METHOD:
		api_fail(&c->call, API_METHOD_NOT_ALLOWED, "%s is not for this path", req->method);
		return;
	case ROUTE_E_BAD_NAME:
		api_fail(&c->call, API_INVALID_PARAMETER, "%s", e.text);
		return;
	case ROUTE_E_NO_VERSION:
		api_fail(&c->call, API_NOT_FOUND, "%s", e.text);
		return;
	case ROUTE_E_NOT_FOUND:
		break;
	}
	api_fail(&c->call, API_UNKNOWN_OPERATION, "there is nothing at this path");
}

static const enum api_error denials[] = {
	[SIGV4_E_MISSING] = API_MISSING_TOKEN,
	[SIGV4_E_INCOMPLETE] = API_INCOMPLETE_SIGNATURE,
	[SIGV4_E_UNKNOWN_KEY] = API_UNKNOWN_KEY,
	[SIGV4_E_EXPIRED] = API_BAD_SIGNATURE,
	[SIGV4_E_BAD_SIGNATURE] = API_BAD_SIGNATURE,
};

void front_dispatch(struct conn *c)
{
	const struct core *core = c->front->core;
	bool is_open = c->is_trusted || (c->route && c->route->is_open);
	struct err e = ERR_INIT;
	int r = is_open ? 0
			: sigv4_check(c->front->sigv4, &core->key, &c->http.req, clk_wall_us(), &e);

	if (r < 0)
		api_fail(&c->call, API_SERVICE, "%s", e.text);
	else if (r > 0)
		api_fail(&c->call, denials[r], "%s", e.text);
	else if (!c->route)
		refuse_path(c);
	else
		c->route->handler(&c->call);
}

/* ---- listening ---- */

static void on_connection(uv_stream_t *listener, int status)
{
	if (status == 0)
		conn_accept(listener->data, listener);
}

static int listen_on(uv_stream_t *listener, int opened, const char *what, struct err *e)
{
	int r = opened < 0 ? opened : uv_listen(listener, BACKLOG, on_connection);

	return r < 0 ? err_set(e, -r, "listen on %s: %s", what, uv_strerror(r)) : 0;
}

/* A handle that was initialised must be closed by the loop, also when the opening fails. */
static int start(struct front *f, int unix_fd, int tcp_fd, struct err *e)
{
	int r;

	uv_timer_init(&f->core->loop, &f->timer);
	uv_pipe_init(&f->core->loop, &f->unix_listener, 0);
	uv_tcp_init(&f->core->loop, &f->tcp_listener);
	f->unix_listener.data = f->tcp_listener.data = f;
	f->n_handles = 3;
	r = listen_on((uv_stream_t *)&f->unix_listener, uv_pipe_open(&f->unix_listener, unix_fd),
		      "the unix socket", e);
	if (r == 0 && tcp_fd >= 0)
		r = listen_on((uv_stream_t *)&f->tcp_listener,
			      uv_tcp_open(&f->tcp_listener, tcp_fd), "TCP", e);
	return r;
}

int front_open(struct core *core, int unix_fd, int tcp_fd, struct front **ret, struct err *e)
{
	struct front *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, ENOMEM, "front: out of memory");
	f->core = core;
	list_init(&f->changes);
	for (size_t i = 0; i < CONN_PHASES; i++)
		list_init(&f->phases[i]);
	r = sigv4_new(&f->sigv4, e);
	if (r < 0) {
		free(f);
		return r;
	}
	r = start(f, unix_fd, tcp_fd, e);
	if (r < 0)
		front_close(f);
	else
		*ret = f;
	return r;
}

/* ---- the end ---- */

static void free_if_over(struct front *f)
{
	if (f->n_handles > 0 || !list_is_empty(&f->phases[CONN_GONE]) || f->n_conns > 0)
		return;
	sigv4_free(f->sigv4);
	free(f);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct front *f = handle->data;

	f->n_handles--;
	free_if_over(f);
}

static void close_handle(struct front *f, uv_handle_t *handle)
{
	handle->data = f;
	if (!uv_is_closing(handle))
		uv_close(handle, on_handle_closed);
}

void front_starve(struct front *f, uv_stream_t *listener)
{
	if (listener == (uv_stream_t *)&f->unix_listener)
		f->is_unix_starving = true;
	else
		f->is_tcp_starving = true;
}

static void feed_starving(struct front *f)
{
	bool is_unix = f->is_unix_starving && !uv_is_closing((uv_handle_t *)&f->unix_listener);
	bool is_tcp = f->is_tcp_starving && !uv_is_closing((uv_handle_t *)&f->tcp_listener);

	f->is_unix_starving = f->is_tcp_starving = false;
	if (is_unix)
		conn_accept(f, (uv_stream_t *)&f->unix_listener);
	if (is_tcp)
		conn_accept(f, (uv_stream_t *)&f->tcp_listener);
}

void front_conn_gone(struct front *f)
{
	void (*done)(void *) = f->done;

	feed_starving(f);
	if (f->n_conns > 0 || !list_is_empty(&f->phases[CONN_GONE]))
		return;
	if (done) {
		f->done = NULL;
		done(f->done_arg);
	} else if (uv_is_closing((uv_handle_t *)&f->timer)) {
		free_if_over(f);
	}
}

static void on_stopped(uv_timer_t *timer)
{
	front_conn_gone(container_of(timer, struct front, timer));
}

static void close_phase(struct front *f, enum conn_phase phase)
{
	list_for_each (l, &f->phases[phase])
		conn_close(container_of(l, struct conn, link));
}

void front_stop(struct front *f, void (*done)(void *arg), void *arg)
{
	f->is_stopping = true;
	f->done = done;
	f->done_arg = arg;
	close_handle(f, (uv_handle_t *)&f->unix_listener);
	close_handle(f, (uv_handle_t *)&f->tcp_listener);
	close_phase(f, CONN_IDLE);
	close_phase(f, CONN_LINGER);
	/* Even without connections done() is called later, by the timer's turn of the loop. */
	if (f->n_conns == 0 && list_is_empty(&f->phases[CONN_GONE]))
		uv_timer_start(&f->timer, on_stopped, 0, 0);
}

void front_cut(struct front *f)
{
	f->done = NULL;
	close_phase(f, CONN_HEAD);
	close_phase(f, CONN_BODY);
}

void front_close(struct front *f)
{
	if (!f)
		return;
	f->done = NULL;
	for (enum conn_phase phase = CONN_IDLE; phase < CONN_GONE; phase++)
		close_phase(f, phase);
	close_handle(f, (uv_handle_t *)&f->unix_listener);
	close_handle(f, (uv_handle_t *)&f->tcp_listener);
	close_handle(f, (uv_handle_t *)&f->timer);
}

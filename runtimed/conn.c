/* One connection: see runtimed/conn.h. */
#include "runtimed/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/core.h"
#include "runtimed/invoke.h"
#include "runtimed/metrics.h"
#include "runtimed/reply.h"

/* What did not fit into the socket's buffer. */
struct rest {
	uv_write_t req;
	struct conn *conn;
	char data[];
};

static void conn_feed(struct conn *c, const char *data, size_t n);

/* ---- end of life ---- */

static void give_body_back(struct conn *c)
{
	c->front->n_bodies_bytes -= c->n_body_bytes;
	c->n_body_bytes = 0;
}

static void free_if_over(struct conn *c)
{
	struct front *f = c->front;

	if (!c->is_closed || c->has_call)
		return;
	list_del(&c->link);
	give_body_back(c);
	http_fini(&c->http);
	buf_fini(&c->held);
	free(c);
	front_conn_gone(f);
}

static void on_closed(uv_handle_t *handle)
{
	struct conn *c = container_of(handle, struct conn, u.handle);

	c->is_closed = true;
	free_if_over(c);
}

void conn_close(struct conn *c)
{
	void (*cancel)(struct call *) = c->call.cancel;

	if (c->phase == CONN_GONE)
		return;
	front_enter(c, CONN_GONE);
	c->front->n_conns--;
	c->front->core->metrics->connections--;
	uv_close(&c->u.handle, on_closed);
	if (c->has_call && cancel) {
		c->call.cancel = NULL;
		cancel(&c->call);
	}
}

/* ---- answers ---- */

/* Closing a socket with unread bytes resets it, and the answer may be lost on its way: read them first. */
static void linger(struct conn *c)
{
	uv_os_fd_t fd;

	if (uv_fileno(&c->u.handle, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		conn_close(c);
		return;
	}
	front_enter(c, CONN_LINGER);
	http_next(&c->http);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret)
{
	struct front *f = container_of(handle, struct conn, u.handle)->front;

	(void)size;
	*ret = uv_buf_init(f->read, sizeof(f->read));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct conn *c = container_of(stream, struct conn, u.stream);

	if (n < 0)
		conn_close(c);
	else if (n > 0)
		conn_feed(c, buf->base, (size_t)n);
}

/* Keep what came after the request at work; it is a polite client's next one, and it waits. */
static void hold(struct conn *c, const char *data, size_t n)
{
	uv_read_stop(&c->u.stream);
	buf_append(&c->held, data, n);
	if (buf_failed(&c->held))
		conn_close(c);
}

static void take_held(struct conn *c)
{
	size_t n;
	_cleanup_free_ char *data = buf_take(&c->held, &n);

	if (!data)
		return;
	if (uv_read_start(&c->u.stream, on_alloc, on_read) < 0)
		conn_close(c);
	else
		conn_feed(c, data, n);
}

/* The answer is with the kernel. */
static void answered(struct conn *c)
{
	if (c->is_last) {
		linger(c);
		return;
	}
	http_next(&c->http);
	front_enter(c, CONN_IDLE);
	if (!c->is_feeding)
		take_held(c);
}

static void on_written(uv_write_t *req, int status)
{
	struct rest *rest = container_of(req, struct rest, req);
	struct conn *c = rest->conn;

	free(rest);
	if (c->phase == CONN_GONE)
		return;
	if (status < 0)
		conn_close(c);
	else
		answered(c);
}

static size_t total_of(const uv_buf_t *bufs, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += bufs[i].len;
	return total;
}

/* All but the first `done` bytes, copied: what they point to is borrowed. */
static void write_rest(struct conn *c, const uv_buf_t *bufs, size_t n, size_t done)
{
	struct rest *rest = malloc(sizeof(*rest) + total_of(bufs, n) - done);
	size_t size = 0;
	uv_buf_t out;

	if (!rest) {
		conn_close(c);
		return;
	}
	rest->conn = c;
	for (size_t i = 0; i < n; i++) {
		size_t skip = done < bufs[i].len ? done : bufs[i].len;

		memcpy(rest->data + size, bufs[i].base + skip, bufs[i].len - skip);
		size += bufs[i].len - skip;
		done -= skip;
	}
	out = uv_buf_init(rest->data, (unsigned)size);
	front_enter(c, CONN_WRITE);
	c->n_queued_bytes = size;
	if (uv_write(&rest->req, &c->u.stream, &out, 1, on_written) < 0) {
		free(rest);
		conn_close(c);
	}
}

static void send_all(struct conn *c, const uv_buf_t *bufs, size_t n)
{
	int done = uv_try_write(&c->u.stream, bufs, (unsigned)n);

	if (done == UV_EAGAIN)
		done = 0;
	if (done < 0)
		conn_close(c);
	else if ((size_t)done == total_of(bufs, n))
		answered(c);
	else
		write_rest(c, bufs, n, (size_t)done);
}

static void put_buf(uv_buf_t *bufs, size_t *n, const char *data, size_t size)
{
	if (size)
		bufs[(*n)++] = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
}

void call_reply(struct call *call, const struct reply *r)
{
	struct conn *c = container_of(call, struct conn, call);
	char head[REPLY_HEAD_MAX];
	uv_buf_t bufs[4];
	size_t n = 0;

	c->has_call = false;
	c->front->core->metrics->requests_by_class[r->status / 100 % 6]++;
	if (c->phase == CONN_GONE) {
		free_if_over(c);
		return;
	}
	give_body_back(c);
	c->is_last = c->is_last || !c->http.req.is_keep_alive || c->front->is_stopping;
	put_buf(bufs, &n, head,
		reply_head(r, call->request_id, front_date(c->front), c->is_last, head));
	put_buf(bufs, &n, r->headers, r->headers ? strlen(r->headers) : 0);
	put_buf(bufs, &n, "\r\n", 2);
	put_buf(bufs, &n, r->body, r->body_size);
	send_all(c, bufs, n);
}

void call_drop(struct call *call)
{
	struct conn *c = container_of(call, struct conn, call);

	c->has_call = false;
	free_if_over(c);
}

struct list *call_changes(struct call *call)
{
	return &container_of(call, struct conn, call)->front->changes;
}

void conn_refuse(struct conn *c, enum api_error kind, const char *message)
{
	_cleanup_buf_ struct buf text;
	struct reply r;

	buf_init(&text, 4 << 10);
	api_error_reply(&(struct failure){.kind = kind, .message = message}, &text, &r);
	c->is_last = true;
	call_reply(&c->call, &r);
}

/* ---- requests ---- */

static void begin(struct conn *c)
{
	c->call = (struct call){
		.core = c->front->core,
		.req = &c->http.req,
		.received_us = clk_now_us(),
	};
	request_id_make(c->call.request_id);
}

static void dispatch(struct conn *c)
{
	front_enter(c, CONN_BUSY);
	c->has_call = true;
	front_dispatch(c);
}

/* Nothing after this can be understood. */
static void malformed(struct conn *c, const struct err *e)
{
	c->front->core->metrics->requests_malformed++;
	conn_refuse(c, api_error_of_status(c->http.status), e->text);
}

static void note_progress(struct conn *c, size_t n)
{
	enum conn_phase phase = c->http.body_max || c->http.req.body.max ? CONN_BODY : CONN_HEAD;

	c->window_left -= n < c->window_left ? n : c->window_left;
	if (c->phase != phase || (phase == CONN_BODY && c->window_left == 0))
		front_enter(c, phase);
}

/* The parser takes some bytes; what follows from that. Returns how many. */
static size_t take(struct conn *c, const char *data, size_t n)
{
	struct err e = ERR_INIT;
	size_t used = 0, more = 0;
	int r;

	if (!http_is_started(&c->http))
		begin(c);
	r = http_feed(&c->http, data, n, &used, &e);
	if (r == HTTP_GOT_HEAD && front_head(c))
		r = http_feed(&c->http, data + used, n - used, &more, &e);
	if (r < 0)
		malformed(c, &e);
	else if (r == HTTP_GOT_ALL)
		dispatch(c);
	else if (r == HTTP_WANTS_MORE)
		note_progress(c, used + more);
	return used + more;
}

static bool takes_bytes(const struct conn *c)
{
	return c->phase == CONN_IDLE || c->phase == CONN_HEAD || c->phase == CONN_BODY;
}

static void conn_feed(struct conn *c, const char *data, size_t n)
{
	c->is_feeding = true;
	while (n > 0 && takes_bytes(c)) {
		size_t used = take(c, data, n);

		data += used;
		n -= used;
	}
	c->is_feeding = false;
	if (n > 0 && (c->phase == CONN_BUSY || c->phase == CONN_WRITE))
		hold(c, data, n);
}

/* ---- beginning of life ---- */

static void greet(struct conn *c)
{
	struct metrics *m = c->front->core->metrics;
	bool is_full = c->front->n_conns > c->front->core->cfg.connections_max;

	begin(c);
	if (!is_full && front_may_speak(c)) {
		if (uv_read_start(&c->u.stream, on_alloc, on_read) < 0)
			conn_close(c);
		return;
	}
	m->connections_refused++;
	conn_refuse(c, is_full ? API_UNAVAILABLE : API_ACCESS_DENIED,
		    is_full ? "too many connections" : "this socket is for root and the daemon");
	conn_close(c);
}

void conn_accept(struct front *f, uv_stream_t *listener)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		front_starve(f, listener);
		return;
	}
	c->front = f;
	c->is_trusted = listener == (uv_stream_t *)&f->unix_listener;
	list_init(&c->link);
	buf_init(&c->held, CONN_READ_BYTES);
	http_init(&c->http);
	if (c->is_trusted)
		uv_pipe_init(&f->core->loop, &c->u.pipe, 0);
	else
		uv_tcp_init(&f->core->loop, &c->u.tcp);
	f->n_conns++;
	f->core->metrics->connections++;
	f->core->metrics->connections_total++;
	front_enter(c, CONN_IDLE);
	if (uv_accept(listener, &c->u.stream) < 0) {
		conn_close(c);
		return;
	}
	if (!c->is_trusted)
		uv_tcp_nodelay(&c->u.tcp, 1);
	greet(c);
}

void conn_expire(struct conn *c)
{
	if (c->phase != CONN_HEAD && c->phase != CONN_BODY) {
		conn_close(c);
		return;
	}
	c->front->core->metrics->requests_timed_out++;
	conn_refuse(c, API_TIMEOUT, "the request did not arrive in time");
}

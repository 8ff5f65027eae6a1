/*
 * One connection, and what it shares with the front: private to conn.c and front.c.
 *
 * A connection is always in one phase, and in the list of the front for it. Phases have one timeout each,
 * so the lists are in the order of deadlines and one timer serves all connections.
 *
 * Memory: an idle connection is this struct and its socket; a parser, a body and held bytes exist only
 * while a request does. Reads go through one buffer of the front. While a request is at work, what the
 * client sends after it is held (and reading stops), so requests are served one at a time, in order.
 *
 * When the client goes away while its request is at work, the socket is closed at once, and the struct
 * stays until the handler has answered.
 */
#ifndef RUNTIMED_CONN_H
#define RUNTIMED_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "runtimed/api.h"
#include "runtimed/front.h"
#include "runtimed/http.h"
#include "runtimed/route.h"

#define CONN_READ_BYTES   (64u << 10)
#define CONN_WINDOW_BYTES (10u << 10) /* must move within body_timeout, either way */
#define CONN_LINGER_US    UINT64_C(2000000)
#define FRONT_BODIES_MAX  (256u << 20) /* bodies being received, together */

enum conn_phase {
	CONN_IDLE,   /* waits for a request */
	CONN_HEAD,   /* a part of a head is there */
	CONN_BODY,   /* a part of a body */
	CONN_BUSY,   /* a handler works; its limits hold, not ours */
	CONN_WRITE,  /* the answer did not fit into the socket's buffer */
	CONN_LINGER, /* answered and shut down; reads and forgets, so that the answer arrives */
	CONN_GONE,   /* closed, or about to be */
	CONN_PHASES
};

struct front {
	struct core *core;
	struct sigv4 *sigv4;
	uv_pipe_t unix_listener;
	uv_tcp_t tcp_listener;
	uv_timer_t timer;
	uint64_t timer_due_us; /* 0 = not running */
	struct list phases[CONN_PHASES];
	size_t n_conns;        /* not gone */
	size_t n_bodies_bytes; /* promised to requests being received */
	unsigned n_handles;    /* listeners and timer not closed yet */
	struct list changes;   /* of functions, at work */
	bool is_unix_starving; /* libuv lets a listener rest until its connection is accepted */
	bool is_tcp_starving;
	bool is_stopping;
	void (*done)(void *arg);
	void *done_arg;
	uint64_t date_s; /* of date */
	char date[32];   /* "Sat, 21 Nov 2026 07:04:57 GMT" */
	char read[CONN_READ_BYTES];
};

struct conn {
	union {
		uv_handle_t handle;
		uv_stream_t stream;
		uv_pipe_t pipe;
		uv_tcp_t tcp;
	} u;
	struct front *front;
	struct list link; /* front->phases[phase] */
	enum conn_phase phase;
	uint64_t deadline_us;
	size_t window_left;    /* CONN_BODY: bytes still to come before the deadline */
	size_t n_queued_bytes; /* CONN_WRITE: still to go when the window began */
	struct http http;
	const struct route *route; /* of the request; NULL when there is none for it */
	struct call call;
	struct buf held; /* bytes after the request at work */
	size_t n_body_bytes;
	bool is_trusted; /* the unix socket: no signature wanted */
	bool is_feeding; /* conn_feed() is at work and goes on by itself */
	bool is_last;    /* close after the answer */
	bool has_call;   /* a handler owes an answer */
	bool is_closed;  /* libuv has let go */
};

/* Accept from a listener; a connection over the limit, or of a stranger, is answered and closed. */
void conn_accept(struct front *f, uv_stream_t *listener);

/* Answer an error and close. */
void conn_refuse(struct conn *c, enum api_error kind, const char *message);

/* Drop it; the handler at work, if any, is told. Harmless when gone. */
void conn_close(struct conn *c);

/* The deadline of its phase is over. */
void conn_expire(struct conn *c);

/* ---- front.c, for conn.c ---- */

/* Put a connection into a phase, with a fresh deadline. */
void front_enter(struct conn *c, enum conn_phase phase);

/* Whether whoever has connected may use the socket at all. */
bool front_may_speak(struct conn *c);

/* A head is there: find the route and how long a body may be. False when the request was answered. */
bool front_head(struct conn *c);

/* A request is whole: check access, call the handler. */
void front_dispatch(struct conn *c);

/* There is no memory for a connection: accept it when one has gone. */
void front_starve(struct front *f, uv_stream_t *listener);

/* The connection has gone: for front_stop(), and for those who starve. */
void front_conn_gone(struct front *f);

/* Of this second. */
const char *front_date(struct front *f);

#endif

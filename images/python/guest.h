/*
 * The extension _guest: the part of an instance that Python cannot do for itself, or not fast enough.
 *
 *	zygote.c   the zygote: receive SETUP and SPAWN, fork children into sandboxes
 *	child.c    a child's half: arrive, park, take, seal (runtimed/zygote.h)
 *	stream.c   frames to and from the core (runtimed/guest.h)
 *	module.c   the Python face of the three
 *
 * One process is first a zygote, then (in its forks) a child, then serves; or it was exec'ed and starts
 * as a child. All state is in struct guest, which belongs to the module object.
 */
#ifndef GUEST_PYTHON_GUEST_H
#define GUEST_PYTHON_GUEST_H

#include <Python.h> /* first, as it asks */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtimed/guest.h"
#include "runtimed/zygote.h"
#include "sandbox/drop.h"

/* --- stream.c --- */

/* Frames from the core, in one buffer: bytes [start, end) were received and not yet handed out. */
struct stream {
	int fd; /* GUEST_FD_DATA; -1 = closed */
	char *data;
	size_t start, end, cap;
};

enum stream_outcome { STREAM_E_EOF = 1 };

/*
 * Receive until a whole frame is there. *ret_payload points into the buffer and is good until the next
 * call. Blocks, and expects to be called without the interpreter lock. Returns 0, STREAM_E_EOF, -EINTR
 * when a signal came first (call again), -EPROTO on a frame that must not be.
 */
int stream_next(struct stream *s, struct guest_frame *ret_frame, const char **ret_payload,
		struct err *e);

/* The last frame was used up: give back what an unusually large one took. */
void stream_release(struct stream *s);

/* Send one frame whose payload is head, then body. Blocks. -EPIPE when the core is gone. */
int stream_send(const struct stream *s, enum guest_frame_type type, const void *head,
		size_t head_size, const void *body, size_t body_size, struct err *e);

/* --- child.c --- */

/* When a child passed which point, CLOCK_MONOTONIC µs: the first part of struct guest_ready. */
struct child_times {
	uint64_t forked_us, taken_us, sealed_us;
};

/*
 * Right after clone3(): join the groups, put the descriptors of a SPAWN where enum guest_fd says, close all
 * others and enter the sandbox. Uses system calls only.
 */
int child_arrive(const int *fds, size_t n_fds, struct err *e);

/*
 * Say PARKED and wait; when taken attach the code, drop every privilege, say SEALED and close the control
 * socket. Fills taken_us and sealed_us.
 */
int child_park(const struct sbx_drop *drop, struct child_times *t, struct err *e);

/* Say BROKEN on the control socket and end the process with status 1. */
_Noreturn void child_break(const struct err *e);

/* Map the struct sbx_drop of a memfd, read-only. The descriptor stays the caller's. */
int child_map_drop(int memfd, const struct sbx_drop **ret, struct err *e);

/* --- zygote.c --- */

struct zygote {
	int net_ns, pid_ns; /* the zygote's own, to go back to after each fork */
	pid_t *tid;         /* where libc keeps the thread's id */
	void *robust_list;  /* libc's, of this thread; a child has to register it again */
	size_t robust_list_size;
	const struct sbx_drop *drop;
};

/* Receive SETUP; -EPROTONOSUPPORT if the daemon speaks another version than this image. Later descriptors get numbers above all that a child has use for. */
int zygote_setup(struct zygote *z, struct err *e);

/* Say READY, or BROKEN with *failure when that holds one. */
int zygote_ready(const struct err *failure, struct err *e);

/* Say BROKEN and end the process with status 1. */
_Noreturn void zygote_break(const struct err *e);

enum zygote_outcome { ZYGOTE_E_EOF = 1, ZYGOTE_E_CHILD = 2 };

/*
 * Serve SPAWNs. Returns ZYGOTE_E_EOF in the zygote when the launcher closed the socket, and
 * ZYGOTE_E_CHILD in each child once it is sealed. prepare (borrowed) is called in each child just before it
 * parks, with True if a start waits for it already. Needs the interpreter lock and one thread. -EPROTO on a message that must
 * not be.
 */
int zygote_serve(const struct zygote *z, PyObject *prepare, struct child_times *ret_times,
		 struct err *e);

#endif

/*
 * The launcher's event loop: epoll and nothing else. The launcher forks, so it has no threads, no libuv and
 * no library that might start one.
 *
 * A watch is embedded in its owner. watch_drop() may be called from any callback, for any watch: an event
 * of it that is already queued is not delivered.
 */
#ifndef RUNTIMED_WATCH_H
#define RUNTIMED_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct watch {
	int fd; /* borrowed; drop the watch before closing it */
	void (*ready)(void *arg);
	void *arg;
	struct watches *of; /* NULL = not watching */
};

struct watches;

int watches_new(struct watches **ret, struct err *e);
void watches_free(struct watches *ws);

/* Call ready(arg) whenever fd is readable or closed by its peer. */
int watch_add(struct watches *ws, struct watch *w, int fd, void (*ready)(void *arg), void *arg,
	      struct err *e);
void watch_drop(struct watch *w); /* harmless when not watching */

/* One turn: wait at most timeout_ms (-1 = for ever), deliver what is there. */
int watches_turn(struct watches *ws, int timeout_ms, struct err *e);

#endif

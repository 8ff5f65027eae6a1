/*
 * The HTTP front: listening sockets, connections, access, and the API behind them.
 *
 *  1. front_open()  serves from now on, as the loop runs
 *  2. front_stop()  accepts nothing any more, closes idle connections, lets requests at work finish
 *     (front_cut() waits for them no longer)
 *  3. front_close() after done(), or to end at once; then run the loop to its end
 *
 * The unix socket is for root and our own uid (SO_PEERCRED), without signatures. TCP wants SigV4 by
 * core->key, except for the few routes that say otherwise.
 */
#ifndef RUNTIMED_FRONT_H
#define RUNTIMED_FRONT_H

#include "base/err.h"

struct core;
struct front;

/*
 * Serve on two bound sockets, which become ours on success; tcp_fd may be -1. core->funcs, store, logs,
 * metrics, key and cfg must stand and outlive it.
 */
int front_open(struct core *core, int unix_fd, int tcp_fd, struct front **ret, struct err *e);

/* done() is called once, from the loop, when the last connection is gone. */
void front_stop(struct front *f, void (*done)(void *arg), void *arg);

/*
 * After front_stop(): done() is not called any more, and what is not yet a whole request will not become one. Requests
 * at work can still be answered, until front_close().
 */
void front_cut(struct front *f);

/* Drop what is left. done() of front_stop() is not called any more. NULL is fine. */
void front_close(struct front *f);

#endif

/*
 * A container's terminal on our own: bytes both ways, sizes, modes.
 *
 *	relay_size(&plan->terminal)	before the start: a program may look at once
 *	relay_open(&r, &master, &e)	our terminal, if stdin is one, becomes raw; sizes are made equal
 *	relay_poll(), relay_serve()	in the caller's poll loop
 *	relay_drain()			the process has ended: what it wrote before is still on its way
 *	relay_close()			modes as they were
 *
 * Each direction has one fixed buffer, and is read only when there is room in it: a reader of ours that is
 * slow makes the container wait, one that is gone makes its output vanish, and neither costs time.
 */
#ifndef SANDBOX_CLI_RELAY_H
#define SANDBOX_CLI_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/err.h"
#include "sandbox/plan.h"

#define RELAY_FDS   3
#define RELAY_BYTES 4096 /* more than that a terminal does not give at once */

struct relay_flow {
	char data[RELAY_BYTES];
	size_t at, len; /* what is still to be written */
};

struct relay {
	int master; /* -1: no terminal, all functions do nothing */
	int slave; /* held so that a container that closes its terminal for a moment is not hung up on */
	int in;      /* our stdin; -1 = at its end */
	int out;     /* our stdout; -1 = nobody reads it any more */
	int out_own; /* out, if it is a description of our own */
	struct relay_flow up, down;
	struct termios saved;
	bool is_raw;
};

#define RELAY_INIT                                                                                 \
	{                                                                                          \
		.master = -1, .slave = -1, .in = -1, .out = -1, .out_own = -1                      \
	}

/* The size of our terminal, if there is one, for a container's that is still to be made. */
void relay_size(struct sbx_terminal *t);

/* *master is taken over. */
int relay_open(struct relay *r, int *master, struct err *e);
void relay_close(struct relay *r);
#define _cleanup_relay_ __attribute__((cleanup(relay_close)))

/* Fill fds[0..RELAY_FDS) for poll(2); then act on what it found. */
void relay_poll(const struct relay *r, struct pollfd *fds);
void relay_serve(struct relay *r, const struct pollfd *fds);

/* The size of our terminal has changed. */
void relay_resize(const struct relay *r);

/* Write out what the terminal still holds. Blocks; ends early when `interrupt` is readable. */
void relay_drain(struct relay *r, int interrupt);

#endif

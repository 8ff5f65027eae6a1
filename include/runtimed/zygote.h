/*
 * What launcher, zygote and a waiting child say to each other: SOCK_SEQPACKET, one struct a datagram.
 *
 * The zygote is the image's own python3 with our extension, single-threaded, root with CAP_SYS_ADMIN and
 * CAP_SYS_PTRACE only, in a mount namespace whose root is the image. It runs no tenant code.
 *
 *	launcher → zygote  SETUP    once: what children give up (struct sbx_drop), by memfd
 *	zygote → launcher  READY    warmed and single-threaded; or BROKEN
 *	launcher → zygote  SPAWN    with enum zygote_spawn_fd: fork one child into that sandbox
 *	zygote → launcher  SPAWNED  pid (in the launcher's pid namespace) and 1 pidfd, or an error
 *
 * The child is a child of the launcher (CLONE_PARENT) and is born in the sandbox's pid namespace, network
 * namespace and v2 group; the first thing it does is to join its v1 groups, where there are any. It then talks on its own control socket (GUEST_FD_CONTROL):
 *
 *	child → launcher   PARKED   joined, after-fork hooks done, waiting between two steps of the table
 *	launcher → child   TAKE     + 1 descriptor: detached read-only mount for /var/task. It may be there
 *	                            before the child has parked
 *	child → launcher   SEALED   code mounted, sbx_drop() done; the child closes this socket
 *	child → launcher   BROKEN   instead of PARKED or SEALED: a step failed; the child exits 1
 *
 * SETUP, READY and PARKED carry ZYGOTE_VERSION. An image brings its own extension, so one that was built
 * before the daemon speaks another version: whoever sees that first refuses, with EPROTONOSUPPORT. From the
 * zygote it ends the daemon, in one line that says what to do; from an exec'ed child it fails that start.
 *
 * A python3 that was exec'ed into its sandbox (no zygote) speaks the child's half from PARKED on; its
 * struct sbx_drop comes by descriptor GUEST_FD_DROP.
 */
#ifndef RUNTIMED_ZYGOTE_H
#define RUNTIMED_ZYGOTE_H

#include <stdint.h>

#include "base/err.h"

/* Raised with every change of this file, of runtimed/guest.h and of struct sbx_drop. */
#define ZYGOTE_VERSION    5

#define ZYGOTE_FD_CONTROL 3 /* the zygote's end of its socket to the launcher */
#define GUEST_FD_DROP     5 /* exec way only: memfd with struct sbx_drop; then closed */

enum zygote_type {
	ZYGOTE_SETUP = 1,
	ZYGOTE_READY,
	ZYGOTE_SPAWN,
	ZYGOTE_SPAWNED,
	CHILD_PARKED,
	CHILD_TAKE,
	CHILD_SEALED,
	CHILD_BROKEN,
};

enum zygote_spawn_fd {
	SPAWN_FD_INIT,    /* pidfd of the sandbox's pid 1 */
	SPAWN_FD_CGROUP,  /* v2 group directory, for CLONE_INTO_CGROUP */
	SPAWN_FD_CONTROL, /* becomes GUEST_FD_CONTROL */
	SPAWN_FD_DATA,    /* becomes GUEST_FD_DATA */
	SPAWN_FD_LOG,     /* becomes GUEST_FD_OUT and GUEST_FD_ERR */
	SPAWN_FDS,
	/* Then up to three more, on hybrid hosts: the child joins its v1 groups by them. */
	SPAWN_FDS_MAX = SPAWN_FDS + 3
};

/* SETUP (+ 1 descriptor: memfd holding struct sbx_drop), READY, TAKE (+ 1), PARKED and SEALED carry
 * just this. */
struct zygote_plain {
	uint32_t type;
	uint32_t version; /* ZYGOTE_VERSION; of no meaning in TAKE and SEALED */
	uint64_t at_us;   /* CLOCK_MONOTONIC when it was sent */
};

struct zygote_spawn {
	uint32_t type;
	uint32_t is_wanted; /* 1: a start waits for this child; it does nothing ahead */
	uint64_t slot;      /* echoed in SPAWNED */
};

struct zygote_spawned {
	uint32_t type;
	int32_t pid;
	uint64_t slot;
	struct err err; /* code != 0: no child, no descriptor */
};

struct zygote_broken {
	uint32_t type;
	uint32_t reserved;
	struct err err;
};

union zygote_message {
	uint32_t type;
	struct zygote_plain plain;
	struct zygote_spawn spawn;
	struct zygote_spawned spawned;
	struct zygote_broken broken;
};

#endif

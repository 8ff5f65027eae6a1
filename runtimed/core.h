/*
 * The core: the unprivileged process that faces the network. One libuv loop, one struct.
 *
 * Parts and who owns them: front (HTTP connections, API), funcs (registry), pool (instances and the
 * queue), link (messages to the launcher), store (durable rows, a thread of its own), logs (files, the
 * same thread).
 */
#ifndef RUNTIMED_CORE_H
#define RUNTIMED_CORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "runtimed/config.h"
#include "runtimed/func.h"

#include "runtimed/launch.h"
#include "runtimed/sigv4.h"

struct core {
	uv_loop_t loop;
	struct config cfg;
	struct launch_hello hello; /* images, cgroup mode */
	struct funcs *funcs;
	struct store *store;     /* runtimed/store.h */
	struct logs *logs;       /* runtimed/logs.h */
	struct front *front;     /* runtimed/front.h */
	struct link *link;       /* runtimed/link.h */
	struct codes *codes;     /* runtimed/package.h */
	struct pool *pool;       /* runtimed/pool.h */
	struct metrics *metrics; /* runtimed/metrics.h */
	struct sigv4_key key;    /* the root key: who may speak over TCP */
	int state_dir;           /* STATE/core, ours to write */
	bool is_draining;
	/* What one read(2) may bring, of a stream and of a log pipe: a frame stays valid while the log is
	 * drained for it. */
	char data_scratch[64 << 10];
	char log_scratch[64 << 10];
};

#endif

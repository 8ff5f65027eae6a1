/*
 * The core's line to the launcher (messages: include/runtimed/launch.h).
 *
 * Sending never blocks: what the socket does not take waits in a bounded queue. A launcher that is gone or
 * breaks the protocol ends the core: without it nothing can be served.
 */
#ifndef RUNTIMED_LINK_H
#define RUNTIMED_LINK_H

#include <stdint.h>

#include "base/err.h"
#include "runtimed/launch.h"

struct core;
struct link;

/* Wait for HELLO (core->hello is filled), then watch sock, which becomes ours. Blocks until HELLO. */
int link_open(struct core *core, int sock, struct link **ret, struct err *e);
void link_close(struct link *l); /* then run the loop once more */

void link_ready(struct link *l);
void link_start(struct link *l, const struct launch_start *m);
void link_stop(struct link *l, uint64_t id);
int link_unpack(struct core *core, uint64_t job, const uint8_t sha256[LAUNCH_SHA256_LEN],
		const char *module, int fd, struct err *e);
int link_forget(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN], struct err *e);

#endif

/* The GUEST_INIT object (runtimed/guest.h): what an instance is told of its function. */
#ifndef RUNTIMED_GUESTINIT_H
#define RUNTIMED_GUESTINIT_H

#include <stdint.h>

#include "base/buf.h"
#include "runtimed/core.h"

/* Append frame header and object for instance `id` of fn. Sticky failure as of struct buf. */
void guestinit_write(const struct core *core, const struct func *fn, uint64_t id, struct buf *out);

/* The object alone, for an instance that the daemon will not have: a bundle's. */
void guestinit_object(const struct core *core, const struct func *fn, uint64_t id, struct buf *b);

#endif

/* Capabilities as 64-bit masks, bit n = capability n, and their names. */
#ifndef SANDBOX_CAPS_H
#define SANDBOX_CAPS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CAPS_MAX 64

/* "CAP_SYS_ADMIN" -> its bit. -EINVAL with the name if there is no such capability. */
int caps_from_name(const char *name, uint64_t *ret_mask, struct err *e);

/* Those that this process has, to use or to pass on. */
int caps_own(uint64_t *ret_mask, struct err *e);

/* Append the names, "CAP_CHOWN CAP_KILL"; a number where there is no name. */
void caps_print(uint64_t mask, struct buf *out);

#endif

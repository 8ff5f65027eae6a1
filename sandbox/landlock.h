/* Landlock as one step: read and execute everywhere, write below a few paths. Linked into the guest. */
#ifndef SANDBOX_LANDLOCK_H
#define SANDBOX_LANDLOCK_H

#include <stdint.h>

#include "base/err.h"
#include "sandbox/drop.h"

/*
 * Restrict the calling thread and its future children. Paths are of the current root; one that does not
 * exist is an error. Needs no_new_privs or CAP_SYS_ADMIN. Does nothing where the kernel has no landlock:
 * landlock_abi() tells.
 */
int landlock_confine(const char (*writable)[SBX_WRITABLE_PATH], uint32_t n_writable, struct err *e);

/* The kernel's landlock ABI, 0 = none. */
int landlock_abi(void);

#endif

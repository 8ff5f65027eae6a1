/*
 * Sources of bind mounts that only root of the host can reach. In a user namespace of its own the child is nobody to
 * the host's directories, so it may not walk into one of mode 0700; what is bound is the config's word, not the
 * container's. So the parent half opens the sources for it, in the child's mount namespace: a mount cloned from
 * there has the flags that the user namespace must not take off, while one from the host's would have lost that lock.
 *
 * Follows the idmapped mounts over the same socket: a message for each row concerned, in the order of the plan.
 */
#ifndef SANDBOX_LEND_H
#define SANDBOX_LEND_H

#include "base/err.h"
#include "sandbox/plan.h"

/* The parent. Nothing to do without a user namespace, and for an ordinary user, who reaches what the child does. */
int lend_sources(const struct sbx_plan *p, int child, int sync, struct err *e);

/*
 * The child, before it changes its mounts: clone what came. What did not come stays -1, and the child's own attempt
 * will say why.
 */
int lend_receive(const struct sbx_plan *p, int sync, int *mounts, struct err *e);

#endif

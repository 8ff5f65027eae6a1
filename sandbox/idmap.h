/*
 * Idmapped mounts. A file system may be mapped only by who owns it, so the parent half makes them: cloned, mapped and
 * detached, they follow the go-ahead to the child over the same socket, in the order of the plan.
 *
 * For a user namespace they are cloned in the child's mount namespace, by us, still as the host's root: there the
 * kernel has locked the flags of the host's mounts, and a clone keeps the locks. Cloned from the host's, root of the
 * container could take off nosuid, nodev, noexec and ro. So too, what lies below one of these mounts cannot be left out:
 * to bind it takes rbind.
 */
#ifndef SANDBOX_IDMAP_H
#define SANDBOX_IDMAP_H

#include "base/err.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

/* The parent, before it lets the child go: make all mapped mounts. fds has room for SBX_MOUNTS_MAX; [0..*ret_n) are to be closed by the caller. */
int idmap_make(const struct sbx_plan *p, const struct sbx_proc *child, int *fds, size_t *ret_n,
	       struct err *e);
int idmap_send(int sync, const int *fds, size_t n, struct err *e);

/* The child: fds has an entry for each row of the plan, of which those of mapped mounts are set. */
int idmap_receive(const struct sbx_plan *p, int sync, int *fds, struct err *e);

/* "inside outside count" lines into /proc/PID/FILE. */
int idmap_write(pid_t pid, const char *file, const struct sbx_idmap *maps, uint32_t n,
		struct err *e);

/* Who shall own what is made in the namespace: 0, or the first id if 0 is not mapped. */
uint32_t idmap_owner(const struct sbx_idmap *maps, uint32_t n);

#endif

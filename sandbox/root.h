/*
 * The child's part of building the root file system, as steps of the table in child.c. All of it happens
 * in the child's own mount namespace; when the child dies, it is gone.
 *
 *	root.c		open the root, enter it
 *	root_scratch.c	size of an overlay's tmpfs, also of one that stands (sandbox.h)
 *	root_mount.c	the plan's mounts, with root_copy.c (tmpcopyup) and root_cgroup.c
 *	root_dev.c	devices and links of /dev
 *	root_restrict.c	masked and read-only paths
 *
 * Host paths are only opened, and only before root_enter(). Paths of the root are looked up with the root as "/"
 * and acted on by descriptor: whatever the root's files are, or somebody makes of them meanwhile, nothing outside
 * of it is reached.
 */
#ifndef SANDBOX_ROOT_H
#define SANDBOX_ROOT_H

#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

/* What the steps hand on to each other. Starts as ROOT_STATE_INIT; root_fini() closes all. */
struct root_state {
	int scratch; /* top of the scratch tmpfs */
	int root;    /* top of the new root */
	uint32_t n_scratch;
	int mounts[SBX_MOUNTS_MAX]; /* by row of the plan: made ahead, or needed again */
	int nodes;                  /* nodes.h; or -1 */
	dev_t dev_fs; /* the file system at /dev if it is new, and nodes in it work; or 0 */
	struct {
		dev_t dev;
		ino_t ino;
	} groups[CG_HIERARCHIES]; /* the sandbox's own */
	uint32_t n_groups;
};

#define ROOT_STATE_INIT                                                                            \
	{                                                                                          \
		.scratch = -1, .root = -1, .nodes = -1, .mounts = {                                \
			[0 ... SBX_MOUNTS_MAX - 1] = -1                                            \
		}                                                                                  \
	}

void root_fini(struct root_state *s);

/* Before descriptors are closed: remember which groups are the sandbox's. NULL: none. */
int root_note_groups(const struct cg *group, struct root_state *s, struct err *e);

int root_make_private(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_open(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_mounts(const struct sbx_plan *p, struct root_state *s, struct err *e);
/* The devices, and where /dev is the sandbox's own the links. */
int root_devices(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_restrict(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_enter(const struct sbx_plan *p, struct root_state *s, struct err *e);

/* ---- for the parts ---- */

#define ROOT_SCRATCH_LIMITS_MAX 80

/* What tmpfs is told of its size (tmpfs(5)): bytes and number of inodes. */
void root_scratch_limits(uint64_t bytes, char ret[ROOT_SCRATCH_LIMITS_MAX]);

/*
 * Control groups at a mount of type cgroup or cgroup2. On a host that has controllers on v1, cgroup is a tmpfs
 * with a directory for each hierarchy: *ret_is_tree, and root_cgroup_fill() once it is attached.
 */
int root_cgroup(const struct sbx_plan *p, const struct sbx_mount *m, const struct root_state *s,
		int *ret, bool *ret_is_tree, struct err *e);
int root_cgroup_fill(const struct sbx_plan *p, const struct sbx_mount *m, int tree,
		     const struct root_state *s, struct err *e);

/*
 * Copy what is in the directory from into the directory to, which is empty: directories, files, links, fifos,
 * with owner, mode and time. Other mounts are not entered, sockets left out, device nodes refused.
 */
int root_copy(int from, int to, struct err *e);

#endif

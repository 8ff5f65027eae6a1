/* What the files of the cgroup module share beside its public header. */
#ifndef SANDBOX_CGROUP_HOST_H
#define SANDBOX_CGROUP_HOST_H

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_parse.h"

struct cg_host {
	struct cg_layout layout;
	struct cg own;   /* our own group when probed; groups are made below it */
	bool is_adopted; /* this process moved into a leaf of its root (cg_root_create) */
	cg_set root_set; /* and that root is in these hierarchies */
	char root_name[NAME_MAX + 1];
};

static inline bool cg_is_in(const struct cg *cg, enum cg_hierarchy h)
{
	return cg->dir[h] >= 0;
}

/* Does this controller live on v2, in the core's directory? */
static inline bool cg_is_v2(const struct cg *cg, enum cg_hierarchy h)
{
	return cg_is_in(cg, h) && cg->dir[h] == cg->dir[CG_CORE];
}

/* The same group as seen from fewer hierarchies: a view that borrows its descriptors. */
static inline struct cg cg_within(const struct cg *cg, cg_set set)
{
	struct cg view = *cg;

	for (int h = CG_REQUIRED; h < CG_HIERARCHIES; h++)
		if (!(set & CG_BIT(h)))
			view.dir[h] = -1;
	return view;
}

/* The first hierarchy with this directory: work on each directory is done once, for its owner. */
static inline bool cg_owns_dir(const struct cg *cg, enum cg_hierarchy h)
{
	if (!cg_is_in(cg, h))
		return false;
	for (int i = CG_CORE; i < (int)h; i++)
		if (cg->dir[i] == cg->dir[h])
			return false;
	return true;
}

/* Open the directory of each hierarchy that has one; those of one path share a descriptor. */
int cg_open_all(const char path[CG_HIERARCHIES][PATH_MAX], struct cg *cg, struct err *e);

/*
 * On v2 a group with processes cannot give controllers to its children, and we are a process of our own
 * group. Only the root of the machine may.
 */
bool cg_must_leave_own(const struct cg *own);

/* As cg_root_create(), in the hierarchies of set. */
int cg_root_make(struct cg_host *host, const char *name, cg_set set, struct cg *ret, struct err *e);

/* The leaf of its root into which this process moves on v2. */
#define CG_OWN_LEAF "daemon"

/*
 * Visit the directory `name` of parent and all groups below it, children first, as (parent, name). Missing is
 * success; -ENOENT if a group on the way went away with the walk in it. What visit returns below 0 ends it.
 */
typedef int cg_visit_fn(int parent, const char *name, void *arg, struct err *e);
int cg_walk(int parent, const char *name, cg_visit_fn *visit, void *arg, struct err *e);

/* Remove the directory `name` of parent and all groups below it, children first. Missing is success. */
int cg_tree_remove(int parent, const char *name, struct err *e);

/* Move the processes of the v1 group `name` of parent, and of those below it, into the core group. */
int cg_tree_collect(int parent, const char *name, int core, struct err *e);

/* Give a new v1 cpuset what the group above has: without, no process can enter it. */
int cg_cpuset_inherit(int parent, int child, struct err *e);

/* 0, or -EINVAL unless name is one path component. */
int cg_check_name(const char *name, struct err *e);

#endif

/* What the files of the cgroup module share beside its public header. */
#ifndef SANDBOX_CGROUP_HOST_H
#define SANDBOX_CGROUP_HOST_H

#include "sandbox/cgroup.h"
#include "sandbox/cgroup_parse.h"

struct cg_host {
	struct cg_layout layout;
	struct cg own;	 /* our own group when probed; groups are made below it */
	bool is_adopted; /* this process moved into a leaf of its root (cg_root_create) */
};

/* Does this controller live on v2, in the core's directory? */
static inline bool cg_is_v2(const struct cg *cg, enum cg_hierarchy h)
{
	return cg->dir[h] == cg->dir[CG_CORE];
}

/* The first hierarchy with this directory: work on each directory is done once, for its owner. */
static inline bool cg_owns_dir(const struct cg *cg, enum cg_hierarchy h)
{
	for (int i = CG_CORE; i < (int)h; i++)
		if (cg->dir[i] == cg->dir[h])
			return false;
	return true;
}

/*
 * On v2 a group with processes cannot give controllers to its children, and we are a process of our own
 * group. Only the root of the machine may.
 */
bool cg_must_leave_own(const struct cg *own);

/* 0, or -EINVAL unless name is one path component. */
int cg_check_name(const char *name, struct err *e);

#endif

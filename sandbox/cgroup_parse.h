/*
 * The texts of the kernel's cgroup files, as pure functions: no file is opened here.
 *
 *	/proc/self/mountinfo  31 23 0:35 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
 *	/proc/self/cgroup     4:memory:/our/group      (v1)      0::/our/group      (v2)
 *	cgroup.controllers    cpu io memory pids
 *	cpu.stat and others   usage_usec 1234
 */
#ifndef SANDBOX_CGROUP_PARSE_H
#define SANDBOX_CGROUP_PARSE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/cgroup.h"

/*
 * Where our own group is in each hierarchy; "" = that controller is on no v1 mount. Too large for a stack: who is
 * to fill one writes into the caller's, and one that could not be filled is of no use any more.
 */
struct cg_layout {
	char path[CG_HIERARCHIES][PATH_MAX];
	char top[CG_HIERARCHIES][PATH_MAX]; /* where that is mounted */
};

/* What v2 calls a controller ("io" for blkio); NULL if it has no such one. */
const char *cg_v2_name(enum cg_hierarchy h);

/*
 * Find our own group: the mount's point and the part of our path below the mount's root. -ENOTSUP
 * without a cgroup2 mount that shows our group. Both texts are cut up in place.
 */
int cg_layout_parse(char *mountinfo, char *self_cgroup, struct cg_layout *ret, struct err *e);

/*
 * The same without mountinfo, which takes longer to read the more mounts there are: if every hierarchy that
 * we are in is mounted whole where distributions mount it, /sys/fs/cgroup or below by the name of its controllers.
 * is_top says whether dir is the top of such a hierarchy. False if not: then cg_layout_parse() must look.
 */
bool cg_layout_usual(char *self_cgroup, bool (*is_top)(const char *dir, bool is_v2),
		     struct cg_layout *ret);

/*
 * Give each controller that is on no v1 mount the path of the core, if `controllers` (the
 * cgroup.controllers of our own group there) has it; else -ENOTSUP naming all required ones that are missing.
 */
int cg_layout_resolve(struct cg_layout *layout, const char *controllers, struct err *e);

enum cg_mode cg_layout_mode(const struct cg_layout *layout);

/* Is `word` one of the words of text, separated by `sep`? */
bool cg_has_word(const char *text, char sep, const char *word);

/* The number in the line "key number". False if there is no such line. */
bool cg_flat_value(const char *text, const char *key, uint64_t *ret);

#endif

/*
 * Namespaces that exist already, and what is set inside of the sandbox's.
 *
 * The starter opens what the plan joins; a process in between enters it and clones the child from there
 * (clone.c), so that what is new is owned by the user namespace that was joined. The cgroup namespace alone
 * is entered by the child: being born in a group of another one's view may be forbidden.
 */
#ifndef SANDBOX_SPACES_H
#define SANDBOX_SPACES_H

#include "base/err.h"
#include "sandbox/plan.h"

struct spaces {
	int fds[SBX_JOINS_MAX]; /* by the rows of plan->joins */
	uint32_t n;
};
#define SPACES_INIT                                                                                \
	{                                                                                          \
		.n = 0                                                                             \
	}

/*
 * Open and check: each is a namespace, of its kind, and not out of our reach (CVE-2017-5985: one that
 * belongs to a user namespace above ours). What would be set inside must not be the starter's own.
 */
int spaces_open(const struct sbx_plan *p, struct spaces *ret, struct err *e);
void spaces_close(struct spaces *s);

/* Enter all but the cgroup namespace. The process is left half-way on failure: it must end. */
int spaces_join(const struct sbx_plan *p, const struct spaces *s, struct err *e);

/* The descriptor of the cgroup namespace to join, or -1. */
int spaces_cgroup(const struct sbx_plan *p, const struct spaces *s);

/* The child: a new time namespace with the plan's offsets. */
int spaces_time(const struct sbx_plan *p, struct err *e);

/* The child, in its namespaces, before it enters its root. */
int spaces_sysctls(const struct sbx_plan *p, struct err *e);

#endif

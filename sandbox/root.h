/*
 * The child's part of building the root file system, as steps of the table in child.c. All of it happens
 * in the child's own mount namespace; when the child dies, it is gone.
 */
#ifndef SANDBOX_ROOT_H
#define SANDBOX_ROOT_H

#include "base/err.h"
#include "sandbox/plan.h"

/* What the steps hand on to each other. Starts as ROOT_STATE_INIT; root_fini() closes all. */
struct root_state {
	int scratch; /* top of the scratch tmpfs */
	int root;    /* top of the new root */
	uint32_t n_scratch;
};

#define ROOT_STATE_INIT                                                                            \
	{                                                                                          \
		.scratch = -1, .root = -1                                                          \
	}

void root_fini(struct root_state *s);

int root_make_private(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_open(const struct sbx_plan *p, struct root_state *s, struct err *e);
/* The default devices and links of /dev, where the plan wants them. */
int root_devices(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_mounts(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_restrict(const struct sbx_plan *p, struct root_state *s, struct err *e);
int root_enter(const struct sbx_plan *p, struct root_state *s, struct err *e);

#endif

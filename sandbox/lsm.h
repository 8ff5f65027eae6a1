/*
 * Labels of security modules: process.apparmorProfile and selinuxLabel. Both take effect at execve(), so
 * they are written by the process itself to its own files below /proc, opened before the root is entered.
 */
#ifndef SANDBOX_LSM_H
#define SANDBOX_LSM_H

#include "base/err.h"
#include "sandbox/plan.h"

#define LSM_LABELS 2

struct lsm_state {
	int fds[LSM_LABELS];
};
#define LSM_STATE_INIT                                                                             \
	{                                                                                          \
		.fds = { -1, -1 }                                                                  \
	}

/* A label is refused where its module is not active. Before anything is created. */
int lsm_check(const struct sbx_plan *p, struct err *e);

/* The child: while the host's tree is there; and last before the drop. */
int lsm_open(const struct sbx_plan *p, struct lsm_state *s, struct err *e);
int lsm_apply(const struct sbx_plan *p, struct lsm_state *s, struct err *e);

#endif

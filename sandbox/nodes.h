/*
 * Devices of a sandbox in a user namespace, where a node can be made that nobody can open. The parent half makes those
 * of the config, with their owners, in a tmpfs of its own, which follows the go-ahead to the child after the mapped
 * mounts (idmap.h). There they are bound from it. A parent that may not make any sends none; then the child binds the
 * host's.
 */
#ifndef SANDBOX_NODES_H
#define SANDBOX_NODES_H

#include "base/err.h"
#include "sandbox/plan.h"

#define NODES_NAME_MAX 12

/* The name of device i in that tmpfs. */
void dev_nodes_name(uint32_t i, char name[static NODES_NAME_MAX]);

/* The parent: -1 in *ret if it may not, or if there is nothing to be made. */
int dev_nodes_make(const struct sbx_plan *p, int *ret, struct err *e);
int dev_nodes_send(const struct sbx_plan *p, int sync, int nodes, struct err *e);

/* The child. */
int dev_nodes_receive(const struct sbx_plan *p, int sync, int *ret, struct err *e);

#endif

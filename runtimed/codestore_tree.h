/* What the code store does to a tenant's tree: count it, and take it away bit by bit. */
#ifndef RUNTIMED_CODESTORE_TREE_H
#define RUNTIMED_CODESTORE_TREE_H

#include "base/err.h"
#include "runtimed/codestore.h"

/* Count what is beneath at/name, itself not included; no symlink is followed. */
int codestore_measure(int at, const char *name, struct codestore_info *ret, struct err *e);

/*
 * Remove at most *n_left files and directories of the tree at/name, and lower *n_left by that. 0: name is
 * gone; 1: it is not yet.
 */
int codestore_remove_some(int at, const char *name, unsigned *n_left, struct err *e);

#endif

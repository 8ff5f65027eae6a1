/*
 * Copy a tree of files by descriptors: directories, regular files and symlinks with their modes (no set-id
 * bits) and times, owned by whoever copies. Nothing is followed; anything else in the tree is an error that
 * names it. A file with several names becomes several files.
 */
#ifndef FNCTL_COPYTREE_H
#define FNCTL_COPYTREE_H

#include "base/err.h"

/* All that is in the directory `from` into the directory `to`, where none of it is yet. Stops with -EINTR when
 * a blocked signal is pending. */
int copy_tree(int from, int to, struct err *e);

#endif

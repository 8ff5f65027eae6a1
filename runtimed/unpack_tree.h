/*
 * The tree a package becomes: directories, then files, then symlinks, in one directory that was empty.
 *
 * Invariant: while files are written the tree has directories and regular files of ours alone; the caller
 * makes symlinks after the last file. Errors say what is wrong without the entry's name.
 */
#ifndef RUNTIMED_UNPACK_TREE_H
#define RUNTIMED_UNPACK_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/unpack_name.h"

struct unpack_tree {
	int dirfd; /* borrowed */
	uint32_t n_made, n_made_max;
	/* Where the last file was made: most archives go directory by directory. */
	int parent;
	char parent_path[UNPACK_PATH_MAX + 1];
};

void unpack_tree_init(struct unpack_tree *t, int dirfd, uint32_t n_made_max);
void unpack_tree_fini(struct unpack_tree *t);

/* Make the directory at path ("" = the package's own) with all above it; fine if it is there. */
int unpack_tree_enter(struct unpack_tree *t, const char *path, struct err *e);

/* A new empty file to write, and the directories above it. -EINVAL: the name is taken. */
int unpack_tree_create(struct unpack_tree *t, const struct unpack_name *name, int *ret_fd,
		       struct err *e);

/* After the last byte: mode and time. */
int unpack_tree_finish(int fd, bool is_executable, struct err *e);

int unpack_tree_symlink(struct unpack_tree *t, const struct unpack_name *name, const char *target,
			struct err *e);

/* Remove everything beneath dirfd. */
int unpack_tree_empty(int dirfd, struct err *e);

#endif

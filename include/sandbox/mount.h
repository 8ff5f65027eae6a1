/*
 * Mounts by descriptors only: make detached, attach once with final attributes.
 *
 * Nothing here walks a path inside a root file system except mnt_target(), which cannot leave it.
 */
#ifndef SANDBOX_MOUNT_H
#define SANDBOX_MOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A new file system, detached. data is "k=v,flag" or NULL, source may be NULL. The kernel's own message
 * (fsopen(2) log) is part of the error.
 */
int mnt_new(const char *type, const char *source, const char *data, uint64_t attrs, int *ret_mount,
	    struct err *e);

/* The tree at dirfd/path, cloned and detached. path "" = dirfd itself. */
int mnt_clone(int dirfd, const char *path, bool is_recursive, int *ret_mount, struct err *e);

/* Change attributes of a mount (mount_setattr(2)); zero changes are no call. */
int mnt_set(int mount, uint64_t attr_set, uint64_t attr_clr, uint64_t propagation,
	    bool is_recursive, struct err *e);

/* Attach at an open directory or file. */
int mnt_attach(int mount, int target, const char *name, struct err *e);

/*
 * Open target inside root (O_PATH; symlinks are resolved as if root were "/"), making missing parts:
 * directories, and at the end a directory or an empty file.
 */
int mnt_target(int root, const char *target, bool is_dir, int *ret_fd, struct err *e);

#endif

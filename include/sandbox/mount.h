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
 * A new file system, detached. data is "k=v,flag" or NULL, where a value with commas stands in quotes; source may
 * be NULL. The kernel's own message (fsopen(2) log) is part of the error.
 */
int mnt_new(const char *type, const char *source, const char *data, uint64_t attrs, int *ret_mount,
	    struct err *e);

/* Change the options of a mount's file system, for all its mounts. The mount's attributes stay. */
int mnt_change(int mount, const char *data, bool is_readonly, struct err *e);

/* The tree at dirfd/path, cloned and detached. path "" = dirfd itself. */
int mnt_clone(int dirfd, const char *path, bool is_recursive, int *ret_mount, struct err *e);

/* Change attributes of a mount (mount_setattr(2)); zero changes are no call. */
int mnt_set(int mount, uint64_t attr_set, uint64_t attr_clr, uint64_t propagation,
	    bool is_recursive, struct err *e);

/* Attach at an open directory or file. */
int mnt_attach(int mount, int target, const char *name, struct err *e);

/*
 * The same, where path led to target in root, which others may be changing. -EBUSY if the path does not lead to the
 * mount then: the caller gives up what it builds.
 */
int mnt_attach_in(int root, int mount, int target, const char *path, struct err *e);

/*
 * Open target inside root (O_PATH; symlinks are resolved as if root were "/"), making missing parts:
 * directories, and at the end a directory or an empty file. Where a link dangles, what it names is made.
 */
int mnt_target(int root, const char *target, bool is_dir, int *ret_fd, struct err *e);

/* The same for a directory, but no part of target may be a link: -ELOOP. */
int mnt_target_plain(int root, const char *target, int *ret_fd, struct err *e);

#endif

/*
 * procfs that the container has no hand in: looked up before the root is entered, and verified, so that no
 * symlink, mount or fake directory of a bundle can turn a write elsewhere (CVE-2019-16884 and its kin).
 */
#ifndef SANDBOX_PROC_H
#define SANDBOX_PROC_H

#include "base/err.h"

/*
 * The top of a procfs: one of our own, mounted nowhere, or where the kernel forbids that (it would show
 * more than what is mounted already) the host's.
 */
int proc_open(int *ret_fd, struct err *e);

/* Open a file of it; no link is followed and no mount crossed. flags: O_RDONLY, O_WRONLY. */
int proc_open_file(int proc, const char *file, int flags, int *ret_fd, struct err *e);

/* The same below the caller's own directory. */
int proc_open_self(int proc, const char *file, int flags, int *ret_fd, struct err *e);

/* Write text in one piece: the way of procfs. */
int proc_write(int fd, const char *file, const char *text, struct err *e);

#endif

/*
 * File descriptors that own themselves.
 *
 * -1 means "no descriptor" and nothing else. Every descriptor is born O_CLOEXEC.
 *
 *	_cleanup_fd_ int fd = open(...);
 *	...
 *	*ret_fd = fd_steal(&fd);        // commit: ownership moves to the caller
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Close *fd if it is one and set it to -1. Accepts -1. errno is preserved. */
void fd_close(int *fd);

/* Return *fd and leave -1 behind. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/*
 * Make the process's table as large as n descriptors need, or as RLIMIT_NOFILE lets it. Before the first thread:
 * a table that grows later, at 64, 128, 256 … descriptors, makes the whole process with threads wait 8 to 20 ms
 * for an RCU grace period (expand_fdtable() in fs/file.c). It never shrinks.
 */
int fd_reserve(unsigned int n, struct err *e);

#define _cleanup_fd_ __attribute__((cleanup(fd_close)))

#endif

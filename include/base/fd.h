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

/* Close *fd if it is one and set it to -1. Accepts -1. errno is preserved. */
void fd_close(int *fd);

/* Return *fd and leave -1 behind. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define _cleanup_fd_ __attribute__((cleanup(fd_close)))

#endif

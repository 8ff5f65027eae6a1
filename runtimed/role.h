/*
 * The roles of the program `runtimed`, each a process of its own, started by fork and exec of
 * /proc/self/exe: a fresh address space, and descriptors at fixed places.
 */
#ifndef RUNTIMED_ROLE_H
#define RUNTIMED_ROLE_H

/* The core's descriptors behind 0, 1, 2. */
enum core_fd {
	CORE_FD_LAUNCHER = 3, /* SEQPACKET, runtimed/launch.h */
	CORE_FD_CONFIG,       /* memfd: struct config */
	CORE_FD_UNIX,         /* listening */
	CORE_FD_TCP,          /* listening */
	CORE_FD_STATE,        /* STATE/core */
	CORE_FD_KEY,          /* STATE/root-key, read-only */
	CORE_FD_DROP,         /* memfd: struct sbx_drop */
	CORE_FDS
};

int core_main(void);

#endif

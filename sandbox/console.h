/*
 * Terminals of containers: a pty of the container's own devpts, by descriptors only.
 *
 *	child, as root of its user namespace, its mounts made:
 *	  console_open(root, ...)	the pair; the slave comes from the master, never by its path, which the
 *					container may have made lead elsewhere (CVE-2025-52565)
 *	  console_bind(root, slave)	over /dev/console
 *	  console_send(sock, master)	to whoever relays: our own command, or an engine's --console-socket
 *	  console_adopt(slave, uid)	controlling terminal and stdin, stdout, stderr; after setsid()
 *
 *	starter:
 *	  console_connect(path)		an engine's socket
 *	  console_receive(sock)		of console_send()
 *
 * All but the starter's half may run right after clone3(). Only the slave that was made here ever changes
 * its owner: descriptors that were inherited are somebody else's (a host's /dev/null).
 */
#ifndef SANDBOX_CONSOLE_H
#define SANDBOX_CONSOLE_H

#include <stdint.h>

#include "base/err.h"
#include "sandbox/plan.h"

/*
 * A new pty of the devpts mounted at dev/pts of root; size as wanted. -ENODEV if none is mounted there. Both
 * are O_NOCTTY.
 */
int console_open(int root, const struct sbx_terminal *t, int *ret_master, int *ret_slave,
		 struct err *e);

/* Bind the slave over dev/console of root, an empty file if there is none. A symlink there is refused. */
int console_bind(int root, int slave, struct err *e);

/* Give the master away, in runc's format: one descriptor, the payload its name. */
int console_send(int sock, int master, struct err *e);

/* Make *slave the terminal of this session and descriptors 0, 1 and 2, owned by uid; it is closed. */
int console_adopt(int *slave, uint32_t uid, struct err *e);

int console_connect(const char *path, int *ret_sock, struct err *e);

/* The master, which must be one (-EPROTO). Blocks. */
int console_receive(int sock, int *ret_master, struct err *e);

#endif

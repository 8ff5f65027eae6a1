/*
 * Messages between our own processes: one datagram, one struct, descriptors attached.
 *
 * All such sockets are SOCK_SEQPACKET pairs. sock_recv() takes exactly the datagram or fails: a
 * truncated one, more descriptors than allowed, or a wrong length are the peer's fault (EPROTO) and the
 * caller ends that peer.
 */
#ifndef BASE_SOCK_H
#define BASE_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define SOCK_FDS_MAX 32

/* A connected pair; type is SOCK_SEQPACKET or SOCK_STREAM, SOCK_CLOEXEC is added. */
int sock_pair(int type, int *ret_a, int *ret_b, struct err *e);

/* Send one datagram with n_fds descriptors (borrowed). Blocks if the socket blocks. -EPIPE if gone. */
int sock_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds, struct err *e);

/*
 * Receive one datagram of 1..size bytes and 0..fds_max descriptors (CLOEXEC; the caller owns them;
 * slots beyond *ret_n_fds are set to -1). Returns 0, SOCK_E_EOF when the peer closed, SOCK_E_AGAIN
 * when non-blocking and nothing is there.
 */
enum sock_outcome { SOCK_E_EOF = 1, SOCK_E_AGAIN = 2 };
int sock_recv(int sock, void *data, size_t size, size_t *ret_len, int *fds, size_t fds_max,
	      size_t *ret_n_fds, struct err *e);

#endif

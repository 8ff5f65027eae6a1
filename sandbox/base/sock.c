/* Messages between our own processes: see include/base/sock.h. */
#include "base/sock.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
};

int sock_pair(int type, int *ret_a, int *ret_b, struct err *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return err_errno(e, "socketpair");
	*ret_a = fds[0];
	*ret_b = fds[1];
	return 0;
}

int sock_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds, struct err *e)
{
	union control control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > SOCK_FDS_MAX)
		return err_set(e, E2BIG, "send: %zu descriptors, at most %d", n_fds, SOCK_FDS_MAX);
	if (n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "send %zu bytes to peer", size);
	return 0;
}

/* Move the descriptors of one message into fds[0..max); false if there were more or other kinds. */
static bool take_fds(struct msghdr *msg, int *fds, size_t max, size_t *ret_n)
{
	bool is_fine = !(msg->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t got;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			is_fine = false;
			continue;
		}
		got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < got; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < max) {
				fds[n++] = fd;
				continue;
			}
			fd_close(&fd);
			is_fine = false;
		}
	}
	*ret_n = n;
	return is_fine;
}

int sock_recv(int sock, void *data, size_t size, size_t *ret_len, int *fds, size_t fds_max,
	      size_t *ret_n_fds, struct err *e)
{
	union control control;
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	size_t n_fds = 0;
	ssize_t n;

	/*
	 * ECONNRESET, told once: the peer has closed with a message of ours unread. What it had sent before
	 * is still there, and its last words may be why it has closed.
	 */
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return SOCK_E_AGAIN;
	if (n < 0)
		return err_errno(e, "receive from peer");
	for (size_t i = 0; i < fds_max; i++)
		fds[i] = -1;
	if (!take_fds(&msg, fds, fds_max, &n_fds)) {
		for (size_t i = 0; i < n_fds; i++)
			fd_close(&fds[i]);
		return err_set(e, EPROTO, "receive from peer: bad datagram");
	}
	if (n == 0)
		return SOCK_E_EOF;
	*ret_len = (size_t)n;
	if (ret_n_fds)
		*ret_n_fds = n_fds;
	return 0;
}

/* See seccomp_notify.h. One connection, one state, one descriptor. */
#include "sandbox/seccomp_notify.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"

#define PATIENCE_S 10
#define TEXT_MAX   (2u << 20)

static int open_socket(const char *path, int *ret, struct err *e)
{
	_cleanup_fd_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S}; /* of connect(2) too */

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return err_errno(e, "socket");
	if (!str_copy(to.sun_path, sizeof(to.sun_path), path))
		return err_set(e, ENAMETOOLONG, "'%s': too long for a socket", path);
	if (connect(sock, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return err_errno(e, "connect to '%s'", path);
	*ret = fd_steal(&sock);
	return 0;
}

static void put_state(struct buf *b, const struct sbx_plan *plan, pid_t pid,
		      const char *oci_version, const char *state)
{
	const char *metadata = plan->listener.metadata;

	buf_puts(b, "{\"ociVersion\":");
	buf_json_string(b, oci_version, strlen(oci_version));
	buf_printf(b, ",\"fds\":[\"seccompFd\"],\"pid\":%d", (int)pid);
	if (metadata) {
		buf_puts(b, ",\"metadata\":");
		buf_json_string(b, metadata, strlen(metadata));
	}
	buf_printf(b, ",\"state\":%s}", state);
}

/* The descriptor goes with the first bytes. */
static int send_all(int sock, const char *text, size_t n, int fd, struct err *e)
{
	char control[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = n};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	while (iov.iov_len > 0) {
		ssize_t sent = sendmsg(sock, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return err_errno(e, "send");
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= (size_t)sent;
		m.msg_control = NULL;
		m.msg_controllen = 0;
	}
	return 0;
}

int seccomp_notify(const struct sbx_plan *plan, const struct sbx_begun *b, const char *oci_version,
		   const char *state, struct err *e)
{
	_cleanup_fd_ int sock = -1,
			 fd = (int)syscall(SYS_pidfd_getfd, b->proc.pidfd, b->listener, 0);
	_cleanup_buf_ struct buf text;
	int r = fd < 0 ? err_errno(e, "fetch descriptor %d", b->listener) : 0;

	buf_init(&text, TEXT_MAX);
	put_state(&text, plan, b->proc.pid, oci_version, state);
	if (r == 0 && buf_failed(&text))
		r = err_set(e, E2BIG, "the state is longer than %u bytes", TEXT_MAX);
	if (r == 0)
		r = open_socket(plan->listener.path, &sock, e);
	if (r == 0)
		r = send_all(sock, text.data, text.len, fd, e);
	return r < 0 ? err_wrap(e, "seccomp listener") : 0;
}

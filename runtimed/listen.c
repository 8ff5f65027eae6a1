#include "runtimed/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"

#define BACKLOG 4096

int listen_unix(const char *run_dir, int *ret, struct err *e)
{
	_cleanup_fd_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/runtimed.sock", run_dir);

	if (s < 0)
		return err_errno(e, "unix socket");
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "unix socket '%s/runtimed.sock': at most %zu bytes",
			       run_dir, sizeof(a.sun_path) - 1);
	(void)unlink(a.sun_path); /* a dead daemon's; RUN/lock says it is dead */
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0666) < 0 ||
	    listen(s, BACKLOG) < 0)
		return err_errno(e, "listen on '%s'", a.sun_path);
	*ret = fd_steal(&s);
	return 0;
}

int listen_loopback(int run, uint16_t port, int *ret, struct err *e)
{
	_cleanup_fd_ int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(a);
	char text[16];
	int on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return err_errno(e, "tcp socket");
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, BACKLOG) < 0 ||
	    getsockname(s, (struct sockaddr *)&a, &len) < 0)
		return err_errno(e, "listen on 127.0.0.1:%u", port);
	(void)snprintf(text, sizeof(text), "%u\n", ntohs(a.sin_port));
	if (file_replace(run, "port", text, strlen(text), 0644, e) < 0)
		return -e->code;
	*ret = fd_steal(&s);
	return 0;
}

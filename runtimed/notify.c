/* See notify.h. */
#include "runtimed/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"

void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	_cleanup_fd_ int s = -1;
	socklen_t len;

	if (!path)
		return;
	if (!str_copy(to.sun_path, sizeof(to.sun_path), path)) {
		log_line(LOG_WARN, "NOTIFY_SOCKET: longer than %zu bytes", sizeof(to.sun_path) - 1);
		return;
	}
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@')
		to.sun_path[0] =
			'\0'; /* an abstract one: all its bytes count, and no zero ends it */
	s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || sendto(s, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, len) < 0)
		log_line(LOG_WARN, "tell the service manager: %m");
}

/* Which descriptors a process gets: see cli.h. */
#include <errno.h>
#include <fcntl.h>

#include "sandbox/cli/cli.h"

#define STDIO_FDS 3

int cli_pass_descriptors(uint64_t n, struct sbx_place *place, struct err *e)
{
	if (n > SBX_STDIO_MAX - STDIO_FDS)
		return err_set(e, EINVAL, "--preserve-fds: more than %d descriptors",
			       SBX_STDIO_MAX - STDIO_FDS);
	place->n_fds = STDIO_FDS + (int)n;
	for (int fd = 0; fd < place->n_fds; fd++) {
		int flags = fcntl(fd, F_GETFD);
		bool is_given = flags >= 0 && (fd < STDIO_FDS || !(flags & FD_CLOEXEC));

		place->fds[fd] = is_given ? fd : -1;
	}
	return 0;
}

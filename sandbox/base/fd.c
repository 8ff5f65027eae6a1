#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* Linux frees the descriptor whatever close() answers */
	*fd = -1;
	errno = saved;
}

int fd_reserve(unsigned int n, struct err *e)
{
	struct rlimit rl;
	int any, high;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return err_errno(e, "limit of descriptors");
	if (n > rl.rlim_cur)
		n = (unsigned int)rl.rlim_cur;
	any = open("/", O_PATH | O_CLOEXEC);
	if (any < 0)
		return err_errno(e, "open '/'");
	high = fcntl(any, F_DUPFD_CLOEXEC, n - 1);
	if (high < 0)
		err_errno(e, "table of %u descriptors", n);
	fd_close(&any);
	if (high < 0)
		return -e->code;
	fd_close(&high);
	return 0;
}

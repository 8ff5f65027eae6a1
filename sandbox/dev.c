/*
 * The /dev of functions: made once by root in a tmpfs and bound read-only into every instance, one mount instead of
 * a tmpfs and a mount per device. That of bundles is made in root_dev.c.
 */
#include "sandbox/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/sandbox.h"

/* clang-format off */
static const struct {
	const char *name;
	unsigned int major, minor;
} devices[] = {
	{"null",    1, 3},
	{"zero",    1, 5},
	{"full",    1, 7},
	{"random",  1, 8},
	{"urandom", 1, 9},
};
/* clang-format on */

int dev_links(int dirfd, struct err *e)
{
	static const struct {
		const char *name, *to;
	} links[] = {
		{"fd",     "/proc/self/fd"  },
		{"stdin",  "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].to, dirfd, links[i].name) < 0 && errno != EEXIST)
			return err_errno(e, "link '/dev/%s'", links[i].name);
	return 0;
}

static int add_device(int dirfd, size_t i, struct err *e)
{
	dev_t dev = makedev(devices[i].major, devices[i].minor);

	if (mknodat(dirfd, devices[i].name, S_IFCHR | 0666, dev) < 0 ||
	    fchmodat(dirfd, devices[i].name, 0666, 0) < 0) /* mknod obeyed our umask */
		return err_errno(e, "device '%s'", devices[i].name);
	return 0;
}

int sbx_dev_fill(int dirfd, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (add_device(dirfd, i, e) < 0)
			return -e->code;
	if (dev_links(dirfd, e) < 0)
		return -e->code;
	if (mkdirat(dirfd, "shm", 0755) < 0)
		return err_errno(e, "mkdir 'shm'");
	return 0;
}

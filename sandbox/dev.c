/*
 * The two forms of /dev.
 *
 * Of functions: made once by root in a tmpfs and bound read-only into every instance, one mount instead of a
 * tmpfs and a bind per device. Of bundles: what the runtime specification lists, in whatever the config
 * mounts at /dev; each device is the host's own node, bound, so that it works in a user namespace too,
 * where nobody can mknod, and no node is ever made in the bundle.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/mount.h"
#include "sandbox/root.h"
#include "sandbox/sys.h"

static const struct {
	const char *name;
	unsigned int major, minor;
	bool in_functions;
} devices[] = {
	{"null",	 1, 3, true },
	{"zero",	 1, 5, true },
	 {"full",	  1, 7, true },
	{"random",  1, 8, true },
	{"urandom", 1, 9, true },
	 {"tty",	 5, 0, false},
};

static const struct {
	const char *name, *to;
	bool in_functions;
} links[] = {
	{"fd",     "/proc/self/fd",	true },
	     {"stdin",  "/proc/self/fd/0", true },
	{"stdout", "/proc/self/fd/1", true },
	     {"stderr", "/proc/self/fd/2", true },
	{"ptmx",	 "pts/ptmx",	     false},
};

/* ---- of functions ---- */

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
		if (devices[i].in_functions && add_device(dirfd, i, e) < 0)
			return -e->code;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (links[i].in_functions && symlinkat(links[i].to, dirfd, links[i].name) < 0)
			return err_errno(e, "link '%s'", links[i].name);
	if (mkdirat(dirfd, "shm", 0755) < 0)
		return err_errno(e, "mkdir 'shm'");
	return 0;
}

/* ---- of bundles ---- */

/* The host's node, which must be what its name says: what is bound here is handed to a stranger. */
static int clone_device(const char *path, size_t i, int *ret, struct err *e)
{
	_cleanup_fd_ int node = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (node < 0 || fstat(node, &st) < 0)
		return err_errno(e, "open");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(devices[i].major, devices[i].minor))
		return err_set(e, ENODEV, "not device %u:%u", devices[i].major, devices[i].minor);
	return mnt_clone(node, "", false, ret, e);
}

static int bind_device(size_t i, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int mnt = -1, target = -1;
	char path[32];
	int r;

	(void)snprintf(path, sizeof(path), "/dev/%s", devices[i].name);
	r = clone_device(path, i, &mnt, e);
	if (r == 0)
		r = mnt_target(s->root, path, false, &target, e);
	if (r == 0)
		r = mnt_attach(mnt, target, path, e);
	return r < 0 ? err_wrap(e, "'%s'", path) : 0;
}

int root_devices(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int dev = -1;

	if (!p->has_default_dev)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (bind_device(i, s, e) < 0)
			return -e->code;
	dev = sys_open_in_root(s->root, "dev", O_PATH | O_DIRECTORY);
	if (dev < 0)
		return err_errno(e, "open '/dev'");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].to, dev, links[i].name) < 0 && errno != EEXIST)
			return err_errno(e, "link '/dev/%s'", links[i].name);
	return 0;
}

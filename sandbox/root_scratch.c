/* The tmpfs of an instance: its limits, and other ones for a sandbox that stands. See root.h, sandbox.h. */
#include "sandbox/root.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/fd.h"
#include "sandbox/mount.h"
#include "sandbox/sandbox.h"

/* One inode per 16 KiB: what tmpfs gives by default is host memory / 2, which is no limit. */
#define BYTES_PER_INODE (16u << 10)
#define INODES_MIN      1024u

void root_scratch_limits(uint64_t bytes, char ret[ROOT_SCRATCH_LIMITS_MAX])
{
	uint64_t inodes = bytes / BYTES_PER_INODE;

	(void)snprintf(ret, ROOT_SCRATCH_LIMITS_MAX, "size=%" PRIu64 ",nr_inodes=%" PRIu64, bytes,
		       inodes < INODES_MIN ? INODES_MIN : inodes);
}

int sbx_resize_scratch(const struct sbx_proc *init, uint64_t bytes, struct err *e)
{
	char path[48], limits[ROOT_SCRATCH_LIMITS_MAX];
	_cleanup_fd_ int mount = -1;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/root/tmp", init->pid);
	mount = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (mount < 0)
		return err_errno(e, "resize /tmp: open '%s'", path);
	root_scratch_limits(bytes, limits);
	r = mnt_change(mount, limits, false, e);
	return r < 0 ? err_wrap(e, "resize /tmp to %" PRIu64 " bytes", bytes) : 0;
}

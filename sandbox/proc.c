/* A trusted procfs: see proc.h. */
#include "sandbox/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

#define PROC_ROOT_INO 1

static int open_host(int *ret_fd, struct err *e)
{
	_cleanup_fd_ int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open '/proc'");
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return err_set(e, EXDEV, "'/proc' is not the top of a procfs");
	*ret_fd = fd_steal(&fd);
	return 0;
}

int proc_open(int *ret_fd, struct err *e)
{
	struct err why = ERR_INIT;

	if (mnt_new("proc", "proc", NULL, 0, ret_fd, &why) == 0)
		return 0;
	return open_host(ret_fd, e);
}

int proc_open_file(int proc, const char *file, int flags, int *ret_fd, struct err *e)
{
	int fd = sys_open_plain(proc, file, (uint64_t)flags);

	if (fd < 0)
		return err_errno(e, "open '/proc/%s'", file);
	*ret_fd = fd;
	return 0;
}

int proc_open_self(int proc, const char *file, int flags, int *ret_fd, struct err *e)
{
	char own[24], path[128];
	ssize_t n = readlinkat(proc, "self", own, sizeof(own) - 1);

	if (n <= 0)
		return err_errno(e, "find self in '/proc'");
	own[n] = '\0';
	(void)snprintf(path, sizeof(path), "%s/%s", own, file);
	return proc_open_file(proc, path, flags, ret_fd, e);
}

int proc_write(int fd, const char *file, const char *text, struct err *e)
{
	size_t n = strlen(text);
	ssize_t w = write(fd, text, n);

	if (w < 0)
		return err_errno(e, "write '%s' to '/proc/%s'", text, file);
	return (size_t)w == n ? 0 : err_set(e, EIO, "'/proc/%s' took a part of '%s'", file, text);
}

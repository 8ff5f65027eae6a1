/*
 * Our own program, out of a container's reach (CVE-2019-5736).
 *
 * Between its birth and its execve(), a container's process is us: /proc/PID/exe, and the interpreter of a script
 * that begins with "#!/proc/self/exe", are our file, which the container's root could then write. That it is not
 * dumpable closes the first way for those without CAP_SYS_PTRACE only. So what creates or enters a container runs
 * from a mount of our file that is read-only and belongs to nobody: made by open_tree(2), executed, let go. Writes
 * through it fail with EROFS whoever asks, and it is in no namespace where it could be changed.
 *
 * It costs one more execve(): 0.3 to 0.5 ms of processor time a start (2 virtual cores, kernel 6.18), of which most is
 * libc's start, that asks the processor about its caches by an instruction that virtual machines trap. For those who
 * may not mount there is a sealed copy in memory instead, which costs copying the program as well; not measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cli/cli.h"
#include "sandbox/sys.h"

#define SELF  "/proc/self/exe"
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10 /* 6.3 */
#endif

static bool is_sealed(void)
{
	_cleanup_fd_ int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct statvfs fs;
	int seals;

	if (fd < 0 || fstatvfs(fd, &fs) < 0)
		return false;
	if (fs.f_flag & ST_RDONLY)
		return true;
	seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int open_mount(int *ret)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV};
	_cleanup_fd_ int fd = sys_open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr) < 0)
		return -errno;
	*ret = fd_steal(&fd);
	return 0;
}

static int open_copy(int *ret, struct err *e)
{
	_cleanup_fd_ int from = open(SELF, O_RDONLY | O_CLOEXEC),
			 to = memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	struct stat st;

	if (to < 0 && errno == EINVAL) /* before Linux 6.3 all could be executed */
		to = memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return err_errno(e, "copy of our own program");
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			return err_errno(e, "copy of our own program");
		left -= n;
	}
	if (fchmod(to, 0500) < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return err_errno(e, "seal a copy of our own program");
	*ret = fd_steal(&to);
	return 0;
}

int cli_seal(const struct cli *c, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r = 0;

	if (is_sealed()) {
		(void)prctl(PR_SET_NAME, "sandbox", 0, 0, 0); /* it was a descriptor's number */
		return 0;
	}
	/* A user who cannot write it has a container that cannot either. */
	if (geteuid() != 0 && faccessat(AT_FDCWD, SELF, W_OK, AT_EACCESS) < 0)
		return 0;
	if (open_mount(&fd) < 0)
		r = open_copy(&fd, e);
	if (r < 0)
		return r;
	(void)syscall(SYS_execveat, fd, "", c->words, environ, AT_EMPTY_PATH);
	return err_errno(e, "execute our own program from where nobody can write it");
}

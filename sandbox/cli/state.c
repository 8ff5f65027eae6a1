/*
 * ROOT/ID, the state of a container: see cli.h. Whoever works on it holds a lock on the directory, which the
 * kernel lets go when the holder dies. So a directory without a lock is nobody's.
 */
#include "sandbox/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#define ID_MAX 200

static int check_id(const char *id, struct err *e)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

	if (n == 0 || n > ID_MAX || id[n] || str_is(id, ".") || str_is(id, ".."))
		return err_set(e, EINVAL, "container ID '%s': not 1..%d letters, digits and '_+-.'",
			       id, ID_MAX);
	return 0;
}

/* Between our open and our lock its holder may have removed it: then the lock is on nothing. */
static bool is_still_there(int root, const char *id, int fd)
{
	struct stat a, b;

	return fstatat(root, id, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int state_claim(const char *root, const char *id, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int dir = -1, fd = -1;
	int r = check_id(id, e);

	if (r == 0)
		r = file_make_dirs(AT_FDCWD, root, 0711, e);
	if (r == 0)
		r = file_open_dir(AT_FDCWD, root, &dir, e);
	if (r < 0)
		return err_wrap(e, "state");
	do {
		fd_close(&fd);
		if (mkdirat(dir, id, 0700) < 0 && errno != EEXIST)
			return err_errno(e, "state: mkdir '%s/%s'", root, id);
		fd = openat(dir, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return err_errno(e, "state: open '%s/%s'", root, id);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
			return err_set(e, EEXIST, "container '%s' exists", id);
	} while (fd < 0 || !is_still_there(dir, id, fd));
	*ret_fd = fd_steal(&fd);
	return 0;
}

int state_release(const char *root, const char *id, int *fd, struct err *e)
{
	_cleanup_fd_ int dir = -1;
	int r = file_open_dir(AT_FDCWD, root, &dir, e);

	if (r == 0)
		r = file_remove_tree(dir, id, e);
	fd_close(fd);
	return r < 0 ? err_wrap(e, "state") : 0;
}

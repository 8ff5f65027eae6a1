/* Small files and trees, relative to directory descriptors: see include/base/file.h. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define TREE_DEPTH_MAX 512

int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *e)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	*ret_fd = (int)fd;
	return 0;
}

int file_open_dir(int dirfd, const char *path, int *ret_fd, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open directory '%s'", path);
	*ret_fd = fd;
	return 0;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int file_list(int dirfd, const char *path, DIR **ret, struct err *e)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		err_errno(e, "read directory '%s'", path);
		fd_close(&fd);
		return -e->code;
	}
	*ret = list;
	return 0;
}

const char *file_next_name(DIR *list)
{
	struct dirent *d;

	while ((d = readdir(list)))
		if (!is_dot(d->d_name))
			return d->d_name;
	return NULL;
}

int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *e)
{
	char part[4096];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return err_set(e, ENAMETOOLONG, "mkdir: path of %zu bytes", n);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
			return err_errno(e, "mkdir '%s'", part);
	}
	return 0;
}

int file_pread(int fd, char *out, size_t size)
{
	ssize_t n = pread(fd, out, size - 1, 0);

	if (n < 0)
		return -errno;
	out[n] = '\0';
	return 0;
}

int file_read(int dirfd, const char *path, char *out, size_t size, struct err *e)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	for (;;) {
		ssize_t n = read(fd, out + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "read '%s'", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == size)
			return err_set(e, EFBIG, "read '%s': longer than %zu bytes", path,
				       size - 1);
	}
	if (len > 0 && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
	return 0;
}

int file_write(int dirfd, const char *path, const char *text, struct err *e)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(text);

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	if (write(fd, text, n) != (ssize_t)n)
		return err_errno(e, "write '%s' to '%s'", text, path);
	return 0;
}

int file_write_all(int fd, const void *data, size_t n, struct err *e)
{
	const char *p = data;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return err_errno(e, "write %zu bytes", n);
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int file_in_memory(const char *name, const void *data, size_t n, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int fd = memfd_create(name, MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(e, "memfd_create");
	r = file_write_all(fd, data, n, e);
	if (r == 0)
		*ret_fd = fd_steal(&fd);
	return r;
}

/*
 * The directory may be everybody's (/tmp), the name can be guessed: what is there already is another's file, link or
 * pipe, or that of a killed predecessor. It is never written to.
 */
static int open_new(int dirfd, const char *path, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, path, flags, mode);

	if (fd < 0 && errno == EEXIST && unlinkat(dirfd, path, 0) == 0)
		fd = openat(dirfd, path, flags, mode);
	return fd;
}

int file_replace(int dirfd, const char *path, const void *data, size_t n, mode_t mode,
		 struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char tmp[4096];
	int len = snprintf(tmp, sizeof(tmp), "%s.new.%d", path, (int)getpid());
	int r;

	if (len < 0 || (size_t)len >= sizeof(tmp))
		return err_set(e, ENAMETOOLONG, "replace: path of %zu bytes", strlen(path));
	fd = open_new(dirfd, tmp, mode);
	if (fd < 0)
		return err_errno(e, "create '%s'", tmp);
	r = file_write_all(fd, data, n, e);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = err_errno(e, "sync '%s'", tmp);
	if (r == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
		r = err_errno(e, "rename '%s' to '%s'", tmp, path);
	if (r < 0)
		(void)unlinkat(dirfd, tmp, 0); /* the first error is the one to report */
	return r;
}

static int remove_below(int dirfd, dev_t dev, int depth, struct err *e);

static int remove_entry(int dirfd, const char *name, dev_t dev, int depth, struct err *e)
{
	_cleanup_fd_ int sub = -1;
	struct stat st;
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_errno(e, "remove '%s'", name);
	sub = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0 || fstat(sub, &st) < 0)
		return err_errno(e, "remove '%s'", name);
	if (dev != 0 && st.st_dev != dev)
		return err_set(e, EXDEV, "remove '%s': another file system is mounted there", name);
	r = remove_below(sub, st.st_dev, depth + 1, e);
	if (r < 0)
		return r;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, "rmdir '%s'", name);
	return 0;
}

/* Recursion is bounded by TREE_DEPTH_MAX; a tree deeper than that was not made by us. */
static int remove_below(int dirfd, dev_t dev, int depth, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	int r = file_list(dirfd, ".", &list, e);

	if (r == 0 && depth > TREE_DEPTH_MAX)
		r = err_set(e, ELOOP, "remove: tree deeper than %d", TREE_DEPTH_MAX);
	while (r == 0 && (name = file_next_name(list)))
		r = remove_entry(dirfd, name, dev, depth, e);
	return r;
}

int file_remove_tree(int dirfd, const char *name, struct err *e)
{
	return remove_entry(dirfd, name, 0, 0, e);
}

/* See copytree.h. */
#include "runtimed/fnctl/copytree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define DEPTH_MAX  256 /* of what the unpack worker makes, and of an image */
#define MODE_KEPT  01777
#define COPY_BYTES (128 << 10)

static bool is_interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigisemptyset(&pending) == 0;
}

/* Mode and times of the original, on what was made for it. */
static int finish(int fd, const struct stat *st, const char *name, struct err *e)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (fchmod(fd, st->st_mode & MODE_KEPT) < 0 || futimens(fd, times) < 0)
		return err_errno(e, "mode and times of '%s'", name);
	return 0;
}

static int copy_bytes(int in, int out, const char *name, struct err *e)
{
	_cleanup_free_ char *data = malloc(COPY_BYTES);

	if (!data)
		return err_set(e, ENOMEM, "out of memory");
	for (;;) {
		ssize_t n = read(in, data, COPY_BYTES);

		if (n < 0)
			return err_errno(e, "read '%s'", name);
		if (n == 0)
			return 0;
		if (file_write_all(out, data, (size_t)n, e) < 0)
			return err_wrap(e, "copy '%s'", name);
	}
}

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	_cleanup_fd_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_fd_ int out = -1;
	int r;

	if (in < 0)
		return err_errno(e, "open '%s'", name);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_errno(e, "create '%s'", name);
	r = copy_bytes(in, out, name, e);
	return r < 0 ? r : finish(out, st, name, e);
}

static int copy_link(int from, int to, const char *name, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_errno(e, "read link '%s'", name);
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ? err_errno(e, "link '%s'", name) : 0;
}

static int copy_below(int from, int to, unsigned depth, struct err *e);

static int copy_dir(int from, int to, const char *name, const struct stat *st, unsigned depth,
		    struct err *e)
{
	_cleanup_fd_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_fd_ int out = -1;
	int r;

	if (in < 0)
		return err_errno(e, "open '%s'", name);
	if (mkdirat(to, name, 0700) < 0)
		return err_errno(e, "mkdir '%s'", name);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return err_errno(e, "open '%s'", name);
	r = copy_below(in, out, depth + 1, e);
	return r < 0 ? r : finish(out, st, name, e);
}

static int copy_entry(int from, int to, const char *name, unsigned depth, struct err *e)
{
	struct stat st;

	if (is_interrupted())
		return err_set(e, EINTR, "interrupted");
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "stat '%s'", name);
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st, e);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, e);
	if (S_ISDIR(st.st_mode))
		return copy_dir(from, to, name, &st, depth, e);
	return err_set(e, EOPNOTSUPP, "'%s' is neither file, directory nor link", name);
}

static int copy_below(int from, int to, unsigned depth, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	int r;

	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "copy: tree deeper than %d", DEPTH_MAX);
	r = file_list(from, ".", &list, e);
	while (r == 0 && (name = file_next_name(list)))
		r = copy_entry(from, to, name, depth, e);
	return r;
}

int copy_tree(int from, int to, struct err *e)
{
	return copy_below(from, to, 0, e);
}

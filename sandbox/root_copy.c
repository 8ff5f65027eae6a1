/* tmpcopyup: what a new tmpfs will hide is copied into it. See root.h. */
#include "sandbox/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

#define DEPTH_MAX   64
#define LIST_BYTES  512 /* on the stack of each level: room for one entry is enough */
#define CHUNK_BYTES (1u << 20)

/* One directory of many: where we are, and what must not be left. */
struct level {
	int from, to;
	dev_t dev;
	int depth;
	char *link; /* PATH_MAX bytes, for whoever needs them just now */
};

static int copy_level(const struct level *l, struct err *e);

static int copy_bytes(int from, int to, const char *name, struct err *e)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, CHUNK_BYTES);
	while (n > 0);
	return n < 0 ? err_errno(e, "copy '%s'", name) : 0;
}

static int copy_file(const struct level *l, const char *name, struct err *e)
{
	_cleanup_fd_ int from = openat(l->from, name,
				       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
			 to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(e, "open '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBUSY, "'%s' changes meanwhile", name);
	to = openat(l->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return to < 0 ? err_errno(e, "create '%s'", name) : copy_bytes(from, to, name, e);
}

static int copy_dir(const struct level *l, const char *name, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_fd_ int from = openat(l->from, name, flags), to = -1;
	struct stat st;

	if (l->depth == DEPTH_MAX)
		return err_set(e, ELOOP, "directories over %d deep", DEPTH_MAX);
	if (from < 0 || fstat(from, &st) < 0)
		return err_errno(e, "open '%s'", name);
	if (mkdirat(l->to, name, 0700) < 0)
		return err_errno(e, "mkdir '%s'", name);
	to = openat(l->to, name, flags);
	if (to < 0)
		return err_errno(e, "open '%s'", name);
	if (st.st_dev != l->dev)
		return 0;
	return copy_level(&(struct level){from, to, l->dev, l->depth + 1, l->link}, e);
}

static int copy_link(const struct level *l, const char *name, struct err *e)
{
	ssize_t n = readlinkat(l->from, name, l->link, PATH_MAX - 1);

	if (n < 0)
		return err_errno(e, "read link '%s'", name);
	l->link[n] = '\0';
	return symlinkat(l->link, l->to, name) < 0 ? err_errno(e, "link '%s'", name) : 0;
}

/* The owner first: changing it would clear bits of the mode. */
static int copy_facts(const struct level *l, const char *name, const struct stat *st, struct err *e)
{
	const struct timespec times[] = {st->st_atim, st->st_mtim};

	if (fchownat(l->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "owner of '%s'", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(l->to, name, st->st_mode & 07777, 0) < 0)
		return err_errno(e, "mode of '%s'", name);
	if (utimensat(l->to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "time of '%s'", name);
	return 0;
}

static int copy_entry(const struct level *l, const char *name, struct err *e)
{
	struct stat st;
	int r = 0;

	if (fstatat(l->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "look at '%s'", name);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		r = copy_dir(l, name, e);
	else if (S_ISREG(st.st_mode))
		r = copy_file(l, name, e);
	else if (S_ISLNK(st.st_mode))
		r = copy_link(l, name, e);
	else if (!S_ISFIFO(st.st_mode))
		r = err_set(e, EPERM, "'%s' is a device", name);
	else if (mkfifoat(l->to, name, 0600) < 0)
		r = err_errno(e, "fifo '%s'", name);
	return r < 0 ? r : copy_facts(l, name, &st, e);
}

/* readdir(3) allocates. */
static int copy_level(const struct level *l, struct err *e)
{
	_Alignas(struct dirent64) char list[LIST_BYTES];
	long n;

	while ((n = syscall(SYS_getdents64, l->from, list, sizeof(list))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(list + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
				continue;
			if (copy_entry(l, d->d_name, e) < 0)
				return -e->code;
		}
	}
	return n < 0 ? err_errno(e, "read directory") : 0;
}

int root_copy(int from, int to, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	_cleanup_fd_ int source = openat(from, ".", flags), target = openat(to, ".", flags);
	char link[PATH_MAX] = "";
	struct stat st;

	if (source < 0 || target < 0 || fstat(source, &st) < 0)
		return err_errno(e, "open");
	return copy_level(&(struct level){source, target, st.st_dev, 0, link}, e);
}

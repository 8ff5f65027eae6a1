/*
 * The tree a package becomes: see unpack_tree.h.
 *
 * Every name is opened as one part of a directory that is open already, with all of RESOLVE_BENEATH,
 * RESOLVE_NO_SYMLINKS and O_EXCL, although unpack_name() has refused all that could lead out: two checks
 * that share no code.
 */
#include "runtimed/unpack_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

void unpack_tree_init(struct unpack_tree *t, int dirfd, uint32_t n_made_max)
{
	*t = (struct unpack_tree){.dirfd = dirfd, .n_made_max = n_made_max, .parent = -1};
}

void unpack_tree_fini(struct unpack_tree *t)
{
	fd_close(&t->parent);
}

static int open_one(int dirfd, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static int count_made(struct unpack_tree *t, struct err *e)
{
	if (++t->n_made > t->n_made_max)
		return err_set(e, E2BIG, "more than %u files and directories", t->n_made_max);
	return 0;
}

/* Open the directory name in parent, made if it is missing. */
static int enter_dir(struct unpack_tree *t, int parent, const char *name, int *ret_fd,
		     struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r = 0;

	if (mkdirat(parent, name, 0755) == 0)
		r = fchmodat(parent, name, 0755, 0) < 0 ? err_errno(e, "chmod directory")
							: count_made(t, e);
	else if (errno != EEXIST)
		r = err_errno(e, "mkdir '%s'", name);
	if (r < 0)
		return r;
	fd = open_one(parent, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOTDIR)
		return err_set(e, EINVAL, "'%s' is a file and a directory in the archive", name);
	if (fd < 0)
		return err_errno(e, "open directory '%s'", name);
	*ret_fd = fd_steal(&fd);
	return 0;
}

int unpack_tree_enter(struct unpack_tree *t, const char *path, struct err *e)
{
	_cleanup_fd_ int at = -1;
	char part[UNPACK_NAME_MAX + 1];

	if (t->parent >= 0 && str_is(path, t->parent_path))
		return 0;
	at = open_one(t->dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (at < 0)
		return err_errno(e, "open the directory to unpack to");
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		int next = -1, r;

		memcpy(part, p, n);
		part[n] = '\0';
		r = enter_dir(t, at, part, &next, e);
		if (r < 0)
			return r;
		fd_close(&at);
		at = next;
		p += n + (p[n] == '/');
	}
	fd_close(&t->parent);
	t->parent = fd_steal(&at);
	(void)str_copy(t->parent_path, sizeof(t->parent_path), path);
	return 0;
}

/* Enter the directory that name stands in; its last part is *ret_base, borrowed from name. */
static int enter_parent(struct unpack_tree *t, const struct unpack_name *name,
			const char **ret_base, struct err *e)
{
	const char *slash = strrchr(name->path, '/');
	char dir[UNPACK_PATH_MAX + 1] = "";
	int r;

	if (slash)
		memcpy(dir, name->path, (size_t)(slash - name->path));
	dir[slash ? slash - name->path : 0] = '\0';
	r = unpack_tree_enter(t, dir, e);
	if (r == 0)
		*ret_base = slash ? slash + 1 : name->path;
	return r;
}

/* EEXIST from making base in t->parent, as the user should hear it. */
static int refuse_existing(const struct unpack_tree *t, const char *base, struct err *e)
{
	struct stat st;

	if (fstatat(t->parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, "is a file and a directory in the archive");
	return err_set(e, EINVAL, "is in the archive twice");
}

int unpack_tree_create(struct unpack_tree *t, const struct unpack_name *name, int *ret_fd,
		       struct err *e)
{
	_cleanup_fd_ int fd = -1;
	const char *base = NULL;
	int r = enter_parent(t, name, &base, e);

	if (r < 0)
		return r;
	fd = open_one(t->parent, base, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return errno == EEXIST ? refuse_existing(t, base, e) : err_errno(e, "create");
	r = count_made(t, e);
	if (r == 0)
		*ret_fd = fd_steal(&fd);
	return r;
}

int unpack_tree_finish(int fd, bool is_executable, struct err *e)
{
	const struct timespec times[2] = {{.tv_sec = UNPACK_MTIME_SEC},
					  {.tv_sec = UNPACK_MTIME_SEC}};

	if (fchmod(fd, is_executable ? 0755 : 0644) < 0 || futimens(fd, times) < 0)
		return err_errno(e, "set mode and time");
	return 0;
}

int unpack_tree_symlink(struct unpack_tree *t, const struct unpack_name *name, const char *target,
			struct err *e)
{
	const char *base = NULL;
	int r = enter_parent(t, name, &base, e);

	if (r == 0)
		r = count_made(t, e);
	if (r == 0 && symlinkat(target, t->parent, base) < 0)
		r = errno == EEXIST ? refuse_existing(t, base, e) : err_errno(e, "symlink");
	return r;
}

int unpack_tree_empty(int dirfd, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	int r = file_list(dirfd, ".", &list, e);

	while (r == 0 && (name = file_next_name(list)))
		r = file_remove_tree(dirfd, name, e);
	return r;
}

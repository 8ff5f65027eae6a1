/* See codestore_tree.h. The depth of the recursion is what unpack.h allows a path, and some. */
#include "runtimed/codestore_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runtimed/unpack.h"

#define DEPTH_MAX (2 * UNPACK_DEPTH_MAX)

static int open_list(int at, const char *name, unsigned depth, DIR **ret, struct err *e)
{
	if (depth > DEPTH_MAX)
		return err_set(e, ELOOP, "'%s': deeper than %u directories", name, DEPTH_MAX);
	return file_list(at, name, ret, e);
}

static int measure(int at, const char *name, unsigned depth, struct codestore_info *info,
		   struct err *e)
{
	const char *entry;
	_cleanup_dir_ DIR *list = NULL;
	int r = open_list(at, name, depth, &list, e);

	while (r == 0 && (entry = file_next_name(list))) {
		struct stat st;

		if (fstatat(dirfd(list), entry, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			r = err_errno(e, "stat '%s'", entry);
			break;
		}
		info->n_entries++;
		if (S_ISREG(st.st_mode))
			info->unpacked_bytes += (uint64_t)st.st_size;
		else if (S_ISDIR(st.st_mode))
			r = measure(dirfd(list), entry, depth + 1, info, e);
	}
	return r;
}

int codestore_measure(int at, const char *name, struct codestore_info *ret, struct err *e)
{
	struct codestore_info info = {0};
	int r = measure(at, name, 0, &info, e);

	if (r == 0)
		*ret = info;
	return r;
}

static int remove_some(int at, const char *name, unsigned depth, unsigned *n_left, struct err *e)
{
	const char *entry;
	_cleanup_dir_ DIR *list = NULL;
	int r = 0;

	if (*n_left == 0)
		return 1;
	if (unlinkat(at, name, 0) == 0) {
		--*n_left;
		return 0;
	}
	if (errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_errno(e, "remove '%s'", name);
	r = open_list(at, name, depth, &list, e);
	while (r == 0 && (entry = file_next_name(list)))
		r = remove_some(dirfd(list), entry, depth + 1, n_left, e);
	if (r == 0 && *n_left == 0)
		return 1;
	if (r == 0 && unlinkat(at, name, AT_REMOVEDIR) < 0)
		return err_errno(e, "rmdir '%s'", name);
	*n_left -= r == 0;
	return r;
}

int codestore_remove_some(int at, const char *name, unsigned *n_left, struct err *e)
{
	return remove_some(at, name, 0, n_left, e);
}

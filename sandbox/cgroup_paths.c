/* Groups that outlive the program that made them, by their absolute directories: see cgroup.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define END_TIMEOUT_US (10 * CLK_US_PER_SEC)
#define END_ROUNDS     5
#define DEPTH_MAX      64

int cg_paths_get(const struct cg *cg, uint32_t depth, struct cg_paths *ret, struct err *e)
{
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		char link[64];
		ssize_t n;

		ret->dir[h][0] = '\0';
		if (!cg_is_in(cg, h))
			continue;
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", cg->dir[h]);
		n = readlink(link, ret->dir[h], sizeof(ret->dir[h]) - 1);
		if (n < 0)
			return err_errno(e, "cgroup (%s): where is it", cg_hierarchy_name(h));
		ret->dir[h][n] = '\0';
	}
	ret->depth = depth;
	return 0;
}

/* The directory `depth` levels above path, cut off in place; *ret_name (may be NULL): what was cut off last. */
static bool cut(char *path, uint32_t depth, const char **ret_name)
{
	for (; depth > 0; depth--) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path || slash[1] == '\0')
			return false;
		*slash = '\0';
		if (ret_name)
			*ret_name = slash + 1;
	}
	return true;
}

/* A directory of a cgroup file system, whatever else a state file may say. */
static int open_group_dir(const char *path, int *ret, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	struct statfs st;
	int r;

	if (path[0] != '/')
		return err_set(e, EINVAL, "cgroup '%s': not an absolute path", path);
	r = file_open_dir(AT_FDCWD, path, &fd, e);
	if (r < 0)
		return r;
	if (fstatfs(fd, &st) < 0)
		return err_errno(e, "cgroup '%s'", path);
	if (st.f_type != CGROUP_SUPER_MAGIC && st.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(e, EINVAL, "cgroup '%s': not on a cgroup file system", path);
	*ret = fd_steal(&fd);
	return 0;
}

int cg_paths_open(const struct cg_paths *p, struct cg *ret, struct err *e)
{
	struct cg cg = CG_INIT;
	int r = 0;

	if (p->dir[CG_CORE][0] == '\0')
		return err_set(e, EINVAL, "cgroup: no path in the v2 core");
	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++) {
		if (p->dir[h][0] == '\0')
			continue;
		for (int i = CG_CORE; i < h && cg.dir[h] < 0; i++)
			if (str_is(p->dir[i], p->dir[h]))
				cg.dir[h] = cg.dir[i];
		if (cg.dir[h] < 0)
			r = open_group_dir(p->dir[h], &cg.dir[h], e);
	}
	if (r < 0) {
		cg_close(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

/* ---- removing ---- */

/* Kill what is in the v2 group. One that is gone is as good. */
static int end_processes(const char *path, struct err *e)
{
	struct cg core = CG_INIT;
	_cleanup_fd_ int fd = -1;
	int r = open_group_dir(path, &fd, e);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	core.dir[CG_CORE] = fd;
	r = cg_end(&core, clk_now_us() + END_TIMEOUT_US, e);
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

/* Open the group above and name the last part. False: it, and with it the group, is gone. */
static int open_above(const char *path, char *copy, const char **ret_name, int *ret, struct err *e)
{
	int r;

	(void)str_copy(copy, PATH_MAX, path);
	if (!cut(copy, 1, ret_name))
		return err_set(e, EINVAL, "cgroup '%s': no group below another", path);
	r = open_group_dir(copy, ret, e);
	return r == -ENOENT ? 0 : r;
}

static int remove_one(const char *path, struct err *e)
{
	char copy[PATH_MAX];
	_cleanup_fd_ int above = -1;
	const char *name = NULL;
	int r = open_above(path, copy, &name, &above, e);

	return r < 0 || above < 0 ? r : cg_tree_remove(above, name, e);
}

/* From the bottom up, as far as they are empty: another program's group below is no error. */
static void prune(const char *path, uint32_t depth)
{
	char at[PATH_MAX];

	(void)str_copy(at, sizeof(at), path);
	for (; depth > 1 && cut(at, 1, NULL); depth--) {
		_cleanup_fd_ int dir = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		/* The leaf of a program that has ended since. */
		if (dir >= 0 && depth == 2)
			(void)unlinkat(dir, CG_OWN_LEAF, AT_REMOVEDIR);
		if (rmdir(at) < 0 && errno != ENOENT)
			return;
	}
}

/* Whoever makes groups below the same one waits: cg_shared_create() takes this lock too. */
static int lock_base(const struct cg_paths *p, int *ret, struct err *e)
{
	char base[PATH_MAX];
	int r;

	(void)str_copy(base, sizeof(base), p->dir[CG_CORE]);
	if (p->depth == 0 || p->depth > DEPTH_MAX || !cut(base, p->depth, NULL))
		return err_set(e, EINVAL, "cgroup '%s': not %u groups deep", p->dir[CG_CORE],
			       p->depth);
	r = open_group_dir(base, ret, e);
	if (r == 0 && flock(*ret, LOCK_EX) < 0)
		r = err_errno(e, "cgroup: lock '%s'", base);
	return r;
}

/* Is this the first hierarchy with this path? */
static bool owns_path(const struct cg_paths *p, int h)
{
	for (int i = CG_CORE; i < h; i++)
		if (str_is(p->dir[i], p->dir[h]))
			return false;
	return p->dir[h][0] != '\0';
}

static int remove_all(const struct cg_paths *p, struct err *e)
{
	int r = end_processes(p->dir[CG_CORE], e);

	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++)
		if (owns_path(p, h))
			r = remove_one(p->dir[h], e);
	return r;
}

int cg_paths_remove(struct cg_host *host, const struct cg_paths *p, struct err *e)
{
	struct err late = ERR_INIT;
	_cleanup_fd_ int base = -1;
	int r = lock_base(p, &base, e);

	if (r == -ENOENT)
		return 0;
	/* -EBUSY: somebody slipped in between the kill and the removal, or is about to be gone. */
	for (int round = 0; r == 0 && round < END_ROUNDS; round++)
		if ((r = remove_all(p, e)) == -EBUSY && round + 1 < END_ROUNDS)
			r = 0;
		else
			break;
	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++)
		if (owns_path(p, h))
			prune(p->dir[h], p->depth);
	/* Other programs' groups may be left in it; then we stay in our leaf. */
	if (r == 0 && host && host->is_adopted)
		(void)cg_root_remove(host, host->root_name, &late);
	return r;
}

/* What is hidden and what is read-only in the finished root: see root.h. */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

/* Behind what paths are hidden: a file behind the null device, directories all behind one empty file system. */
struct masks {
	int null, empty;
	bool is_attached; /* empty: only what is attached can be cloned (before Linux 6.15) */
};

/* Our own /dev/null, not the container's: that one may be a symlink (CVE-2025-31133). */
static int open_null(int *ret, struct err *e)
{
	_cleanup_fd_ int fd = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open '/dev/null'");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(e, ENODEV, "'/dev/null' is not the null device");
	*ret = fd_steal(&fd);
	return 0;
}

static int empty_directory(struct masks *k, int *ret, struct err *e)
{
	int r;

	if (k->is_attached)
		return mnt_clone(k->empty, "", false, ret, e);
	r = mnt_new("tmpfs", "mask", "mode=0555,size=4k,nr_inodes=2",
		    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		    ret, e);
	return r;
}

static int cover(const char *path, int target, struct masks *k, const struct root_state *s,
		 struct err *e)
{
	_cleanup_fd_ int mnt = -1;
	struct stat st;
	bool is_dir;
	int r;

	if (fstat(target, &st) < 0)
		return err_errno(e, "look at it");
	is_dir = S_ISDIR(st.st_mode);
	r = is_dir ? empty_directory(k, &mnt, e) : mnt_clone(k->null, "", false, &mnt, e);
	if (r == 0)
		r = mnt_attach_in(s->root, mnt, target, path, e);
	if (r == 0 && is_dir && !k->is_attached) {
		k->empty = fd_steal(&mnt);
		k->is_attached = true;
	}
	return r;
}

/* Absent is hidden. */
static int mask(const char *path, struct masks *k, const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int target = sys_open_in_root(s->root, path, O_PATH);

	if (target >= 0)
		return cover(path, target, k, s, e);
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "open");
}

static int mask_all(const struct sbx_plan *p, const struct root_state *s, struct err *e)
{
	struct masks k = {.null = -1, .empty = -1};
	int r = p->n_masked > 0 ? open_null(&k.null, e) : 0;

	for (uint32_t i = 0; r == 0 && i < p->n_masked; i++)
		if (mask(p->masked[i], &k, s, e) < 0)
			r = err_wrap(e, "mask '%s'", p->masked[i]);
	fd_close(&k.null);
	fd_close(&k.empty);
	return r;
}

static int make_readonly(const char *path, const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int target = sys_open_in_root(s->root, path, O_PATH), mnt = -1;
	int r;

	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0
							   : err_errno(e, "read-only '%s'", path);
	r = mnt_clone(target, "", true, &mnt, e);
	if (r == 0)
		r = mnt_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, true, e);
	if (r == 0)
		r = mnt_attach_in(s->root, mnt, target, path, e);
	return r < 0 ? err_wrap(e, "read-only '%s'", path) : 0;
}

static int late_readonly(const struct sbx_plan *p, const struct root_state *s, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (p->mounts[i].late_readonly &&
		    mnt_set(s->mounts[i], MOUNT_ATTR_RDONLY, 0, 0, false, e) < 0)
			return err_wrap(e, "read-only '%s'", p->mounts[i].target);
	return 0;
}

int root_restrict(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	int r = late_readonly(p, s, e);

	for (uint32_t i = 0; r == 0 && i < p->n_readonly; i++)
		r = make_readonly(p->readonly[i], s, e);
	if (r == 0)
		r = mask_all(p, s, e);
	if (r == 0 && p->root.is_readonly)
		r = mnt_set(s->root, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	return r;
}

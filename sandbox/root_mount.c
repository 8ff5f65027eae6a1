/*
 * The plan's mounts: each is made detached, with its final attributes, and attached once, to a descriptor.
 *
 * procfs is what others trust when they look at processes, and what we would write to on their behalf: it is mounted
 * on real directories only, nothing else is mounted in its place, and in it only the files that tools replace.
 */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

#define ALL_FLAGS                                                                                  \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |            \
	 MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

/* What lxcfs and the like replace. */
static const char *const in_proc[] = {
	"/proc/cpuinfo",
	"/proc/diskstats",
	"/proc/meminfo",
	"/proc/stat",
	"/proc/swaps",
	"/proc/uptime",
	"/proc/loadavg",
	"/proc/slabinfo",
	"/proc/net/dev",
	"/proc/sys/kernel/ns_last_pid",
	"/proc/sys/crypto/fips_enabled",
};

/* Of an O_PATH descriptor; 0 if it cannot be told. */
static long fs_magic(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 ? (long)fs.f_type : 0;
}

static bool is_type(const struct sbx_mount *m, const char *type)
{
	return m->kind == SBX_MOUNT_FS && str_is(m->type, type);
}

static int check_place(const struct sbx_mount *m, int mnt, int target, struct err *e)
{
	if (str_is(m->target, "/proc") && fs_magic(mnt) != PROC_SUPER_MAGIC)
		return err_set(e, EPERM, "cannot be mounted because it is not of type proc");
	if (fs_magic(target) != PROC_SUPER_MAGIC || str_is(m->target, "/proc"))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(in_proc); i++)
		if (str_is(m->target, in_proc[i]))
			return 0;
	return err_set(e, EPERM, "cannot be mounted because it is inside /proc");
}

static bool is_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int open_target(const struct sbx_mount *m, int mnt, const struct root_state *s, int *ret,
		       struct err *e)
{
	_cleanup_fd_ int target = -1;
	struct stat root, st;
	int r;

	if (is_type(m, "proc") || is_type(m, "sysfs")) {
		r = mnt_target_plain(s->root, m->target, &target, e);
		if (r == -ELOOP)
			return err_set(e, ELOOP,
				       "filesystem \"%s\" must be mounted on ordinary directory",
				       m->type);
	} else {
		r = mnt_target(s->root, m->target, is_dir(mnt), &target, e);
	}
	if (r < 0)
		return r;
	if (fstat(target, &st) < 0 || fstat(s->root, &root) < 0)
		return err_errno(e, "look at the target");
	if (st.st_dev == root.st_dev && st.st_ino == root.st_ino)
		return err_set(e, EINVAL, "leads to the root itself");
	*ret = fd_steal(&target);
	return check_place(m, mnt, *ret, e);
}

/* A directory of the scratch space, as a mount of its own. */
static int scratch_mount(const struct sbx_mount *m, struct root_state *s, int *ret, struct err *e)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "scratch%u", s->n_scratch++);
	if (mkdirat(s->scratch, name, 0700) < 0 ||
	    fchmodat(s->scratch, name, (mode_t)m->mode, 0) < 0)
		return err_errno(e, "mkdir '%s'", name);
	return mnt_clone(s->scratch, name, false, ret, e);
}

/* The source is looked up once, by the call that clones it: there is no later use of its path. */
static int make_mount(const struct sbx_plan *p, const struct sbx_mount *m, struct root_state *s,
		      int *ret, bool *ret_is_tree, struct err *e)
{
	switch (m->kind) {
	case SBX_MOUNT_FS:
		return mnt_new(m->type, m->source, m->data, m->attr_set, ret, e);
	case SBX_MOUNT_BIND:
		return mnt_clone(AT_FDCWD, m->source, m->is_recursive, ret, e);
	case SBX_MOUNT_CGROUP:
		return root_cgroup(p, m, s, ret, ret_is_tree, e);
	case SBX_MOUNT_SCRATCH:
		return scratch_mount(m, s, ret, e);
	case SBX_MOUNT_REMOUNT:
		break;
	}
	return err_set(e, EINVAL, "mount of unknown kind %d", (int)m->kind);
}

/* New file systems got their attributes when they were made. */
static int set_attributes(const struct sbx_mount *m, int mnt, struct err *e)
{
	bool is_new = m->kind == SBX_MOUNT_FS || m->kind == SBX_MOUNT_CGROUP;
	int r = is_new ? 0 : mnt_set(mnt, m->rattr_set, m->rattr_clr, 0, true, e);

	if (r == 0 && !is_new)
		r = mnt_set(mnt, m->attr_set, m->attr_clr, 0, false, e);
	if (r == 0)
		r = mnt_set(mnt, 0, 0, m->rpropagation, true, e);
	return r < 0 ? r : mnt_set(mnt, 0, 0, m->propagation, false, e);
}

/* What a new file system takes over from the directory it will hide. */
static int inherit(const struct sbx_mount *m, int mnt, bool was_there, int target, struct err *e)
{
	struct stat st;

	if (!was_there)
		return 0;
	if (m->copies_up && root_copy(target, mnt, e) < 0)
		return err_wrap(e, "tmpcopyup");
	if (!m->keeps_mode)
		return 0;
	if (fstat(target, &st) < 0 || fchmodat(mnt, ".", st.st_mode & 07777, 0) < 0)
		return err_errno(e, "mode of the directory below");
	return 0;
}

static bool exists(const struct sbx_mount *m, const struct root_state *s)
{
	_cleanup_fd_ int fd = -1;

	if (!m->copies_up && !m->keeps_mode)
		return false;
	fd = sys_open_in_root(s->root, m->target, O_PATH | O_DIRECTORY);
	return fd >= 0;
}

/* Device nodes are made straight in a new /dev, if it lets them be used. */
static void note_dev(const struct sbx_mount *m, int mnt, struct root_state *s)
{
	struct stat st;

	if (str_is(m->target, "/dev"))
		s->dev_fs = is_type(m, "tmpfs") && !(m->attr_set & MOUNT_ATTR_NODEV) &&
					    fstat(mnt, &st) == 0
				    ? st.st_dev
				    : 0;
}

static int new_mount(const struct sbx_plan *p, uint32_t i, struct root_state *s, struct err *e)
{
	const struct sbx_mount *m = &p->mounts[i];
	_cleanup_fd_ int mnt = fd_steal(&s->mounts[i]), target = -1;
	bool was_there = exists(m, s), is_tree = false;
	int r = mnt >= 0 ? 0 : make_mount(p, m, s, &mnt, &is_tree, e);

	if (r == 0)
		r = set_attributes(m, mnt, e);
	if (r == 0)
		r = open_target(m, mnt, s, &target, e);
	if (r == 0)
		r = inherit(m, mnt, was_there, target, e);
	if (r == 0)
		r = mnt_attach_in(s->root, mnt, target, m->target, e);
	if (r == 0 && is_tree)
		r = root_cgroup_fill(p, m, mnt, s, e);
	if (r < 0)
		return r;
	note_dev(m, mnt, s);
	if (m->kind == SBX_MOUNT_FS)
		s->mounts[i] = fd_steal(&mnt);
	return 0;
}

static bool is_top(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 &&
	       st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/*
 * The mount's own flags become exactly these. In a user namespace those that came with the source are locked: they
 * stay, unless it is asked for them to go.
 */
static int set_exactly(const struct sbx_mount *m, int at, struct err *e)
{
	struct err why = ERR_INIT;
	int r = mnt_set(at, m->attr_set, (ALL_FLAGS & ~m->attr_set) | m->attr_clr, 0, false, &why);

	if (r == -EPERM)
		return mnt_set(at, m->attr_set, m->attr_clr, 0, false, e);
	if (r < 0)
		*e = why;
	return r;
}

/* As remount with bind. Access times stay if not named. */
static int remount_bind(const struct sbx_mount *m, const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int at = sys_open_in_root(s->root, m->target, O_PATH);
	int r;

	if (at < 0)
		return err_errno(e, "remount");
	if (!is_top(at))
		return err_set(e, EINVAL, "remount: nothing is mounted there");
	r = mnt_set(at, m->rattr_set, m->rattr_clr, 0, true, e);
	if (r == 0)
		r = set_exactly(m, at, e);
	if (r == 0)
		r = mnt_set(at, 0, 0, m->rpropagation, true, e);
	return r < 0 ? r : mnt_set(at, 0, 0, m->propagation, false, e);
}

/* A file system changes for all its mounts, so it must be one that the plan made: by row, not by path. */
static int remount_fs(const struct sbx_plan *p, uint32_t i, const struct root_state *s,
		      struct err *e)
{
	const struct sbx_mount *m = &p->mounts[i];
	uint32_t made = i;
	int r;

	while (made > 0 && !str_is(p->mounts[made - 1].target, m->target))
		made--;
	if (made == 0 || p->mounts[made - 1].kind != SBX_MOUNT_FS)
		return err_set(e, EINVAL,
			       "remount: no file system of the sandbox's own was mounted there");
	r = mnt_change(s->mounts[made - 1], m->data, m->attr_set & MOUNT_ATTR_RDONLY, e);
	return r < 0 ? err_wrap(e, "remount")
		     : mnt_set(s->mounts[made - 1], m->attr_set,
			       (ALL_FLAGS & ~m->attr_set) | m->attr_clr, 0, false, e);
}

static int one_mount(const struct sbx_plan *p, uint32_t i, struct root_state *s, struct err *e)
{
	const struct sbx_mount *m = &p->mounts[i];

	if (m->kind != SBX_MOUNT_REMOUNT)
		return new_mount(p, i, s, e);
	return m->is_bind ? remount_bind(m, s, e) : remount_fs(p, i, s, e);
}

int root_mounts(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (one_mount(p, i, s, e) < 0)
			return err_wrap(e, "'%s'", p->mounts[i].target);
	return 0;
}

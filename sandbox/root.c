/*
 * Building the root file system: open it, mount into it, restrict it, enter it.
 *
 * Host paths (plan->root, mount sources, /dev/null for masks) are only opened before root_enter(); targets
 * are always looked up inside the new root. After root_enter() the host's tree is gone.
 */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

void root_fini(struct root_state *s)
{
	fd_close(&s->scratch);
	fd_close(&s->root);
}

int root_make_private(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	(void)s;
	/* Nothing we mount may reach the host; what the host mounts reaches us where the plan says so. */
	if (mount(NULL, "/", NULL, MS_REC | (p->follows_host_mounts ? MS_SLAVE : MS_PRIVATE),
		  NULL) < 0)
		return err_errno(e, "make '/' private");
	return 0;
}

static int attach_at_path(int mnt, const char *path, struct err *e)
{
	if (sys_move_mount(mnt, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach at '%s'", path);
	return 0;
}

/*
 * The bundle's directory, bound onto itself so that it is a mount of its own. The mount's own descriptor
 * stays usable as directory.
 */
static int open_bound(const struct sbx_root *r, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int mnt = -1;
	int x = mnt_clone(AT_FDCWD, r->path, true, &mnt, e);

	if (x == 0 && !(r->propagation & MS_SLAVE))
		x = mnt_set(mnt, 0, 0, MS_PRIVATE, true, e);
	if (x == 0 && r->no_devices)
		x = mnt_set(mnt, MOUNT_ATTR_NODEV, 0, 0, true, e);
	if (x == 0)
		x = attach_at_path(mnt, r->path, e);
	if (x == 0)
		s->root = fd_steal(&mnt);
	return x;
}

static int open_scratch(const struct sbx_root *r, struct root_state *s, struct err *e)
{
	static const char *const parts[] = {"upper", "work", "lower", "root"};
	_cleanup_fd_ int mnt = -1;
	char data[96];
	int x;

	(void)snprintf(data, sizeof(data), "size=%llu,nr_inodes=%llu,mode=0755",
		       (unsigned long long)r->scratch_bytes, (unsigned long long)r->scratch_inodes);
	x = mnt_new("tmpfs", "scratch", data, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &mnt, e);
	if (x == 0)
		x = attach_at_path(mnt, r->stage, e);
	for (size_t i = 0; x == 0 && i < ARRAY_SIZE(parts); i++)
		if (mkdirat(mnt, parts[i], 0755) < 0)
			x = err_errno(e, "mkdir '%s' in scratch", parts[i]);
	if (x == 0)
		s->scratch = fd_steal(&mnt);
	return x;
}

static int attach_in_scratch(int mnt, const char *name, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int at = openat(s->scratch, name, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return at < 0 ? err_errno(e, "open '%s' in scratch", name) : mnt_attach(mnt, at, name, e);
}

/*
 * The layers are named by path: descriptors as overlay options came only with 6.13. Overlay shows these
 * names to whoever reads mounts inside, so they are relative and tell nothing; and it takes layers only from
 * attached mounts before 6.15, so the image is bound into the scratch space first.
 */
static int open_overlay(const struct sbx_root *r, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int lower = -1, mnt = -1;
	int x = open_scratch(r, s, e);

	if (x == 0)
		x = mnt_clone(AT_FDCWD, r->lower, false, &lower, e);
	if (x == 0)
		x = attach_in_scratch(lower, "lower", s, e);
	if (x == 0 && fchdir(s->scratch) < 0)
		x = err_errno(e, "chdir to scratch");
	if (x == 0)
		x = mnt_new("overlay", "root",
			    "lowerdir=lower,upperdir=upper,workdir=work,userxattr",
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, &mnt, e);
	if (x == 0)
		x = attach_in_scratch(mnt, "root", s, e);
	if (x == 0)
		s->root = fd_steal(&mnt);
	return x;
}

int root_open(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	return p->root.path ? open_bound(&p->root, s, e) : open_overlay(&p->root, s, e);
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

/*
 * cgroup2 shows as its root that of the mounter's cgroup namespace. A sandbox without one would see the
 * host's tree: it gets a namespace for the moment of mounting.
 */
static int cgroup_mount(const struct sbx_mount *m, bool has_namespace, int *ret, struct err *e)
{
	_cleanup_fd_ int home = -1, mnt = -1;
	int r;

	if (has_namespace)
		return mnt_new("cgroup2", "cgroup", m->data, m->attr_set, ret, e);
	home = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	if (home < 0 || unshare(CLONE_NEWCGROUP) < 0)
		return err_errno(e, "cgroup namespace");
	r = mnt_new("cgroup2", "cgroup", m->data, m->attr_set, &mnt, e);
	if (setns(home, CLONE_NEWCGROUP) < 0)
		r = err_errno(e, "return to own cgroup namespace");
	if (r == 0)
		*ret = fd_steal(&mnt);
	return r;
}

static bool is_dir(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int make_mount(const struct sbx_plan *p, const struct sbx_mount *m, struct root_state *s,
		      int *ret, struct err *e)
{
	switch (m->kind) {
	case SBX_MOUNT_FS:
		return mnt_new(m->type, m->source, m->data, m->attr_set, ret, e);
	case SBX_MOUNT_BIND:
		return mnt_clone(AT_FDCWD, m->source, m->is_recursive, ret, e);
	case SBX_MOUNT_CGROUP:
		return cgroup_mount(m, p->namespaces & CLONE_NEWCGROUP, ret, e);
	case SBX_MOUNT_SCRATCH:
		return scratch_mount(m, s, ret, e);
	}
	return err_set(e, EINVAL, "mount of unknown kind %d", (int)m->kind);
}

/* New file systems got theirs when they were made. */
static int set_attributes(const struct sbx_mount *m, int mnt, struct err *e)
{
	int r = mnt_set(mnt, m->rattr_set, m->rattr_clr, 0, true, e);

	return r < 0 ? r : mnt_set(mnt, m->attr_set, m->attr_clr, 0, false, e);
}

static int one_mount(const struct sbx_plan *p, const struct sbx_mount *m, struct root_state *s,
		     struct err *e)
{
	_cleanup_fd_ int mnt = -1, target = -1;
	int r = make_mount(p, m, s, &mnt, e);

	if (r == 0 && (m->kind == SBX_MOUNT_BIND || m->kind == SBX_MOUNT_SCRATCH))
		r = set_attributes(m, mnt, e);
	if (r == 0)
		r = mnt_set(mnt, 0, 0, m->propagation & ~(uint64_t)MS_REC, m->propagation & MS_REC,
			    e);
	if (r == 0)
		r = mnt_target(s->root, m->target, is_dir(mnt), &target, e);
	if (r == 0)
		r = mnt_attach(mnt, target, m->target, e);
	return r < 0 ? err_wrap(e, "'%s'", m->target) : 0;
}

int root_mounts(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++) {
		int r = one_mount(p, &p->mounts[i], s, e);

		if (r < 0)
			return r;
	}
	return 0;
}

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

/* Hide one path: a file behind the null device, a directory behind an empty one. Absent is hidden. */
static int mask(const char *path, int null, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int target = sys_open_in_root(s->root, path, O_PATH), mnt = -1;
	int r;

	if (target < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "mask '%s'", path);
	if (is_dir(target))
		r = mnt_new("tmpfs", "mask", "mode=0555,size=0", MOUNT_ATTR_RDONLY, &mnt, e);
	else
		r = mnt_clone(null, "", false, &mnt, e);
	if (r == 0)
		r = mnt_attach(mnt, target, path, e);
	return r < 0 ? err_wrap(e, "mask '%s'", path) : 0;
}

static int make_readonly(const char *path, struct root_state *s, struct err *e)
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
		r = mnt_attach(mnt, target, path, e);
	return r < 0 ? err_wrap(e, "read-only '%s'", path) : 0;
}

static int late_readonly(const struct sbx_mount *m, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int mnt = sys_open_in_root(s->root, m->target, O_PATH);
	int r = mnt < 0 ? err_errno(e, "open") : mnt_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, e);

	return r < 0 ? err_wrap(e, "read-only '%s'", m->target) : 0;
}

int root_restrict(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	_cleanup_fd_ int null = -1;
	int r = p->n_masked > 0 ? open_null(&null, e) : 0;

	for (uint32_t i = 0; r == 0 && i < p->n_mounts; i++)
		if (p->mounts[i].late_readonly)
			r = late_readonly(&p->mounts[i], s, e);
	for (uint32_t i = 0; r == 0 && i < p->n_readonly; i++)
		r = make_readonly(p->readonly[i], s, e);
	for (uint32_t i = 0; r == 0 && i < p->n_masked; i++)
		r = mask(p->masked[i], null, s, e);
	if (r == 0 && p->root.is_readonly)
		r = mnt_set(s->root, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	return r;
}

/*
 * pivot_root(".", ".") puts the old root on top of the new one at the same place (pivot_root(2), NOTES);
 * detaching it leaves no path, no mount and no descriptor of the host.
 */
int root_enter(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	if (fchdir(s->root) < 0)
		return err_errno(e, "chdir to the new root");
	if (sys_pivot_root(".", ".") < 0)
		return err_errno(e, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_errno(e, "detach the old root");
	if (chdir("/") < 0)
		return err_errno(e, "chdir '/'");
	if (p->root.propagation && mount(NULL, "/", NULL, p->root.propagation, NULL) < 0)
		return err_errno(e, "propagation of the root");
	root_fini(s);
	return 0;
}

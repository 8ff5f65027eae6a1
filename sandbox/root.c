/* The root file system itself: open it, enter it. See root.h. */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

void root_fini(struct root_state *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->mounts); i++)
		fd_close(&s->mounts[i]);
	fd_close(&s->nodes);
	fd_close(&s->scratch);
	fd_close(&s->root);
}

/* Who is to share mounts with the host is taken from the host's tree while that is still shared. */
static int take_shared(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++) {
		const struct sbx_mount *m = &p->mounts[i];

		if (m->kind != SBX_MOUNT_BIND || s->mounts[i] >= 0 ||
		    !((m->propagation | m->rpropagation) & MS_SHARED))
			continue;
		if (mnt_clone(AT_FDCWD, m->source, m->is_recursive, &s->mounts[i], e) < 0)
			return err_wrap(e, "'%s'", m->target);
	}
	return 0;
}

int root_make_private(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	int r = take_shared(p, s, e);

	if (r < 0)
		return r;
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
	char limits[ROOT_SCRATCH_LIMITS_MAX], data[sizeof(limits) + sizeof(",mode=0755")];
	int x;

	root_scratch_limits(r->scratch_bytes, limits);
	(void)snprintf(data, sizeof(data), "%s,mode=0755", limits);
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

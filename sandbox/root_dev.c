/*
 * Devices of a bundle: see root.h.
 *
 * No node is made on the root's file system, and no file that was there is changed: a node lies in the new tmpfs at
 * /dev, or alone in one of its own, and is bound. Its owner and mode are set there. In a user namespace nobody can
 * make a node that works: there those that the parent made are bound (nodes.h), or, of a parent without the power to,
 * the host's node of that path, after a look at what it is.
 */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/dev.h"
#include "sandbox/mount.h"
#include "sandbox/nodes.h"
#include "sandbox/sys.h"

enum made { MADE_HERE = 1 }; /* else it is to be bound */

static bool is_device(const struct stat *st, const struct sbx_device *d)
{
	return (st->st_mode & S_IFMT) == (d->mode & S_IFMT) &&
	       (S_ISFIFO(d->mode) || st->st_rdev == makedev(d->major, d->minor));
}

static int not_device(const struct sbx_device *d, const char *what, struct err *e)
{
	char type = S_ISCHR(d->mode) ? 'c' : S_ISBLK(d->mode) ? 'b' : 'p';

	return err_set(e, EEXIST, "%s is not device %c %u:%u", what, type, d->major, d->minor);
}

/* The directory of the device; its name is the rest of the path. */
static int open_parent(const struct sbx_device *d, const struct root_state *s, int *ret,
		       const char **ret_name, struct err *e)
{
	const char *slash = strrchr(d->path, '/');
	char dir[PATH_MAX];
	size_t n = (size_t)(slash - d->path);

	if (n + 2 > sizeof(dir))
		return err_set(e, ENAMETOOLONG, "a path of %zu bytes", n);
	(void)snprintf(dir, sizeof(dir), "/%.*s", (int)n, d->path);
	*ret_name = slash + 1;
	return mnt_target(s->root, dir, true, ret, e);
}

/* mknod(2) with exactly this mode, on a file system that nobody else sees yet. */
static int make_node(int dir, const char *name, const struct sbx_device *d, struct err *e)
{
	mode_t before = umask(0);
	int r = mknodat(dir, name, (mode_t)d->mode, makedev(d->major, d->minor));

	if (r < 0)
		r = err_errno(e, "mknod");
	(void)umask(before);
	if (r == 0 && (d->uid || d->gid) &&
	    fchownat(dir, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_errno(e, "owner");
	return r;
}

static int hide(int tmpfs, struct err *e)
{
	if (tmpfs >= 0 && (fchdir(tmpfs) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0))
		return err_errno(e, "detach");
	return 0;
}

/* Only what is attached can be cloned: the tmpfs lies over the new root for that moment. */
static int clone_node(int tmpfs, const struct sbx_device *d, const struct root_state *s, int *ret,
		      struct err *e)
{
	_cleanup_fd_ int mnt = -1;
	int r = make_node(tmpfs, "node", d, e);

	if (r == 0)
		r = mnt_attach(tmpfs, s->root, "/", e);
	if (r < 0)
		return r;
	r = mnt_clone(tmpfs, "node", false, &mnt, e);
	if (hide(tmpfs, e) < 0)
		return -e->code;
	if (r == 0)
		*ret = fd_steal(&mnt);
	return r;
}

static int new_node(const struct sbx_device *d, const struct root_state *s, int *ret, struct err *e)
{
	_cleanup_fd_ int tmpfs = -1;
	int r = mnt_new("tmpfs", "dev", "mode=0755,size=4k,nr_inodes=4",
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &tmpfs, e);

	return r < 0 ? r : clone_node(tmpfs, d, s, ret, e);
}

static int parent_s_node(const struct sbx_plan *p, const struct sbx_device *d,
			 const struct root_state *s, int *ret, struct err *e)
{
	char name[NODES_NAME_MAX];

	dev_nodes_name((uint32_t)(d - p->devices), name);
	return mnt_clone(s->nodes, name, false, ret, e);
}

/* What is bound here is handed to a stranger: it must be what its name says. */
static int host_node(const struct sbx_device *d, int *ret, struct err *e)
{
	_cleanup_fd_ int node = open(d->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (node < 0 || fstat(node, &st) < 0)
		return err_errno(e, "open the host's");
	return is_device(&st, d) ? mnt_clone(node, "", false, ret, e)
				 : not_device(d, "the host's", e);
}

/*
 * Make it in place, if that is a new /dev: nothing can be there but what the config mounted or copied. May nodes
 * not be made, they are bound.
 */
static int make_here(const struct sbx_device *d, int dir, const char *name,
		     const struct root_state *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct stat st;
	int r;

	if (fstat(dir, &st) < 0)
		return err_errno(e, "look at its directory");
	if (s->dev_fs == 0 || st.st_dev != s->dev_fs)
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return is_device(&st, d) ? MADE_HERE : not_device(d, "what is there", e);
	r = make_node(dir, name, d, &why);
	if (r == -EPERM)
		return 0;
	if (r < 0)
		*e = why;
	return r < 0 ? r : MADE_HERE;
}

/*
 * The file to bind it over. Empty files are what earlier starts left, or an engine prepared; of the rest only the
 * device itself may be covered. For a default device that holds of any file: it has to be there.
 */
static int open_place(const struct sbx_device *d, int dir, const char *name, int *ret,
		      struct err *e)
{
	_cleanup_fd_ int file = openat(dir, name,
				       O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644),
			 at = -1;
	struct stat st;

	if (file < 0 && errno != EEXIST)
		return err_errno(e, "create");
	at = sys_open_in_root(dir, name, O_PATH | O_NOFOLLOW);
	if (at < 0 || fstat(at, &st) < 0)
		return err_errno(e, "open");
	if (S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode) ||
	    (!d->is_default && !is_device(&st, d) && !(S_ISREG(st.st_mode) && st.st_size == 0)))
		return not_device(d, "what is there", e);
	*ret = fd_steal(&at);
	return 0;
}

static int bind_node(const struct sbx_plan *p, const struct sbx_device *d, int dir,
		     const char *name, const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int mnt = -1, at = -1;
	struct err why = ERR_INIT;
	int r = sbx_plan_has(p, CLONE_NEWUSER) && !S_ISFIFO(d->mode) ? -EPERM
								     : new_node(d, s, &mnt, &why);

	if (r == -EPERM && s->nodes >= 0 && !d->is_default)
		r = parent_s_node(p, d, s, &mnt, e);
	else if (r == -EPERM)
		r = host_node(d, &mnt, e);
	else if (r < 0)
		*e = why;
	if (r == 0)
		r = open_place(d, dir, name, &at, e);
	return r < 0 ? r : mnt_attach_in(s->root, mnt, at, d->path, e);
}

/* In a /dev that the config bound from the host nothing is made: what it names is there. */
static int look(const struct sbx_device *d, const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int at = sys_open_in_root(s->root, d->path, O_PATH);
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0)
		return err_errno(e, "open in the /dev that is bound");
	return is_device(&st, d) ? 0 : not_device(d, "what is there", e);
}

static int one_device(const struct sbx_plan *p, const struct sbx_device *d,
		      const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int dir = -1;
	const char *name = NULL;
	int r;

	if (!p->has_own_dev && str_has_prefix(d->path, "/dev/"))
		return look(d, s, e);
	r = open_parent(d, s, &dir, &name, e);
	if (r == 0)
		r = make_here(d, dir, name, s, e);
	if (r == 0)
		r = bind_node(p, d, dir, name, s, e);
	return r < 0 ? r : 0;
}

/* The pty multiplexer is that of the mount at /dev/pts, never a node or a file of the bundle. */
static int link_ptmx(int dev, struct err *e)
{
	static const char to[] = "pts/ptmx";
	char now[sizeof(to) + 1];
	ssize_t n = readlinkat(dev, "ptmx", now, sizeof(now));

	if (n == (ssize_t)strlen(to) && memcmp(now, to, (size_t)n) == 0)
		return 0;
	if (unlinkat(dev, "ptmx", 0) < 0 && errno != ENOENT)
		return err_errno(e, "remove '/dev/ptmx'");
	return symlinkat(to, dev, "ptmx") < 0 ? err_errno(e, "link '/dev/ptmx'") : 0;
}

static int add_links(const struct root_state *s, struct err *e)
{
	_cleanup_fd_ int dev = sys_open_in_root(s->root, "dev", O_PATH | O_DIRECTORY);

	if (dev < 0)
		return err_errno(e, "open '/dev'");
	if (dev_links(dev, e) < 0)
		return -e->code;
	return link_ptmx(dev, e);
}

/* Only what is attached can be cloned: it lies over the new root meanwhile, which is reached by its descriptor. */
static int show_nodes(const struct root_state *s, struct err *e)
{
	return s->nodes < 0 ? 0 : mnt_attach(s->nodes, s->root, "/", e);
}

int root_devices(const struct sbx_plan *p, struct root_state *s, struct err *e)
{
	int r = show_nodes(s, e);

	for (uint32_t i = 0; r == 0 && i < p->n_devices; i++) {
		r = one_device(p, &p->devices[i], s, e);
		if (r < 0)
			return err_wrap(e, "'%s'", p->devices[i].path);
	}
	if (r == 0)
		r = hide(s->nodes, e);
	return r == 0 && p->has_own_dev ? add_links(s, e) : r;
}

/* Device nodes that the parent half makes: see nodes.h. */
#include "sandbox/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/mount.h"

#define PERMISSIONS 07777

static bool is_made(const struct sbx_device *d)
{
	return !d->is_default && !S_ISFIFO(d->mode);
}

/* Both halves see the same plan. Owners in a namespace that is joined, and not described, are not known. */
static bool are_wanted(const struct sbx_plan *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_devices; i++)
		n += is_made(&p->devices[i]);
	return n > 0 && sbx_plan_has(p, CLONE_NEWUSER) && p->n_uid_maps > 0 && p->n_gid_maps > 0;
}

void dev_nodes_name(uint32_t i, char name[static NODES_NAME_MAX])
{
	(void)snprintf(name, NODES_NAME_MAX, "%u", i);
}

static int outside(const struct sbx_idmap *maps, uint32_t n, uint32_t id, uint32_t *ret,
		   struct err *e)
{
	for (uint32_t i = 0; i < n; i++)
		if (id >= maps[i].inside && id - maps[i].inside < maps[i].count) {
			*ret = maps[i].outside + (id - maps[i].inside);
			return 0;
		}
	return err_set(e, EINVAL, "owner %u is not in the user namespace", id);
}

static int make_one(const struct sbx_plan *p, uint32_t i, int dir, struct err *e)
{
	const struct sbx_device *d = &p->devices[i];
	char name[NODES_NAME_MAX];
	uint32_t uid = 0, gid = 0;
	int r = outside(p->uid_maps, p->n_uid_maps, d->uid, &uid, e);

	if (r == 0)
		r = outside(p->gid_maps, p->n_gid_maps, d->gid, &gid, e);
	if (r < 0)
		return r;
	dev_nodes_name(i, name);
	if (mknodat(dir, name, (mode_t)d->mode, makedev(d->major, d->minor)) < 0)
		return err_errno(e, "mknod");
	if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, (mode_t)d->mode & PERMISSIONS, 0) < 0) /* mknod obeyed our umask */
		return err_errno(e, "owner and mode");
	return 0;
}

int dev_nodes_make(const struct sbx_plan *p, int *ret, struct err *e)
{
	_cleanup_fd_ int tmpfs = -1;
	struct err why = ERR_INIT;
	int r;

	if (!are_wanted(p))
		return 0;
	r = mnt_new("tmpfs", "dev", "mode=0755,size=4k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		    &tmpfs, &why);
	for (uint32_t i = 0; r == 0 && i < p->n_devices; i++) {
		if (!is_made(&p->devices[i]))
			continue;
		r = make_one(p, i, tmpfs, &why);
		if (r < 0)
			err_wrap(&why, "device '%s'", p->devices[i].path);
	}
	if (r == -EPERM)
		return 0; /* an ordinary user, or root of a user namespace */
	if (r < 0)
		*e = why;
	else
		*ret = fd_steal(&tmpfs);
	return r;
}

int dev_nodes_send(const struct sbx_plan *p, int sync, int nodes, struct err *e)
{
	return are_wanted(p) ? sock_send(sync, "d", 1, &nodes, nodes >= 0, e) : 0;
}

int dev_nodes_receive(const struct sbx_plan *p, int sync, int *ret, struct err *e)
{
	size_t len = 0, n = 0;
	char d;
	int r;

	if (!are_wanted(p))
		return 0;
	r = sock_recv(sync, &d, 1, &len, ret, 1, &n, e);
	if (r > 0 || (r == 0 && len != 1))
		return err_set(e, EPROTO, "devices did not come");
	return r;
}

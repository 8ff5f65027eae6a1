/*
 * Our subtree: making it below our own group, giving it back, and sweeping what a predecessor left.
 *
 * On v2, unless our own group G is the root of the machine, the tree afterwards is
 *
 *	G                 no process of its own any more, controllers enabled for its children
 *	└── name          the root of ours, controllers enabled for its children
 *	    ├── daemon    this process
 *	    └── ...       cg_create()
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define SWEEP_TIMEOUT_US (10 * CLK_US_PER_SEC)
#define SWEEP_ROUNDS     5

static bool exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, 0) == 0;
}

static bool has_v2_controller(const struct cg *cg)
{
	return cg_is_v2(cg, CG_MEMORY) || cg_is_v2(cg, CG_CPU) || cg_is_v2(cg, CG_PIDS);
}

/* Only the root of the machine, not that of a cgroup namespace, has no cgroup.type. */
bool cg_must_leave_own(const struct cg *own)
{
	return has_v2_controller(own) && exists(own->dir[CG_CORE], "cgroup.type");
}

/* Make root/daemon and go there. "0" is the writing process. */
static int adopt_self(int root_core, struct err *e)
{
	_cleanup_fd_ int leaf = -1;
	int r;

	if (mkdirat(root_core, CG_OWN_LEAF, 0755) < 0)
		return err_errno(e, "mkdir '" CG_OWN_LEAF "'");
	r = file_open_dir(root_core, CG_OWN_LEAF, &leaf, e);
	return r < 0 ? r : file_write(leaf, "cgroup.procs", "0", e);
}

static int enable_own(const struct cg *own, struct err *e)
{
	int r = cg_enable_children(own, e);

	if (r == -EBUSY)
		return err_set(e, EBUSY,
			       "cgroups: other processes share our own group, so it cannot give "
			       "controllers to its children; start us in a group of our own "
			       "(systemd: Delegate=yes)");
	return r < 0 ? err_wrap(e, "cgroups: our own group") : 0;
}

static int set_up_root(struct cg_host *host, const struct cg *own, const struct cg *root,
		       struct err *e)
{
	int r;

	if (!exists(root->dir[CG_CORE], "cgroup.kill"))
		return err_set(e, ENOTSUP,
			       "cgroups: no cgroup.kill; Linux 5.19 or newer is needed");
	if (cg_must_leave_own(&host->own)) {
		host->is_adopted = true;
		r = adopt_self(root->dir[CG_CORE], e);
		if (r < 0)
			return r;
	}
	r = enable_own(own, e);
	return r < 0 ? r : cg_enable_children(root, e);
}

int cg_root_make(struct cg_host *host, const char *name, cg_set set, struct cg *ret, struct err *e)
{
	struct cg root = CG_INIT, own = cg_within(&host->own, set);
	struct err undo = ERR_INIT;
	int r;

	if (host->is_adopted)
		return err_set(e, EBUSY, "cgroup '%s': this process is in another subtree of ours",
			       name);
	r = cg_create(&own, name, &root, e);
	if (r < 0)
		return r;
	host->root_set = set;
	(void)str_copy(host->root_name, sizeof(host->root_name), name); /* a directory's: it fits */
	r = set_up_root(host, &own, &root, e);
	if (r < 0) {
		cg_close(&root);
		(void)cg_root_remove(host, name, &undo); /* the first error is the one to report */
		return err_wrap(e, "cgroup '%s'", name);
	}
	*ret = root;
	return 0;
}

int cg_root_create(struct cg_host *host, const char *name, struct cg *ret, struct err *e)
{
	return cg_root_make(host, name, CG_SET_REQUIRED, ret, e);
}

/* ---- giving it back ---- */

/* A directory of cgroupfs counts its subdirectories in its links. */
static int count_children(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) < 0 ? -errno : (int)st.st_nlink - 2;
}

static int disable_children(const struct cg *cg, struct err *e)
{
	char text[128] = "";

	for (int h = CG_CORE + 1; h < CG_HIERARCHIES; h++) {
		size_t used = strlen(text);

		if (cg_is_v2(cg, h))
			(void)snprintf(text + used, sizeof(text) - used, "-%s ", cg_v2_name(h));
	}
	return file_write(cg->dir[CG_CORE], "cgroup.subtree_control", text, e);
}

/* From the bottom up: a group can take a process again once its children have no controllers. */
static int leave_leaf(struct cg_host *host, const struct cg *root, struct err *e)
{
	int r;

	if (count_children(root->dir[CG_CORE]) > 1)
		return err_set(e, EBUSY, "groups are left in it");
	r = disable_children(root, e);
	if (r == 0)
		r = disable_children(&host->own, e);
	if (r == 0)
		r = file_write(host->own.dir[CG_CORE], "cgroup.procs", "0", e);
	if (r < 0)
		return r;
	host->is_adopted = false;
	if (unlinkat(root->dir[CG_CORE], CG_OWN_LEAF, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, "rmdir '" CG_OWN_LEAF "'");
	return 0;
}

int cg_root_remove(struct cg_host *host, const char *name, struct err *e)
{
	const struct cg own = cg_within(&host->own, host->root_set | CG_SET_REQUIRED);
	_cleanup_cg_ struct cg root = CG_INIT;
	int r;

	if (host->is_adopted) {
		r = cg_open(&own, name, &root, e);
		if (r == 0)
			r = leave_leaf(host, &root, e);
		if (r < 0)
			return err_wrap(e, "cgroup '%s'", name);
	}
	return cg_remove(&own, name, e);
}

/* ---- sweeping ---- */

/* -EBUSY: somebody slipped in between the kill and the removal. */
static int sweep_once(const struct cg *own, const char *name, struct err *e)
{
	struct cg core = CG_INIT;
	_cleanup_fd_ int fd = -1;
	int r;

	if (mkdirat(own->dir[CG_CORE], name, 0755) < 0 && errno != EEXIST)
		return err_errno(e, "mkdir");
	r = file_open_dir(own->dir[CG_CORE], name, &fd, e);
	if (r < 0)
		return r;
	core.dir[CG_CORE] = fd;
	for (int h = CG_CORE + 1; h < CG_HIERARCHIES && r == 0; h++)
		if (cg_owns_dir(own, h))
			r = cg_tree_collect(own->dir[h], name, fd, e);
	if (r == 0)
		r = cg_end(&core, clk_now_us() + SWEEP_TIMEOUT_US, e);
	for (int h = CG_CORE; h < CG_HIERARCHIES && r == 0; h++)
		if (cg_owns_dir(own, h))
			r = cg_tree_remove(own->dir[h], name, e);
	return r;
}

int cg_root_sweep(struct cg_host *host, const char *name, struct err *e)
{
	bool found = false;
	int r = cg_check_name(name, e);

	if (r < 0)
		return r;
	if (host->is_adopted)
		return err_set(e, EBUSY, "cgroup '%s': sweeping it would end this process", name);
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		found = found || (cg_is_in(&host->own, h) && exists(host->own.dir[h], name));
	if (!found)
		return 0;
	for (int round = 0; round < SWEEP_ROUNDS; round++) {
		r = sweep_once(&host->own, name, e);
		if (r != -EBUSY)
			break;
	}
	return r < 0 ? err_wrap(e, "sweep cgroup '%s'", name) : 0;
}

/* Groups of a subtree that several programs share: see cgroup.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define DEPTH_MAX 32

/* The groups of a path from the base downwards; all but the last are `above`. */
struct chain {
	char names[DEPTH_MAX][NAME_MAX + 1];
	struct cg above[DEPTH_MAX]; /* above[i] holds names[i]; above[0] is borrowed, the base */
	size_t n;
	struct cg_host *host;
	cg_set set;
	bool is_locked;
	struct cg tops; /* the mounts' roots, if those are the base; else closed */
	bool is_at_top;
};

static int split(struct chain *c, const char *path, struct err *e)
{
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t length = strcspn(path, "/");

		if (c->n == DEPTH_MAX || length > NAME_MAX)
			return err_set(e, EINVAL, "cgroup '%s': too deep or too long", path);
		memcpy(c->names[c->n], path, length);
		c->names[c->n][length] = '\0';
		if (cg_check_name(c->names[c->n++], e) < 0)
			return -e->code;
		path += length;
	}
	return c->n > 0 ? 0 : err_set(e, EINVAL, "cgroup: an empty path");
}

static void chain_close(struct chain *c)
{
	for (size_t i = 1; i < DEPTH_MAX; i++)
		cg_close(&c->above[i]);
	if (c->is_locked)
		(void)flock(c->above[0].dir[CG_CORE], LOCK_UN);
	cg_close(&c->tops);
}

/* May groups be made at the root of each mount, and is that not our own group anyway? */
static bool may_use_tops(const struct chain *c)
{
	const struct cg_layout *at = &c->host->layout;
	bool is_elsewhere = false;

	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		if (!(c->set & CG_BIT(h)) || !cg_owns_dir(&c->host->own, h) ||
		    str_is(at->top[h], at->path[h]))
			continue;
		if (access(at->top[h], W_OK) < 0)
			return false;
		is_elsewhere = true;
	}
	return is_elsewhere;
}

/*
 * The specification takes an absolute path from the mount's root, and engines count on it: they call us from groups
 * of their own (conmon's, a systemd unit's), and look for the container's at that path.
 */
static int choose_base(struct chain *c, const char *path, struct err *e)
{
	int r;

	c->is_at_top = path[0] == '/' && may_use_tops(c);
	if (!c->is_at_top) {
		c->above[0] = cg_within(&c->host->own, c->set);
		return 0;
	}
	r = cg_open_all(c->host->layout.top, &c->tops, e);
	c->above[0] = cg_within(&c->tops, c->set);
	return r < 0 ? err_wrap(e, "cgroups: the root") : 0;
}

static int chain_begin(struct chain *c, struct cg_host *host, const char *path, cg_set needed,
		       struct err *e)
{
	int r;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < DEPTH_MAX; i++)
		c->above[i] = (struct cg)CG_INIT;
	c->tops = (struct cg)CG_INIT;
	c->host = host;
	c->set = CG_SET_REQUIRED | needed;
	if (cg_is_in(&host->own,
		     CG_CPUACCT)) /* else engines' metrics show the CPU time of our starter */
		c->set |= CG_BIT(CG_CPUACCT);
	/* On v2 a hierarchy more costs nothing to join, and later changes of limits can count on it. */
	for (int h = CG_REQUIRED; cg_host_mode(host) == CG_UNIFIED && h < CG_HIERARCHIES; h++)
		if (cg_is_v2(&host->own, h))
			c->set |= CG_BIT(h);
	r = split(c, path, e);
	if (r == 0)
		r = choose_base(c, path, e);
	if (r == 0 && flock(c->above[0].dir[CG_CORE], LOCK_EX) < 0)
		r = err_errno(e, "cgroup: lock the group above");
	c->is_locked = r == 0;
	return r;
}

/* A new cpuset on v1 has no CPUs, and no process can enter it. */
static int ensure_cpuset(const struct cg *parent, const struct cg *cg, struct err *e)
{
	if (!cg_is_in(cg, CG_CPUSET) || cg_is_v2(cg, CG_CPUSET))
		return 0;
	return cg_cpuset_inherit(parent->dir[CG_CPUSET], cg->dir[CG_CPUSET], e);
}

/* Others may have made it before; it may be half made by one that was killed. */
static int ensure(const struct cg *parent, const char *name, struct cg *ret, struct err *e)
{
	struct cg cg = CG_INIT;
	int r = 0;

	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++)
		if (cg_owns_dir(parent, h) && mkdirat(parent->dir[h], name, 0755) < 0 &&
		    errno != EEXIST)
			r = err_errno(e, "cgroup '%s' (%s): mkdir", name, cg_hierarchy_name(h));
	if (r == 0)
		r = cg_open(parent, name, &cg, e);
	if (r == 0)
		r = ensure_cpuset(parent, &cg, e);
	if (r == 0)
		r = cg_enable_children(&cg, e);
	if (r < 0) {
		cg_close(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

static int open_above(struct chain *c, struct err *e)
{
	bool is_alone = !c->is_at_top && cg_must_leave_own(&c->host->own);
	int r = is_alone ? 0 : cg_enable_children(&c->above[0], e);

	if (r == 0 && is_alone && c->n < 2)
		return err_set(e, EINVAL, "cgroup '%s': below our own group it needs a second part",
			       c->names[0]);
	for (size_t i = 0; r == 0 && i + 1 < c->n; i++)
		r = i == 0 && is_alone
			    ? cg_root_make(c->host, c->names[i], c->set, &c->above[i + 1], e)
			    : ensure(&c->above[i], c->names[i], &c->above[i + 1], e);
	return r;
}

/* One that was killed may have left it, and a container groups in it. If it is alive this fails. */
static int clear(const struct cg *parent, const char *name, struct err *e)
{
	_cleanup_cg_ struct cg old = CG_INIT;
	int r = 0;

	if (cg_open(parent, name, &old, e) == 0 && cg_wait_empty(&old, 0, e) == -ETIMEDOUT)
		return err_set(e, EBUSY, "cgroup '%s': the container's cgroup is not empty", name);
	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++)
		if (cg_owns_dir(parent, h))
			r = cg_tree_remove(parent->dir[h], name, e);
	return r;
}

int cg_shared_create(struct cg_host *host, const char *path, cg_set needed, struct cg *ret,
		     uint32_t *ret_depth, struct err *e)
{
	struct chain c;
	int r = chain_begin(&c, host, path, needed, e);

	if (r == 0)
		r = open_above(&c, e);
	if (r == 0)
		r = cg_create(&c.above[c.n - 1], c.names[c.n - 1], ret, e);
	if (r == -EEXIST) {
		r = clear(&c.above[c.n - 1], c.names[c.n - 1], e);
		if (r == 0)
			r = cg_create(&c.above[c.n - 1], c.names[c.n - 1], ret, e);
	}
	if (r == 0 && ret_depth)
		*ret_depth = (uint32_t)c.n;
	chain_close(&c);
	return r;
}

/* What making a group below it, and being born there, writes to. */
static int check_base(const struct cg_host *host, const struct cg *base, int h, struct err *e)
{
	static const char *const files[] = {".", "cgroup.procs", "cgroup.subtree_control"};
	size_t n = h == CG_CORE && cg_host_mode(host) == CG_UNIFIED ? ARRAY_SIZE(files) : 2;

	for (size_t i = 0; i < n; i++)
		if (faccessat(base->dir[h], files[i], W_OK, AT_EACCESS) < 0)
			return err_set(e, errno, "%s%s%s (%s): %s", host->layout.path[h],
				       i ? "/" : "", i ? files[i] : "", cg_hierarchy_name(h),
				       errno == EACCES ? "permission denied" : err_name(errno));
	return 0;
}

int cg_shared_check(struct cg_host *host, const char *path, cg_set needed, struct err *e)
{
	struct chain c;
	int r = chain_begin(&c, host, path, needed, e);

	for (int h = CG_CORE; r == 0 && !c.is_at_top && h < CG_HIERARCHIES; h++)
		if (cg_owns_dir(&c.above[0], h))
			r = check_base(host, &c.above[0], h, e);
	chain_close(&c);
	return r;
}

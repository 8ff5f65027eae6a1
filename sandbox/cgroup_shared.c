/* Groups of a subtree that several programs share: see cgroup.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/cgroup_host.h"

#define DEPTH_MAX 32

/* The groups of a path from our own downwards; all but the last are `above`. */
struct chain {
	char names[DEPTH_MAX][NAME_MAX + 1];
	struct cg
		above[DEPTH_MAX]; /* above[i] holds names[i]; above[0] is borrowed from the host */
	size_t n;
	struct cg_host *host; /* locked, if not NULL */
};

static int split(struct chain *c, const char *path, struct err *e)
{
	for (; *path; path += strspn(path, "/")) {
		size_t length = strcspn(path, "/");

		if (c->n == DEPTH_MAX || length > NAME_MAX)
			return err_set(e, EINVAL, "cgroup '%s': too deep or too long", path);
		memcpy(c->names[c->n], path, length);
		c->names[c->n++][length] = '\0';
		path += length;
	}
	return c->n > 0 ? 0 : err_set(e, EINVAL, "cgroup: an empty path");
}

static void chain_close(struct chain *c)
{
	for (size_t i = 1; i < DEPTH_MAX; i++)
		cg_close(&c->above[i]);
	if (c->host)
		(void)flock(c->host->own.dir[CG_CORE], LOCK_UN);
}

static int chain_begin(struct chain *c, struct cg_host *host, const char *path, struct err *e)
{
	int r;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < DEPTH_MAX; i++)
		c->above[i] = (struct cg)CG_INIT;
	r = split(c, path, e);
	if (r < 0)
		return r;
	c->above[0] = host->own;
	if (flock(host->own.dir[CG_CORE], LOCK_EX) < 0)
		return err_errno(e, "cgroup: lock our own group");
	c->host = host;
	return 0;
}

/* Others may have made it before; it may be half made by one that was killed. */
static int ensure(const struct cg *parent, const char *name, struct cg *ret, struct err *e)
{
	struct cg cg = CG_INIT;
	int r = cg_check_name(name, e);

	for (int h = CG_CORE; r == 0 && h < CG_HIERARCHIES; h++)
		if (cg_owns_dir(parent, h) && mkdirat(parent->dir[h], name, 0755) < 0 &&
		    errno != EEXIST)
			r = err_errno(e, "cgroup '%s' (%s): mkdir", name, cg_hierarchy_name(h));
	if (r == 0)
		r = cg_open(parent, name, &cg, e);
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
	bool is_alone = cg_must_leave_own(&c->host->own);
	int r = is_alone ? 0 : cg_enable_children(&c->host->own, e);

	for (size_t i = 0; r == 0 && i + 1 < c->n; i++)
		r = i == 0 && is_alone ? cg_root_create(c->host, c->names[i], &c->above[i + 1], e)
				       : ensure(&c->above[i], c->names[i], &c->above[i + 1], e);
	return r;
}

int cg_shared_create(struct cg_host *host, const char *path, struct cg *ret, struct err *e)
{
	struct chain c;
	int r = chain_begin(&c, host, path, e);
	const char *name = r == 0 ? c.names[c.n - 1] : NULL;

	if (r == 0)
		r = open_above(&c, e);
	if (r == 0)
		r = cg_create(&c.above[c.n - 1], name, ret, e);
	if (r == -EEXIST) {
		/* One that was killed may have left it. If it is alive this fails. */
		r = cg_remove(&c.above[c.n - 1], name, e);
		if (r == 0)
			r = cg_create(&c.above[c.n - 1], name, ret, e);
	}
	chain_close(&c);
	return r;
}

/* From the bottom up, as far as they are empty: another program's group below is no error. */
static int prune(struct chain *c, struct err *e)
{
	for (size_t i = c->n - 1; i-- > 0;) {
		cg_close(&c->above[i + 1]);
		if (i == 0 && c->host->is_adopted)
			return cg_root_remove(c->host, c->names[0], e);
		for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
			if (cg_owns_dir(&c->above[i], h) &&
			    unlinkat(c->above[i].dir[h], c->names[i], AT_REMOVEDIR) < 0 &&
			    errno != ENOENT)
				return errno == EBUSY || errno == ENOTEMPTY
					       ? 0
					       : err_errno(e, "cgroup '%s': rmdir", c->names[i]);
	}
	return 0;
}

int cg_shared_remove(struct cg_host *host, const char *path, struct err *e)
{
	struct chain c;
	int r = chain_begin(&c, host, path, e);

	for (size_t i = 0; r == 0 && i + 1 < c.n; i++)
		r = cg_open(&c.above[i], c.names[i], &c.above[i + 1], e);
	if (r == 0)
		r = cg_remove(&c.above[c.n - 1], c.names[c.n - 1], e);
	if (r == 0)
		r = prune(&c, e);
	chain_close(&c);
	return r == -ENOENT ? 0 : r;
}

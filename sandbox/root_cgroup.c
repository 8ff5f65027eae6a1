/*
 * Control groups seen from inside: see root.h.
 *
 * Each hierarchy shows as its root the group of whoever mounts it, if that has a cgroup namespace. A sandbox without
 * one would see the host's tree: the mounting is done in a namespace for that moment.
 *
 * A hierarchy in which the sandbox has no group of its own shows the group of its starter, perhaps the host's root, or
 * one that was delegated to the user: such a one is read-only, whatever the config says (CVE-2023-25809).
 */
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

#define GROUPS_BYTES 8192 /* of /proc/self/cgroup */

int root_note_groups(const struct cg *group, struct root_state *s, struct err *e)
{
	struct stat st;

	for (int h = 0; group && h < CG_HIERARCHIES; h++) {
		if (group->dir[h] < 0)
			continue;
		if (fstat(group->dir[h], &st) < 0)
			return err_errno(e, "look at a group");
		s->groups[s->n_groups].dev = st.st_dev;
		s->groups[s->n_groups++].ino = st.st_ino;
	}
	return 0;
}

static bool is_own(int mnt, const struct root_state *s)
{
	struct stat st;

	if (fstat(mnt, &st) < 0)
		return false;
	for (uint32_t i = 0; i < s->n_groups; i++)
		if (s->groups[i].dev == st.st_dev && s->groups[i].ino == st.st_ino)
			return true;
	return false;
}

/* What is to be done in a cgroup namespace whose root is the group we are in. */
struct job {
	int (*run)(struct job *job, struct err *e);
	const struct sbx_plan *plan;
	const struct sbx_mount *mount;
	const struct root_state *state;
	int tree;    /* to be filled */
	char *lines; /* of /proc/self/cgroup, read outside */
	int *ret;
	struct err *err; /* of who waits, and what it is told */
	int result;
};

static void visit(void *arg)
{
	struct job *job = arg;

	if (unshare(CLONE_NEWCGROUP) < 0)
		job->result = err_errno(job->err, "cgroup namespace");
	else
		job->result = job->run(job, job->err);
}

/* In a user namespace one cannot return from a new cgroup namespace to the host's. */
static int send_away(struct job *job, struct err *e)
{
	job->err = e;
	return sys_call_apart(visit, job) < 0 ? err_errno(e, "clone") : job->result;
}

/* No process for it: the group may allow but one. */
static int go_and_return(struct job *job, struct err *e)
{
	_cleanup_fd_ int home = open("/proc/self/ns/cgroup", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0 || unshare(CLONE_NEWCGROUP) < 0)
		return err_errno(e, "cgroup namespace");
	r = job->run(job, e);
	if (r == 0 && setns(home, CLONE_NEWCGROUP) < 0)
		r = err_errno(e, "return to own cgroup namespace");
	return r;
}

static int do_there(struct job *job, struct err *e)
{
	if (sbx_plan_has(job->plan, CLONE_NEWCGROUP))
		return job->run(job, e);
	return sbx_plan_has(job->plan, CLONE_NEWUSER) ? send_away(job, e) : go_and_return(job, e);
}

static bool is_unified(void)
{
	struct statfs fs;

	return statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int mount_unified(struct job *job, struct err *e)
{
	return mnt_new("cgroup2", "cgroup", job->mount->data, job->mount->attr_set, job->ret, e);
}

int root_cgroup(const struct sbx_plan *p, const struct sbx_mount *m, const struct root_state *s,
		int *ret, bool *ret_is_tree, struct err *e)
{
	uint64_t flags = m->attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	_cleanup_fd_ int mnt = -1;
	struct job job = {.run = mount_unified, .plan = p, .mount = m, .ret = &mnt};
	int r;

	if (str_is(m->type, "cgroup") && !is_unified()) {
		*ret_is_tree = true;
		return mnt_new("tmpfs", "cgroup", "mode=0755,size=64k", flags, ret, e);
	}
	r = do_there(&job, e);
	if (r == 0 && !is_own(mnt, s))
		r = mnt_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	if (r == 0)
		*ret = fd_steal(&mnt);
	return r;
}

/* "cpu,cpuacct" and "name=systemd" as directory, and a link for each of several controllers. */
static int add_names(int tree, const char *controllers, const char *dir, struct err *e)
{
	char name[64];

	if (mkdirat(tree, dir, 0755) < 0)
		return err_errno(e, "mkdir");
	for (const char *at = controllers; strchr(controllers, ',') && *at;) {
		size_t n = strcspn(at, ",");

		if (n >= sizeof(name))
			return err_set(e, ENAMETOOLONG, "a controller's name of %zu bytes", n);
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, at);
		if (symlinkat(dir, tree, name) < 0)
			return err_errno(e, "link '%s'", name);
		at += n + (at[n] == ',');
	}
	return 0;
}

static int add_hierarchy(const struct sbx_mount *m, int tree, const char *controllers,
			 const struct root_state *s, struct err *e)
{
	const char *dir = str_has_prefix(controllers, "name=") ? controllers + 5 : controllers;
	_cleanup_fd_ int mnt = -1, at = -1;
	char data[256];
	int r;

	(void)snprintf(data, sizeof(data), "%s%s", dir == controllers ? "" : "none,", controllers);
	r = add_names(tree, controllers, dir, e);
	if (r == 0)
		r = mnt_new("cgroup", "cgroup", data, m->attr_set, &mnt, e);
	if (r == 0 && !is_own(mnt, s))
		r = mnt_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	if (r < 0)
		return err_wrap(e, "hierarchy '%s'", controllers);
	at = openat(tree, dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return at < 0 ? err_errno(e, "open '%s'", dir) : mnt_attach(mnt, at, dir, e);
}

/* A line is "4:cpu,cpuacct:/group"; without controllers it is the v2 core. */
static int add_all(struct job *job, struct err *e)
{
	char *save = NULL;

	for (char *l = strtok_r(job->lines, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *first = strchr(l, ':'), *second = first ? strchr(first + 1, ':') : NULL;

		if (!second || second == first + 1)
			continue;
		*second = '\0';
		if (add_hierarchy(job->mount, job->tree, first + 1, job->state, e) < 0)
			return -e->code;
	}
	return 0;
}

int root_cgroup_fill(const struct sbx_plan *p, const struct sbx_mount *m, int tree,
		     const struct root_state *s, struct err *e)
{
	char lines[GROUPS_BYTES];
	struct job job = {
		.run = add_all, .plan = p, .mount = m, .state = s, .tree = tree, .lines = lines};
	int r = file_read(AT_FDCWD, "/proc/self/cgroup", lines, sizeof(lines), e);

	if (r == 0)
		r = do_there(&job, e);
	if (r == 0 && m->attr_set & MOUNT_ATTR_RDONLY)
		r = mnt_set(tree, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	return r;
}

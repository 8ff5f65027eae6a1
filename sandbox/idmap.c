/* Idmapped mounts, and id maps as the kernel reads them: see idmap.h. */
#include "sandbox/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/sock.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

#define ID_MAP_BYTES 4096 /* the kernel's own limit: one page */

int idmap_write(pid_t pid, const char *file, const struct sbx_idmap *maps, uint32_t n,
		struct err *e)
{
	char path[64], text[ID_MAP_BYTES];
	size_t used = 0;

	for (uint32_t i = 0; i < n; i++) {
		int w = snprintf(text + used, sizeof(text) - used, "%u %u %u\n", maps[i].inside,
				 maps[i].outside, maps[i].count);

		if (w < 0 || (size_t)w >= sizeof(text) - used)
			return err_set(e, E2BIG, "%s: %u ranges do not fit in a page", file, n);
		used += (size_t)w;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_write(AT_FDCWD, path, text, e);
}

static int open_user_ns(pid_t pid, int *ret, struct err *e)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	*ret = fd;
	return 0;
}

static int map_helper(const struct sbx_mount *m, pid_t pid, int *ret, struct err *e)
{
	int r = idmap_write(pid, "uid_map", m->uid_maps, m->n_uid_maps, e);

	if (r == 0)
		r = idmap_write(pid, "gid_map", m->gid_maps, m->n_gid_maps, e);
	return r < 0 ? r : open_user_ns(pid, ret, e);
}

/*
 * A user namespace begins with a process: one that waits for the end of its input, which comes too should we die,
 * and does nothing else. The descriptor keeps the namespace after it. (_exit() makes ASan look for the bounds of the
 * stack, and this may be one that it does not know: sys_call_apart().)
 */
__attribute__((no_sanitize_address)) /* see above */
static int
user_ns_of(const struct sbx_mount *m, int *ret, struct err *e)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	_cleanup_fd_ int ours = -1, theirs = -1;
	int r = sock_pair(SOCK_STREAM, &ours, &theirs, e);
	pid_t pid;
	char c;

	if (r < 0)
		return r;
	pid = sys_clone3(&args, sizeof(args));
	if (pid < 0)
		return err_errno(e, "user namespace");
	if (pid == 0) {
		fd_close(&ours);
		_exit(read(theirs, &c, 1) < 0);
	}
	r = map_helper(m, pid, ret, e);
	fd_close(&ours);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

static int make_one(const struct sbx_mount *m, pid_t child, int *ret, struct err *e)
{
	_cleanup_fd_ int ns = -1, mnt = -1;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP};
	unsigned int deep = m->idmapping == SBX_IDMAP_TREE ? AT_RECURSIVE : 0;
	int r = m->uid_maps ? user_ns_of(m, &ns, e) : open_user_ns(child, &ns, e);

	if (r == 0)
		r = mnt_clone(AT_FDCWD, m->source, m->is_recursive, &mnt, e);
	if (r < 0)
		return r;
	attr.userns_fd = (uint64_t)ns;
	if (sys_mount_setattr(mnt, "", AT_EMPTY_PATH | deep, &attr) < 0)
		return err_errno(e, "map the ids of '%s'", m->source);
	*ret = fd_steal(&mnt);
	return 0;
}

static int make_all(const struct sbx_plan *p, pid_t child, int *fds, size_t *ret_n, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++) {
		if (p->mounts[i].idmapping == SBX_IDMAP_NONE)
			continue;
		if (make_one(&p->mounts[i], child, &fds[*ret_n], e) < 0)
			return err_wrap(e, "mount '%s'", p->mounts[i].target);
		(*ret_n)++;
	}
	return 0;
}

/* Made in the mount namespace of the child; the rest as idmap_make(). */
struct inside {
	const struct sbx_plan *plan;
	const struct sbx_proc *child;
	int *fds;
	size_t *ret_n;
	struct err *err;
	int result;
};

static void make_inside(void *arg)
{
	struct inside *i = arg;

	if (setns(i->child->pidfd, CLONE_NEWNS) < 0)
		i->result = err_errno(i->err, "enter the mount namespace");
	else
		i->result = make_all(i->plan, i->child->pid, i->fds, i->ret_n, i->err);
}

static bool has_any(const struct sbx_plan *p)
{
	uint32_t i = 0;

	while (i < p->n_mounts && p->mounts[i].idmapping == SBX_IDMAP_NONE)
		i++;
	return i < p->n_mounts;
}

int idmap_make(const struct sbx_plan *p, const struct sbx_proc *child, int *fds, size_t *ret_n,
	       struct err *e)
{
	struct inside inside = {p, child, fds, ret_n, e, 0};

	if (!has_any(p) || !sbx_plan_has(p, CLONE_NEWUSER))
		return make_all(p, child->pid, fds, ret_n, e);
	return sys_call_apart(make_inside, &inside) < 0 ? err_errno(e, "mapped mounts")
							: inside.result;
}

int idmap_send(int sync, const int *fds, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (sock_send(sync, "m", 1, &fds[i], 1, e) < 0)
			return -e->code;
	return 0;
}

int idmap_receive(const struct sbx_plan *p, int sync, int *fds, struct err *e)
{
	for (uint32_t i = 0; i < p->n_mounts; i++) {
		size_t len = 0, n = 0;
		char m;
		int r;

		if (p->mounts[i].idmapping == SBX_IDMAP_NONE)
			continue;
		r = sock_recv(sync, &m, 1, &len, &fds[i], 1, &n, e);
		if (r == 0 && n == 1)
			continue;
		return r < 0 ? r : err_set(e, EPROTO, "'%s' did not come", p->mounts[i].target);
	}
	return 0;
}

uint32_t idmap_owner(const struct sbx_idmap *maps, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (maps[i].inside == 0)
			return 0;
	return n > 0 ? maps[0].inside : 0;
}

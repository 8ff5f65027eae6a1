/* Sources of bind mounts, opened for the child: see lend.h. */
#include "sandbox/lend.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

static bool lends(const struct sbx_plan *p)
{
	return p->root.path && sbx_plan_has(p, CLONE_NEWUSER);
}

static bool is_lent(const struct sbx_mount *m)
{
	return m->kind == SBX_MOUNT_BIND && m->idmapping == SBX_IDMAP_NONE;
}

static uint32_t count(const struct sbx_plan *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->n_mounts; i++)
		n += is_lent(&p->mounts[i]);
	return n;
}

/* What cannot be opened is told by an empty message. */
static int lend_one(const struct sbx_mount *m, bool is_inside, int sync, struct err *e)
{
	_cleanup_fd_ int fd = is_inside ? open(m->source, O_PATH | O_CLOEXEC) : -1;

	return sock_send(sync, "s", 1, &fd, fd >= 0, e);
}

static _Noreturn void lend_all(const struct sbx_plan *p, int child, int sync)
{
	bool is_inside = geteuid() == 0 && setns(child, CLONE_NEWNS) == 0;
	struct err lost = ERR_INIT;

	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (is_lent(&p->mounts[i]) && lend_one(&p->mounts[i], is_inside, sync, &lost) < 0)
			_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

/* By a process of its own: who has entered a mount namespace does not find the way back. */
int lend_sources(const struct sbx_plan *p, int child, int sync, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	int status = -1;
	pid_t pid;

	if (!lends(p) || count(p) == 0)
		return 0;
	pid = sys_fork(&pidfd);
	if (pid == 0)
		lend_all(p, child, sync);
	if (pid < 0)
		return err_errno(e, "fork to open sources");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* The child that does not get them all has died, or will when we give up. */
	return status == 0 ? 0 : err_set(e, ECHILD, "the sources of mounts were not opened");
}

int lend_receive(const struct sbx_plan *p, int sync, int *mounts, struct err *e)
{
	for (uint32_t i = 0; lends(p) && i < p->n_mounts; i++) {
		const struct sbx_mount *m = &p->mounts[i];
		_cleanup_fd_ int fd = -1;
		size_t len = 0, n = 0;
		char s;
		int r;

		if (!is_lent(m))
			continue;
		r = sock_recv(sync, &s, 1, &len, &fd, 1, &n, e);
		if (r != 0)
			return r < 0 ? r : err_set(e, EPIPE, "the parent is gone");
		if (fd >= 0 && mnt_clone(fd, "", m->is_recursive, &mounts[i], e) < 0)
			return err_wrap(e, "'%s' from '%s'", m->target, m->source);
	}
	return 0;
}

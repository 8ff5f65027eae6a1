/* Kills at the memory limit: how many, and when there may be one more. See cgroup.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "sandbox/cgroup_host.h"

#define TEXT_MAX 1024

static const char *events_file(const struct cg *cg)
{
	return cg_is_v2(cg, CG_MEMORY) ? "memory.events" : "memory.oom_control";
}

int cg_oom_kills(const struct cg *cg, uint64_t *ret, struct err *e)
{
	char text[TEXT_MAX];
	uint64_t kills = 0;
	int r = file_read(cg->dir[CG_MEMORY], events_file(cg), text, sizeof(text), e);

	if (r < 0)
		return err_wrap(e, "cgroup (memory)");
	(void)cg_flat_value(text, "oom_kill", &kills);
	*ret = kills;
	return 0;
}

/* v2: the kernel modifies the file for whoever watches it. */
static int watch_v2(int dir, int *ret, struct err *e)
{
	_cleanup_fd_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[64];

	if (fd < 0)
		return err_errno(e, "inotify");
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/memory.events", dir);
	if (inotify_add_watch(fd, path, IN_MODIFY | IN_DELETE_SELF) < 0)
		return err_errno(e, "watch 'memory.events'");
	*ret = fd_steal(&fd);
	return 0;
}

/* v1: an eventfd is registered for the file, and lives on without it. */
static int watch_v1(int dir, int *ret, struct err *e)
{
	_cleanup_fd_ int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
			 file = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	char text[32];
	int r;

	if (fd < 0)
		return err_errno(e, "eventfd");
	if (file < 0)
		return err_errno(e, "open 'memory.oom_control'");
	(void)snprintf(text, sizeof(text), "%d %d", fd, file);
	r = file_write(dir, "cgroup.event_control", text, e);
	if (r == 0)
		*ret = fd_steal(&fd);
	return r;
}

int cg_oom_watch_open(const struct cg *cg, int *ret_fd, struct err *e)
{
	int dir = cg->dir[CG_MEMORY];
	int r = cg_is_v2(cg, CG_MEMORY) ? watch_v2(dir, ret_fd, e) : watch_v1(dir, ret_fd, e);

	return r < 0 ? err_wrap(e, "cgroup (memory)") : 0;
}

void cg_oom_watch_drain(int fd)
{
	char events[4096]; /* of inotify; an eventfd has eight bytes */

	while (read(fd, events, sizeof(events)) > 0)
		;
}

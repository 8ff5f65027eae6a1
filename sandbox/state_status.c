/* What has become of a container's process: see state.h. */
#include "sandbox/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"

/* Of /proc/PID/stat; the name is 2, the state 3. */
#define STAT_FIELD_THREADS 20
#define STAT_FIELD_START   22

/* Field n of what begins with the end of field 2; NULL if there are not so many. */
static char *field(char *at, int n)
{
	for (int i = 2; at && i < n; i++)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : NULL;
}

int state_pid_start(pid_t pid, uint64_t *ret, struct err *e)
{
	char path[48], text[1024], *threads, *start, *end, *at;
	struct err reason = ERR_INIT;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	r = file_read(AT_FDCWD, path, text, sizeof(text), &reason);
	if (r == -ENOENT || r == -ESRCH)
		return STATE_E_GONE;
	if (r < 0) {
		*e = reason;
		return r;
	}
	/* The name may hold blanks and parentheses; what follows the last one is numbers. */
	at = strrchr(text, ')');
	threads = field(at, STAT_FIELD_THREADS);
	start = field(at, STAT_FIELD_START);
	if (!start)
		return err_set(e, EPROTO, "'%s' is not understood", path);
	/* One whose first thread has exited looks like a zombie, and runs on. */
	if (at[2] == 'X' || (at[2] == 'Z' && strtoull(threads, NULL, 10) <= 1))
		return STATE_E_GONE;
	*ret = strtoull(start, &end, 10);
	return *end == ' ' ? 0 : err_set(e, EPROTO, "'%s' is not understood", path);
}

/* 0: alive. */
static int look(const struct state *s, struct err *e)
{
	uint64_t start = 0;
	int r = s->pid > 0 ? state_pid_start(s->pid, &start, e) : STATE_E_GONE;

	return r == 0 && start != s->pid_start ? STATE_E_GONE : r;
}

int state_pidfd(const struct state *s, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (s->pid <= 0)
		return STATE_E_GONE;
	fd = pidfd_open(s->pid, 0);
	if (fd < 0)
		return errno == ESRCH ? STATE_E_GONE : err_errno(e, "pidfd of %d", (int)s->pid);
	r = look(s, e);
	if (r == 0)
		*ret_fd = fd_steal(&fd);
	return r;
}

/* A group that is gone, or whose hierarchy cannot be read, holds nothing frozen. */
static bool is_frozen(const struct state *s)
{
	_cleanup_cg_ struct cg group = CG_INIT;
	struct err lost = ERR_INIT;
	bool is = false;

	if (s->paths && cg_paths_open(s->paths, &group, &lost) == 0)
		(void)cg_is_frozen(&group, &is, &lost);
	return is;
}

/*
 * The process that waits at the gate holds the FIFO's other end; once it has executed nobody does. So this is
 * right even if `start` was killed before it removed the FIFO.
 */
static bool is_gated(const struct state *s)
{
	_cleanup_fd_ int fd = openat(s->dir, STATE_FILE_START, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0;
}

/* By a descriptor of its own: that of s may be the one that has the lock. */
static bool is_worked_on(const struct state *s)
{
	_cleanup_fd_ int dir = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return dir >= 0 && flock(dir, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int state_status(const struct state *s, enum state_status *ret, struct err *e)
{
	int r = look(s, e);

	if (r < 0)
		return r;
	if (s->pid == 0 && !s->is_locked && is_worked_on(s))
		*ret = STATE_CREATING;
	else if (r == STATE_E_GONE)
		*ret = STATE_STOPPED;
	else if (!s->is_complete)
		*ret = STATE_CREATING;
	else if (is_gated(s))
		*ret = STATE_CREATED;
	else
		*ret = is_frozen(s) ? STATE_PAUSED : STATE_RUNNING;
	return 0;
}

/* Processes by pid namespace: see pidns.h. */
#include "sandbox/pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"

#define PROCESSES_MAX (1u << 20)
#define DEPTH_MAX     32 /* the kernel's own (MAX_PID_NS_LEVEL) */

static int open_ns(int proc, const char *pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%.32s/ns/pid", pid);
	return openat(proc, path, O_RDONLY | O_CLOEXEC);
}

/* Is it in that namespace, or in one below? What we may not look at is not ours. */
static bool is_within(int proc, const char *pid, const struct stat *ns)
{
	_cleanup_fd_ int at = open_ns(proc, pid);
	struct stat st;

	for (int depth = 0; at >= 0 && depth < DEPTH_MAX; depth++) {
		int above;

		if (fstat(at, &st) < 0)
			return false;
		if (st.st_ino == ns->st_ino && st.st_dev == ns->st_dev)
			return true;
		above = ioctl(at, NS_GET_PARENT);
		fd_close(&at);
		at = above;
	}
	return false;
}

typedef int each_fn(void *arg, pid_t pid, int pidfd, struct err *e);

/* The pidfd is opened before the look: it is of the process that was seen to be within. */
static int look(int proc, const char *name, const struct stat *ns, each_fn *each, void *arg,
		struct err *e)
{
	pid_t pid = (pid_t)strtol(name, NULL, 10);
	_cleanup_fd_ int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;

	if (pidfd < 0 || (ns && !is_within(proc, name, ns)))
		return 0;
	return each(arg, pid, pidfd, e);
}

/* For each one; what each() returns below 0 ends it. */
static int walk(pid_t init, each_fn *each, void *arg, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	_cleanup_fd_ int at = -1;
	char own[16];
	struct stat ns;
	int r = file_list(AT_FDCWD, "/proc", &list, e);

	if (r < 0)
		return r;
	(void)snprintf(own, sizeof(own), "%d", (int)init);
	at = open_ns(dirfd(list), own);
	if (at < 0 && (errno == EACCES || errno == EPERM))
		return look(dirfd(list), own, NULL, each, arg, e);
	if (at < 0 || fstat(at, &ns) < 0)
		return errno == ENOENT || errno == ESRCH
			       ? 0
			       : err_errno(e, "pid namespace of process %d", (int)init);
	for (const char *name; r == 0 && (name = file_next_name(list));)
		r = look(dirfd(list), name, &ns, each, arg, e);
	return r;
}

struct pids {
	pid_t *pids;
	size_t n, room;
};

static int add(void *arg, pid_t pid, int pidfd, struct err *e)
{
	struct pids *p = arg;

	(void)pidfd;
	if (p->n == PROCESSES_MAX)
		return err_set(e, EFBIG, "more than %u processes", PROCESSES_MAX);
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		pid_t *more = reallocarray(p->pids, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "out of memory");
		p->pids = more;
		p->room = room;
	}
	p->pids[p->n++] = pid;
	return 0;
}

int pidns_processes(pid_t init, pid_t **ret, size_t *ret_n, struct err *e)
{
	struct pids p = {.pids = NULL};
	int r = walk(init, add, &p, e);

	if (r < 0) {
		free(p.pids);
		return r;
	}
	*ret = p.pids;
	*ret_n = p.n;
	return 0;
}

static int send(void *arg, pid_t pid, int pidfd, struct err *e)
{
	const int *number = arg;

	if (pidfd_send_signal(pidfd, *number, NULL, 0) < 0 && errno != ESRCH)
		return err_errno(e, "signal %d to process %d", *number, (int)pid);
	return 0;
}

int pidns_signal(pid_t init, int number, struct err *e)
{
	return walk(init, send, &number, e);
}

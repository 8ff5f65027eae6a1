/* Joining namespaces, and settings inside of them: see spaces.h. */
#include "sandbox/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/proc.h"

/*
 * In the order they are entered, as long as this is done without a user namespace: mount last, it changes
 * what paths mean.
 */
static const struct {
	uint64_t flag;
	const char *type, *file;
} kinds[] = {
	{CLONE_NEWIPC,    "ipc",     "/proc/self/ns/ipc"   },
	{CLONE_NEWUTS,    "uts",     "/proc/self/ns/uts"   },
	{CLONE_NEWNET,    "network", "/proc/self/ns/net"   },
	{CLONE_NEWPID,    "pid",     "/proc/self/ns/pid"   },
	{CLONE_NEWTIME,   "time",    "/proc/self/ns/time"  },
	{CLONE_NEWNS,     "mount",   "/proc/self/ns/mnt"   },
	{CLONE_NEWUSER,   "user",    "/proc/self/ns/user"  },
	{CLONE_NEWCGROUP, "cgroup",  "/proc/self/ns/cgroup"},
};

static size_t kind_of(uint64_t flag)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(kinds) && kinds[i].flag != flag)
		i++;
	return i;
}

/* Opening whatever lies at a path could block or do harm: first see that it is a namespace. */
static int open_namespace(const char *path, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int at = open(path, O_PATH | O_CLOEXEC);
	char again[32];
	struct statfs fs;
	int fd;

	if (at < 0 || fstatfs(at, &fs) < 0)
		return err_errno(e, "open");
	if (fs.f_type != NSFS_MAGIC)
		return err_set(e, EINVAL, "is not a namespace");
	(void)snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
	fd = open(again, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "open");
	*ret_fd = fd;
	return 0;
}

static bool is_own(int fd, const char *file)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(file, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int check(const struct sbx_plan *p, uint64_t flag, int fd, struct err *e)
{
	size_t k = kind_of(flag);
	int type = ioctl(fd, NS_GET_NSTYPE);
	_cleanup_fd_ int owner = -1;
	bool is_set = flag == CLONE_NEWUTS && (p->hostname || p->domainname);

	if (type < 0)
		return err_errno(e, "ask for its type");
	if ((uint64_t)type != flag)
		return err_set(e, EINVAL, "is not a %s namespace", kinds[k].type);
	for (uint32_t i = 0; i < p->n_sysctls; i++)
		is_set |= p->sysctls[i].flag == flag;
	is_set |= flag == CLONE_NEWNET && p->n_net_devices > 0;
	if ((is_set || flag == CLONE_NEWUSER) && is_own(fd, kinds[k].file))
		return err_set(e, EINVAL, "is the %s namespace of the runtime itself",
			       kinds[k].type);
	owner = ioctl(fd, NS_GET_USERNS);
	if (owner < 0)
		return err_set(e, EPERM, "belongs to a user namespace that is not ours");
	return 0;
}

int spaces_open(const struct sbx_plan *p, struct spaces *ret, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->n_joins; i++) {
		const struct sbx_join *join = &p->joins[i];

		ret->fds[i] = -1;
		ret->n = i + 1;
		r = open_namespace(join->path, &ret->fds[i], e);
		if (r == 0)
			r = check(p, join->flag, ret->fds[i], e);
		if (r < 0)
			err_wrap(e, "namespace '%s'", join->path);
	}
	return r;
}

void spaces_close(struct spaces *s)
{
	while (s->n > 0)
		fd_close(&s->fds[--s->n]);
}

static int fd_of(const struct sbx_plan *p, const struct spaces *s, uint64_t flag)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (p->joins[i].flag == flag)
			return s->fds[i];
	return -1;
}

int spaces_cgroup(const struct sbx_plan *p, const struct spaces *s)
{
	return fd_of(p, s, CLONE_NEWCGROUP);
}

/*
 * Who is root on the host enters everything by that power, then the user namespace. Who is not has power
 * only inside of the user namespace: what was denied before is tried again there.
 */
int spaces_join(const struct sbx_plan *p, const struct spaces *s, struct err *e)
{
	int user = fd_of(p, s, CLONE_NEWUSER);
	uint64_t denied = 0;

	for (int round = 0; round < 2; round++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			int fd = fd_of(p, s, kinds[k].flag);

			if (fd < 0 || kinds[k].flag & (CLONE_NEWUSER | CLONE_NEWCGROUP) ||
			    (round > 0 && !(denied & kinds[k].flag)))
				continue;
			if (setns(fd, (int)kinds[k].flag) == 0)
				continue;
			if (errno != EPERM || user < 0 || round > 0)
				return err_errno(e, "join the %s namespace", kinds[k].type);
			denied |= kinds[k].flag;
		}
		if (round == 0 && user >= 0 && setns(user, CLONE_NEWUSER) < 0)
			return err_errno(e, "join the user namespace");
	}
	return 0;
}

/*
 * Offsets can be set only while nobody is inside, so it is made, set, and then entered. While the process
 * still has the ids it was born with: once it has changed them, its files below /proc are root's.
 */
int spaces_time(const struct sbx_plan *p, struct err *e)
{
	static const char file[] = "timens_offsets", children[] = "/proc/self/ns/time_for_children";
	_cleanup_fd_ int proc = -1, offsets = -1, ns = -1;
	char text[128];
	int r;

	if (unshare(CLONE_NEWTIME) < 0)
		return err_errno(e, "unshare");
	(void)snprintf(text, sizeof(text),
		       "monotonic %" PRId64 " %" PRIu32 "\nboottime %" PRId64 " %" PRIu32 "\n",
		       p->monotonic.secs, p->monotonic.nanosecs, p->boottime.secs,
		       p->boottime.nanosecs);
	r = proc_open(&proc, e);
	if (r == 0)
		r = proc_open_self(proc, file, O_WRONLY, &offsets, e);
	if (r == 0)
		r = proc_write(offsets, file, text, e);
	if (r < 0)
		return r;
	ns = open(children, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWTIME) < 0)
		return err_errno(e, "enter it");
	return 0;
}

int spaces_sysctls(const struct sbx_plan *p, struct err *e)
{
	_cleanup_fd_ int proc = -1;
	int r = p->n_sysctls > 0 ? proc_open(&proc, e) : 0;

	for (uint32_t i = 0; r == 0 && i < p->n_sysctls; i++) {
		_cleanup_fd_ int fd = -1;
		char file[SBX_SYSCTL_BYTES + 8];

		(void)snprintf(file, sizeof(file), "sys/%s", p->sysctls[i].file);
		r = proc_open_file(proc, file, O_WRONLY, &fd, e);
		if (r == 0)
			r = proc_write(fd, file, p->sysctls[i].value, e);
	}
	return r;
}

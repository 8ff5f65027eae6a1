/*
 * Who remembers how a detached container ended, if nobody waited: see ctr.h.
 *
 * The container's process is the child of whoever took it over from create (conmon, a shim, init), and only a
 * parent learns an exit status by wait(2). A pidfd tells it to others from Linux 6.15 on, once the parent has
 * reaped: that is POLLHUP. The keeper has nothing open but that pidfd, the state directory and the memory
 * controller's count of kills, and nothing to do but wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/cli/ctr.h"
#include "sandbox/drop.h"

/* <linux/pidfd.h>, 6.13 and 6.15. */
struct pidfd_info_exit {
	uint64_t mask, cgroup_id;
	uint32_t pid, tgid, ppid;
	uint32_t ids[8];
	int32_t exit_code;
};
#define PIDFD_INFO_EXIT_BIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO_EXIT _IOWR(0xFF, 11, struct pidfd_info_exit)
#define STATUS_SIGNAL       128

/* What it keeps; in this order they become its descriptors 0, 1 and 2. */
struct keep {
	int pidfd, dir, oom;
};

static void look(const struct keep *k, struct state_exit *x)
{
	struct pidfd_info_exit info = {.mask = PIDFD_INFO_EXIT_BIT};
	struct cg_meter meter = CG_METER_INIT;
	struct err lost = ERR_INIT;
	uint64_t kills = 0;

	if (ioctl(k->pidfd, PIDFD_GET_INFO_EXIT, &info) == 0 && info.mask & PIDFD_INFO_EXIT_BIT) {
		x->is_known = true;
		x->status = WIFEXITED(info.exit_code) ? WEXITSTATUS(info.exit_code)
						      : STATUS_SIGNAL + WTERMSIG(info.exit_code);
	}
	meter.fd[CG_FD_OOM] = k->oom;
	if (k->oom >= 0 && cg_meter_oom_kills(&meter, &kills, &lost) == 0)
		x->oom_killed = kills > 0;
}

/* delete has the lock while it removes the directory: what is written then would be in its way. */
static _Noreturn void keep(const struct keep *k)
{
	struct pollfd p = {.fd = k->pidfd, .events = 0};
	struct state_exit x = {.is_known = false};
	struct err lost = ERR_INIT;

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	look(k, &x);
	if (flock(k->dir, LOCK_EX) == 0)
		(void)state_save_exit(k->dir, &x,
				      &lost); /* deleted already: nobody asks any more */
	_exit(0);
}

/* Nobody's terminal, nobody's signals, nobody's directory, nobody to look into it. */
static _Noreturn void become(const struct keep *from)
{
	struct keep k = {.pidfd = 0, .dir = 1, .oom = -1};
	struct err lost = ERR_INIT;
	sigset_t all;
	int high[3] = {-1, -1, -1};
	const int fds[] = {from->pidfd, from->dir, from->oom};

	sigfillset(&all);
	if (fork() != 0) /* its parent goes: whoever takes orphans takes it */
		_exit(0);
	if (setsid() < 0 || sigprocmask(SIG_SETMASK, &all, NULL) < 0 || chdir("/") < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		_exit(1);
	(void)prctl(PR_SET_NAME, "sandbox-keeper", 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, (int)ARRAY_SIZE(fds));
	for (int i = 0; i < (int)ARRAY_SIZE(fds); i++)
		if (high[i] >= 0 && dup2(high[i], i) == i && i == 2)
			k.oom = i;
	if (high[2] < 0)
		(void)close(2);
	if (high[0] < 0 || high[1] < 0 || sbx_close_above(2, &lost) < 0)
		_exit(1);
	keep(&k);
}

/* -1 where it cannot be had: then an OOM is not told. */
static int open_oom(const struct state *s)
{
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	_cleanup_cg_ struct cg group = CG_INIT;
	struct err lost = ERR_INIT;

	if (!s->paths || cg_paths_open(s->paths, &group, &lost) < 0 ||
	    cg_meter_open(&group, &meter, &lost) < 0)
		return -1;
	return fd_steal(&meter.fd[CG_FD_OOM]);
}

int ctr_leave_keeper(struct ctr *c, int pidfd, struct err *e)
{
	/* Opened anew: the other one carries our lock. */
	_cleanup_fd_ int dir = openat(c->state.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			 oom = open_oom(&c->state);
	struct keep k = {.pidfd = pidfd, .dir = dir, .oom = oom};
	pid_t pid;

	if (dir < 0)
		return err_errno(e, "state: open '%s'", c->state.id);
	pid = fork();
	if (pid < 0)
		return err_errno(e, "keeper: fork");
	if (pid == 0)
		become(&k);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/*
 * A further process in a standing sandbox: born in its pid namespace, network and group, it joins the other
 * namespaces itself and executes.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sock.h"
#include "sandbox/child.h"
#include "sandbox/drop.h"
#include "sandbox/sys.h"

/* The forker enters these before it clones and comes back after; pid is only for its children. */
static const struct {
	int flag;
	const char *path;
} borrowed[] = {
	{CLONE_NEWPID, "/proc/self/ns/pid"},
	     {CLONE_NEWNET, "/proc/self/ns/net"}
};

static int clone_there(const struct sbx_place *place, struct sbx_proc *ret, struct err *e)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cg_clone_fd(place->group),
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid < 0)
		return err_errno(e, "clone3 into the sandbox");
	ret->pid = pid;
	ret->pidfd = pidfd;
	return 0;
}

static _Noreturn void run(int init, const struct sbx_place *place, const char *const *argv,
			  const char *const *env, int sync)
{
	struct child_report rep = {.err = ERR_INIT};
	struct err *e = &rep.err, lost = ERR_INIT;
	char go;

	if (read(sync, &go, 1) != 1)
		_exit(127);
	if (sbx_join(init, e) == 0 && child_descriptors(place->fds, place->n_fds, &sync, e) == 0) {
		/* Root of the namespace keeps its capabilities over execve(). */
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			err_errno(e, "become root of the user namespace");
		else if (execve(argv[0], (char **)argv, (char **)env) < 0)
			err_errno(e, "execute '%s'", argv[0]);
	}
	(void)sock_send(sync, &rep, sizeof(rep), NULL, 0, &lost); /* no parent, nobody to tell */
	_exit(127);
}

static int go_and_wait(const struct sbx_place *place, struct sbx_proc *p, int sync, struct err *e)
{
	struct child_report rep;
	size_t len = 0;
	int r = cg_add_rest(place->group, p->pid, e);

	if (r == 0)
		r = sock_send(sync, "g", 1, NULL, 0, e);
	if (r == 0)
		r = sock_recv(sync, &rep, sizeof(rep), &len, NULL, 0, NULL, e);
	if (r == SOCK_E_EOF)
		return 0; /* executed: the socket was close-on-exec */
	if (r == 0) {
		*e = rep.err;
		r = -rep.err.code;
	}
	(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, NULL, 0);
	sbx_proc_close(p);
	return r;
}

int sbx_enter(int init_pidfd, const struct sbx_place *place, const char *const *argv,
	      const char *const *env, struct sbx_proc *ret, struct err *e)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	int home[ARRAY_SIZE(borrowed)] = {-1, -1}, r;
	struct sbx_proc p = {.pid = -1, .pidfd = -1};

	r = sock_pair(SOCK_SEQPACKET, &ours, &theirs, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(borrowed); i++) {
		home[i] = open(borrowed[i].path, O_RDONLY | O_CLOEXEC);
		if (home[i] < 0 || setns(init_pidfd, borrowed[i].flag) < 0)
			r = err_errno(e, "enter '%s' of the sandbox", borrowed[i].path);
	}
	if (r == 0)
		r = clone_there(place, &p, e);
	if (r == 0 && p.pid == 0)
		run(init_pidfd, place, argv, env, theirs);
	for (size_t i = 0; i < ARRAY_SIZE(borrowed); i++) {
		if (home[i] >= 0 && setns(home[i], borrowed[i].flag) < 0 && r == 0)
			r = err_errno(e, "return to own '%s'", borrowed[i].path);
		fd_close(&home[i]);
	}
	fd_close(&theirs);
	if (r == 0)
		r = go_and_wait(place, &p, ours, e);
	if (r == 0)
		*ret = p;
	return r;
}

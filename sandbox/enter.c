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
/* clang-format off */
static const struct {
	int flag;
	const char *path;
} borrowed[] = {
	{CLONE_NEWPID, "/proc/self/ns/pid"},
	{CLONE_NEWNET, "/proc/self/ns/net"},
};
/* clang-format on */

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

static int become(int init, const struct sbx_place *place, struct birth *birth, struct err *e)
{
	int *const kept[] = {&birth->theirs};
	char go;
	int r = child_birth_begin(birth, e);

	if (r == 0 && read(birth->theirs, &go, 1) != 1)
		r = err_set(e, EPIPE, "the parent is gone");
	if (r == 0)
		r = sbx_join(init, e);
	if (r == 0)
		r = child_descriptors(place->fds, place->n_fds, kept, 1, e);
	if (r == 0 && setsid() < 0)
		r = err_errno(e, "setsid");
	/* Root of the namespace keeps its capabilities over execve(). */
	if (r == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = err_errno(e, "become root of the user namespace");
	return r;
}

static _Noreturn void run(int init, const struct sbx_place *place, const char *const *argv,
			  const char *const *env, struct birth *birth)
{
	struct child_report rep = {.err = ERR_INIT};
	struct err lost = ERR_INIT;

	if (become(init, place, birth, &rep.err) == 0) {
		execve(argv[0], (char **)argv, (char **)env);
		err_errno(&rep.err, "execute '%s'", argv[0]);
	}
	/* No parent, nobody to tell. */
	(void)sock_send(birth->theirs, &rep, sizeof(rep), NULL, 0, &lost);
	_exit(127);
}

static int go_and_wait(struct sbx_proc *p, struct birth *birth, struct err *e)
{
	struct child_report rep;
	size_t len = 0;
	int r;

	fd_close(&birth->theirs);
	r = sock_send(birth->ours, "g", 1, NULL, 0, e);
	if (r == 0)
		r = sock_recv(birth->ours, &rep, sizeof(rep), &len, NULL, 0, NULL, e);
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

/* Clone with the sandbox's pid and network namespaces as ours, then go home. */
static int clone_in(int init_pidfd, const struct sbx_place *place, struct sbx_proc *p,
		    struct err *e)
{
	int home[ARRAY_SIZE(borrowed)] = {-1, -1}, r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(borrowed); i++) {
		home[i] = open(borrowed[i].path, O_RDONLY | O_CLOEXEC);
		if (home[i] < 0 || setns(init_pidfd, borrowed[i].flag) < 0)
			r = err_errno(e, "enter '%s' of the sandbox", borrowed[i].path);
	}
	if (r == 0)
		r = clone_there(place, p, e);
	if (r == 0 && p->pid == 0)
		return 0; /* the child: it is where it should be */
	for (size_t i = 0; i < ARRAY_SIZE(borrowed); i++) {
		if (home[i] >= 0 && setns(home[i], borrowed[i].flag) < 0 && r == 0)
			r = err_errno(e, "return to own '%s'", borrowed[i].path);
		fd_close(&home[i]);
	}
	return r;
}

int sbx_enter(int init_pidfd, const struct sbx_place *place, const char *const *argv,
	      const char *const *env, struct sbx_proc *ret, struct err *e)
{
	struct birth birth = BIRTH_INIT;
	struct sbx_proc p = {.pid = -1, .pidfd = -1};
	int r = child_birth_open(&birth, place->group, e);

	if (r == 0)
		r = clone_in(init_pidfd, place, &p, e);
	if (r == 0 && p.pid == 0)
		run(init_pidfd, place, argv, env, &birth);
	if (r == 0)
		r = go_and_wait(&p, &birth, e);
	child_birth_close(&birth);
	if (r == 0)
		*ret = p;
	return r;
}

/* A child in namespaces of its own, in some that stand already, or both: see child.h. */
#include "sandbox/child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/spaces.h"
#include "sandbox/sys.h"
#include "sandbox/userns.h"

static int clone_child(const struct sbx_plan *plan, const struct sbx_place *place,
		       struct birth *birth, uint64_t flags, struct sbx_proc *ret, struct err *e)
{
	int pidfd = -1;
	struct clone_args args = {
		/* The cgroup namespace comes later: its root is the groups of that moment. */
		.flags = (plan->namespaces & ~(uint64_t)CLONE_NEWCGROUP) | CLONE_PIDFD | flags,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD, /* else as the clone's own */
	};
	pid_t pid;

	if (plan->has_time_offsets)
		args.flags &= ~(uint64_t)CLONE_NEWTIME; /* the child's own step: spaces_time() */
	if (place->net_ns >= 0)
		args.flags &= ~(uint64_t)CLONE_NEWNET;
	if (place->group) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cg_clone_fd(place->group);
	}
	pid = sys_clone3(&args, sizeof(args));
	if (pid < 0) {
		err_errno(e, "clone3 with flags 0x%" PRIx64, (uint64_t)args.flags);
		return args.flags & CLONE_NEWUSER ? userns_explain(e) : -e->code;
	}
	if (pid == 0)
		child_main(plan, place, birth);
	ret->pid = pid;
	ret->pidfd = pidfd;
	return 0;
}

static _Noreturn void clone_from_inside(const struct sbx_plan *plan, const struct sbx_place *place,
					struct birth *birth, const struct spaces *spaces)
{
	struct sbx_proc child = {.pid = -1, .pidfd = -1};
	struct err e = ERR_INIT;

	/* Whoever is in the pid namespace already must not reach our memory or program (CVE-2016-9962). */
	if (plan->joined & CLONE_NEWPID && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		err_errno(&e, "not dumpable");
	else if (spaces_join(plan, spaces, &e) == 0)
		(void)clone_child(plan, place, birth, CLONE_PARENT, &child, &e); /* told below */
	child_birth_tell(birth->between, &child, &e);
}

/*
 * Namespaces to join: a process in between enters them and clones from there, with us as the parent. So
 * nobody has to find a way back out of them, and what is new belongs to the user namespace that was joined.
 */
static int clone_joined(const struct sbx_plan *plan, const struct sbx_place *place,
			struct birth *birth, struct sbx_proc *ret, struct err *e)
{
	const struct clone_args args = {.exit_signal = SIGCHLD};
	struct spaces spaces = SPACES_INIT;
	_cleanup_fd_ int from = -1;
	pid_t pid = -1;
	int r = spaces_open(plan, &spaces, e);

	if (r == 0)
		r = sock_pair(SOCK_SEQPACKET, &from, &birth->between, e);
	birth->cgroup_ns = spaces_cgroup(plan, &spaces);
	if (r == 0) {
		pid = sys_clone3(&args, sizeof(args));
		if (pid == 0)
			clone_from_inside(plan, place, birth, &spaces);
		if (pid < 0)
			r = err_errno(e, "clone3 of the process in between");
	}
	fd_close(&birth->between);
	if (r == 0)
		r = child_birth_hear(from, ret, e);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	spaces_close(&spaces);
	return r;
}

/*
 * The network namespace is entered by the parent before it clones, and left after: a child born in a user
 * namespace of its own could not enter one that root made, and so has no power over it either.
 */
int child_clone(const struct sbx_plan *plan, const struct sbx_place *place, struct birth *birth,
		struct sbx_proc *ret, struct err *e)
{
	_cleanup_fd_ int home = -1;
	int r;

	if (plan->n_joins > 0)
		return clone_joined(plan, place, birth, ret, e);
	if (place->net_ns < 0)
		return clone_child(plan, place, birth, 0, ret, e);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return err_errno(e, "open own network namespace");
	if (setns(place->net_ns, CLONE_NEWNET) < 0)
		return err_errno(e, "enter network namespace");
	r = clone_child(plan, place, birth, 0, ret, e);
	if (setns(home, CLONE_NEWNET) < 0 && r == 0)
		r = err_errno(e, "return to own network namespace");
	return r;
}

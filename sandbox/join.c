/*
 * The way into a standing sandbox (child.h): two processes, of which the first enters and the second is born
 * inside. Between the two nothing of the container can touch them: they are not dumpable, so neither their
 * memory nor /proc/PID/exe, which is our own program, can be opened by it (CVE-2016-9962, CVE-2019-5736).
 *
 * But for who has CAP_SYS_PTRACE in our user namespace, which asks for no permission of ours. So the second process
 * is born without the capabilities that none of its steps needs.
 */
#include "sandbox/child.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/sys.h"

/* clang-format off */
static const struct {
	const char *name;
	uint64_t flag;
} spaces[] = {
	{"user",   CLONE_NEWUSER  },
	{"mnt",    CLONE_NEWNS    },
	{"pid",    CLONE_NEWPID   },
	{"net",    CLONE_NEWNET   },
	{"ipc",    CLONE_NEWIPC   },
	{"uts",    CLONE_NEWUTS   },
	{"time",   CLONE_NEWTIME  },
	{"cgroup", CLONE_NEWCGROUP},
};
/* clang-format on */

static int look_at(pid_t pid, const char *name, struct stat *ret, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	if (stat(path, ret) == 0)
		return 0;
	if (errno == ENOENT && kill(pid, 0) == 0) {
		*ret = (struct stat){0}; /* this kernel has no such namespaces */
		return 0;
	}
	return err_errno(e, "namespace %s of process %d", name, (int)pid);
}

int join_look(const struct sbx_proc *of, uint64_t *ret_spaces, struct err *e)
{
	uint64_t found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		struct stat ours, theirs;

		if (look_at(getpid(), spaces[i].name, &ours, e) < 0 ||
		    look_at(of->pid, spaces[i].name, &theirs, e) < 0)
			return -e->code;
		if (ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev)
			found |= spaces[i].flag;
	}
	/* Still there, so the pid was its own all the time. */
	if (pidfd_send_signal(of->pidfd, 0, NULL, 0) < 0)
		return err_errno(e, "process %d", (int)of->pid);
	/* Entered even if it is ours, because this makes its root and directory those of the namespace. */
	*ret_spaces = found | CLONE_NEWNS;
	return 0;
}

/*
 * In one call where possible. A sandbox may have joined a namespace of the host's, over which root of its user
 * namespace has no power: then as the host's root first.
 */
static int enter(int pidfd, uint64_t flags, struct err *e)
{
	if (setns(pidfd, (int)flags) == 0)
		return 0;
	if (errno == EPERM && flags & CLONE_NEWUSER &&
	    setns(pidfd, (int)(flags & ~(uint64_t)CLONE_NEWUSER)) == 0 &&
	    setns(pidfd, CLONE_NEWUSER) == 0)
		return 0;
	return err_errno(e, "enter namespaces 0x%llx of the container", (unsigned long long)flags);
}

/* CLONE_PARENT: whoever started the first process waits for the second one too. */
static int bear(const struct sbx_plan *plan, const struct sbx_place *place, struct birth *birth,
		struct sbx_proc *ret, struct err *e)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid < 0)
		return err_errno(e, "clone3 into the container");
	if (pid == 0)
		child_main(plan, place, birth);
	ret->pid = pid;
	ret->pidfd = pidfd;
	return 0;
}

/*
 * What the steps of child.c and drop.c may need once inside. Without no_new_privs a filter takes CAP_SYS_ADMIN;
 * labels are written through a procfs that is mounted for it.
 */
static uint64_t needed_inside(const struct sbx_plan *p)
{
	static const int always[] = {CAP_SETUID,       CAP_SETGID,   CAP_SETPCAP,     CAP_CHOWN,
				     CAP_DAC_OVERRIDE, CAP_SYS_NICE, CAP_SYS_RESOURCE};
	bool mounts = p->apparmor || p->selinux;
	uint64_t caps = 0;

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		caps |= UINT64_C(1) << always[i];
	if (mounts || (p->drop.has_filter && !p->drop.no_new_privs))
		caps |= UINT64_C(1) << CAP_SYS_ADMIN;
	return caps;
}

/* Nothing of ours goes inside but what the process is to have, and what it needs to become one. */
static int leave_behind(struct sbx_place *place, bool has_terminal, struct birth *birth,
			struct err *e)
{
	int no_console = -1;
	int *const kept[] = {&birth->theirs, &birth->join,
			     has_terminal ? &place->console : &no_console};

	return child_descriptors(place->fds, place->n_fds, kept, ARRAY_SIZE(kept), e);
}

static _Noreturn void first_main(const struct sbx_plan *plan, const struct sbx_place *place,
				 struct birth *birth)
{
	struct sbx_proc born = {.pid = -1, .pidfd = -1};
	struct sbx_place there = *place;
	struct err e = ERR_INIT;
	int r = 0;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = err_errno(&e, "not dumpable");
	if (r == 0 && plan->tune.has_exec_initial)
		r = sbx_set_cpus(0, &plan->tune.exec_initial, &e);
	if (r == 0)
		r = child_birth_begin(birth, &e);
	if (r == 0)
		r = leave_behind(&there, plan->terminal.is_wanted, birth, &e);
	if (r == 0)
		r = enter(birth->join, birth->join_spaces, &e);
	if (r == 0)
		r = sbx_drop_ahead(&plan->drop, needed_inside(plan), &e);
	if (r == 0)
		(void)bear(plan, &there, birth, &born, &e); /* told below */
	child_birth_tell(birth->theirs, &born, &e);
}

int join_clone(const struct sbx_plan *plan, const struct sbx_place *place, struct birth *birth,
	       struct sbx_proc *ret, struct err *e)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	pid_t first;
	int r;

	if (place->group) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cg_clone_fd(place->group);
	}
	first = sys_clone3(&args, sizeof(args));
	if (first < 0)
		return err_errno(e, "clone3");
	if (first == 0)
		first_main(plan, place, birth);
	fd_close(&birth->theirs); /* or its death would not be the end of file */
	r = child_birth_hear(birth->ours, ret, e);
	(void)waitpid(first, NULL, 0); /* it says its word and exits; what it said counts */
	return r < 0 ? err_wrap(e, "join") : 0;
}

/* Steps that change the process itself: see steps.h. */
#include "sandbox/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/idmap.h"
#include "sandbox/root.h"
#include "sandbox/sys.h"

int step_groups(struct child *c, struct err *e)
{
	int r = child_birth_begin(c->birth, e);

	return r < 0 ? r : root_note_groups(c->place->group, &c->root, e);
}

int step_wait(struct child *c, struct err *e)
{
	char go;

	if (read(c->sync, &go, 1) != 1)
		return err_set(e, EPIPE, "the parent is gone");
	return 0;
}

/* Bound to fewer CPUs by whoever called us: that was meant for us. A zygote's pid 1 has nothing to run. */
int step_cpus(struct child *c, struct err *e)
{
	const struct sbx_tune *t = &c->plan->tune;

	if (c->birth->join >= 0 && (t->has_exec_final || t->has_exec_initial))
		return t->has_exec_final ? sbx_set_cpus(0, &t->exec_final, e) : 0;
	return c->plan->argv ? sbx_all_cpus(e) : 0;
}

int step_signals(struct child *c, struct err *e)
{
	sigset_t none;

	(void)c;
	/* Ignored signals survive exec (SIGPIPE of a careless engine): all back to their defaults. */
	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL); /* SIGKILL, SIGSTOP and libc's own two refuse: right so */
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_errno(e, "unblock signals");
	return 0;
}

/*
 * Until it executes, this process is a copy of our program in the container's namespaces. Nobody in there may
 * trace it, or reach what it has open through /proc (CVE-2019-5736, CVE-2016-9962), CAP_SYS_PTRACE excepted.
 * Not earlier: the parent's way to id maps and oom_score_adj is /proc too. execve() sets it back.
 */
int step_hide(struct child *c, struct err *e)
{
	(void)c;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_errno(e, "prctl") : 0;
}

int step_keyring(struct child *c, struct err *e)
{
	/* A kernel without keyrings has none to share. */
	if (c->plan->has_new_keyring && sys_new_session_keyring() < 0 && errno != ENOSYS)
		return err_errno(e, "new session keyring");
	return 0;
}

int step_session(struct child *c, struct err *e)
{
	(void)c;
	if (setsid() < 0)
		return err_errno(e, "setsid");
	return 0;
}

int step_descriptors(struct child *c, struct err *e)
{
	int *const kept[] = {&c->sync,        &c->console,       &c->gate.start,
			     &c->gate.answer, &c->gate.creating, &c->gate.created};

	return child_descriptors(c->place->fds, c->place->n_fds, kept, ARRAY_SIZE(kept), e);
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/*
 * Who has the host's null device as its input or output gets the container's: that of the host has an inode of the host,
 * and engines give it opened for reading alone (containerd --null-io), so that every write would fail. A container
 * that has none keeps what it was given.
 */
int step_null(struct child *c, struct err *e)
{
	_cleanup_fd_ int fd = -1;

	for (int i = STDIN_FILENO; c->plan->argv && i <= STDERR_FILENO; i++) {
		if (!is_null(i))
			continue;
		if (fd < 0) /* not to wait, whatever the bundle has there */
			fd = open("/dev/null",
				  O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 || !is_null(fd))
			return 0;
		if (fcntl(fd, F_SETFL, 0) < 0 || dup3(fd, i, 0) < 0)
			return err_errno(e, "descriptor %d", i);
	}
	return 0;
}

int step_ids(struct child *c, struct err *e)
{
	const struct sbx_plan *p = c->plan;
	gid_t gid = idmap_owner(p->gid_maps, p->n_gid_maps);
	uid_t uid = idmap_owner(p->uid_maps, p->n_uid_maps);

	/* Root of the new user namespace: owner of what it will mount. */
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_errno(e, "become %u:%u of the user namespace", uid, gid);
	return 0;
}

/* A user who mapped his own group alone lost setgroups(2): else he could leave a group that locks him out. */
int step_supplementary(struct child *c, struct err *e)
{
	c->keeps_groups = !sbx_may_set_groups();
	if (c->keeps_groups && c->plan->drop.n_groups > 0)
		return err_set(e, EPERM,
			       "process.user.additionalGids: setgroups is denied in a user "
			       "namespace with one's own group alone; map ranges of /etc/subgid");
	return 0;
}

int step_label_files(struct child *c, struct err *e)
{
	return lsm_open(c->plan, &c->labels, e);
}

int step_tune(struct child *c, struct err *e)
{
	return sbx_tune_self(&c->plan->tune, e);
}

/* Who waits at the gate tells create, not start, that there is no such program: engines ask for it there. */
int step_find(struct child *c, struct err *e)
{
	return c->gate.start < 0 ? 0 : child_find(c->plan, e);
}

int step_labels(struct child *c, struct err *e)
{
	return lsm_apply(c->plan, &c->labels, e);
}

/* Nobody answers before the parent has passed the listener on; then whoever has it answers alone. */
static int tell_listener(void *arg, int fd, struct err *e)
{
	const struct child *c = arg;
	int r = child_pause(c->sync, CHILD_LISTENING, fd, e);

	fd_close(&fd);
	return r;
}

int step_drop(struct child *c, struct err *e)
{
	struct sbx_dropping own = {
		.keeps_groups = c->keeps_groups, .tell = tell_listener, .arg = c};

	return sbx_drop_with(&c->plan->drop, &own, e);
}

int step_death(struct child *c, struct err *e)
{
	struct child_report bound = {.stage = CHILD_BOUND, .err = ERR_INIT};

	if (!c->plan->dies_with_parent)
		return 0;
	/* Ours follow their parent; credential changes clear this, so it comes after them. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_errno(e, "parent death signal");
	/* One that has died before sends no signal. A pid 1 that stands asks itself: see stand(). */
	return c->plan->argv ? child_tell(c->sync, &bound, e) : 0;
}

/*
 * The child half as one ordered table. Its order is reviewed here and nowhere else:
 *
 *  - groups first: nothing runs unlimited;
 *  - then ids: until the parent wrote the maps, this process has no valid id and may own nothing;
 *  - descriptors before anything is opened, so that nothing inherited can be mistaken for ours;
 *  - mounts while the host's tree is still there, then pivot;
 *  - names after the pivot (they need CAP_SYS_ADMIN only);
 *  - the drop last; after it nothing can be opened, mounted or regained.
 */
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sock.h"
#include "sandbox/console.h"
#include "sandbox/cwd.h"
#include "sandbox/home.h"
#include "sandbox/hook.h"
#include "sandbox/idmap.h"
#include "sandbox/lsm.h"
#include "sandbox/net.h"
#include "sandbox/root.h"
#include "sandbox/spaces.h"
#include "sandbox/sys.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define EXIT_STEP_FAILED 127 /* seen only if the parent is gone: it gets the report otherwise */

struct child {
	const struct sbx_plan *plan;
	const struct sbx_place *place;
	struct birth *birth;
	int sync;
	int console;	      /* where the terminal goes; -1 = there is none */
	struct sbx_gate gate; /* the descriptors as they are here */
	struct root_state root;
	char home[sizeof("HOME=") + HOME_MAX_BYTES];
	struct lsm_state labels;
	bool is_in_cwd;
};

static int step_groups(struct child *c, struct err *e)
{
	int r = child_birth_begin(c->birth, e);

	return r < 0 ? r : root_note_groups(c->place->group, &c->root, e);
}

static int step_wait(struct child *c, struct err *e)
{
	char go;

	if (read(c->sync, &go, 1) != 1)
		return err_set(e, EPIPE, "the parent is gone");
	return 0;
}

/* After the parent has put us into all our groups: they become the root that is seen inside. */
static int step_cgroup(struct child *c, struct err *e)
{
	int existing = c->birth->cgroup_ns;

	if (existing >= 0)
		return setns(existing, CLONE_NEWCGROUP) == 0 ? 0 : err_errno(e, "join it");
	return unshare(CLONE_NEWCGROUP) == 0 ? 0 : err_errno(e, "unshare");
}

static int step_time(struct child *c, struct err *e)
{
	return c->plan->has_time_offsets ? spaces_time(c->plan, e) : 0;
}

/* Bound to fewer CPUs by whoever called us: that was meant for us. A zygote's pid 1 has nothing to run. */
static int step_cpus(struct child *c, struct err *e)
{
	const struct sbx_tune *t = &c->plan->tune;

	if (c->birth->join >= 0 && (t->has_exec_final || t->has_exec_initial))
		return t->has_exec_final ? sbx_set_cpus(0, &t->exec_final, e) : 0;
	return c->plan->argv ? sbx_all_cpus(e) : 0;
}

static int step_signals(struct child *c, struct err *e)
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
static int step_hide(struct child *c, struct err *e)
{
	(void)c;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_errno(e, "prctl") : 0;
}

static int step_keyring(struct child *c, struct err *e)
{
	/* A kernel without keyrings has none to share. */
	if (c->plan->has_new_keyring && sys_new_session_keyring() < 0 && errno != ENOSYS)
		return err_errno(e, "new session keyring");
	return 0;
}

static int step_session(struct child *c, struct err *e)
{
	(void)c;
	if (setsid() < 0)
		return err_errno(e, "setsid");
	return 0;
}

static int step_descriptors(struct child *c, struct err *e)
{
	int *const kept[] = {&c->sync,	      &c->console,	 &c->gate.start,
			     &c->gate.answer, &c->gate.creating, &c->gate.created};

	return child_descriptors(c->place->fds, c->place->n_fds, kept, ARRAY_SIZE(kept), e);
}

static int step_ids(struct child *c, struct err *e)
{
	(void)c;
	/* Root of the new user namespace: owner of what it will mount. */
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno(e, "become root of the user namespace");
	return 0;
}

/* A network namespace that was joined is its maker's business. */
static int step_loopback(struct child *c, struct err *e)
{
	return c->place->net_ns < 0 && c->plan->namespaces & CLONE_NEWNET ? net_loopback_up(e) : 0;
}

static int step_sysctls(struct child *c, struct err *e)
{
	return spaces_sysctls(c->plan, e);
}

static int step_label_files(struct child *c, struct err *e)
{
	return lsm_open(c->plan, &c->labels, e);
}

/* After all that closes descriptors. */
static int step_mapped(struct child *c, struct err *e)
{
	return idmap_receive(c->plan, c->sync, c->root.mounts, e);
}

static int step_private(struct child *c, struct err *e)
{
	return root_make_private(c->plan, &c->root, e);
}

static int step_root(struct child *c, struct err *e)
{
	return root_open(c->plan, &c->root, e);
}

static int step_mounts(struct child *c, struct err *e)
{
	return root_mounts(c->plan, &c->root, e);
}

static int step_devices(struct child *c, struct err *e)
{
	return root_devices(c->plan, &c->root, e);
}

/* While the root is still ours to add to, and before anything of the container runs. */
static int step_console(struct child *c, struct err *e)
{
	_cleanup_fd_ int master = -1, slave = -1, inside = -1;
	bool is_first = c->root.root >= 0; /* else we came into a standing sandbox */
	int r;

	if (!c->plan->terminal.is_wanted)
		return 0;
	if (!is_first)
		inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = console_open(is_first ? c->root.root : inside, &c->plan->terminal, &master, &slave, e);
	if (r == 0 && is_first)
		r = console_bind(c->root.root, slave, e);
	if (r == 0)
		r = console_send(c->console, master, e);
	if (r == 0)
		r = console_adopt(&slave, c->plan->drop.uid, e);
	fd_close(&c->console);
	return r;
}

/*
 * All is mounted, nothing is hidden or read-only yet, and the host's tree is still there. For startContainer
 * hooks there is a stop here too: the parent writes what they will read.
 */
static int step_hooks(struct child *c, struct err *e)
{
	uint32_t n = 0;
	int r;

	for (size_t k = 0; k <= SBX_HOOK_START_CONTAINER; k++)
		n += c->plan->hooks[k].n;
	if (n == 0)
		return 0;
	r = child_pause(c->sync, CHILD_MOUNTED, -1, e);
	if (r == 0 && fchdir(c->root.root) < 0)
		r = err_errno(e, "chdir to the root");
	return r < 0 ? r
		     : hook_run_all(c->plan, SBX_HOOK_CREATE_CONTAINER, c->gate.creating, ".", e);
}

static int step_make_cwd(struct child *c, struct err *e)
{
	return cwd_make(c->root.root, c->plan->cwd, e);
}

static int step_restrict(struct child *c, struct err *e)
{
	return root_restrict(c->plan, &c->root, e);
}

static int step_pivot(struct child *c, struct err *e)
{
	return root_enter(c->plan, &c->root, e);
}

static int step_names(struct child *c, struct err *e)
{
	const char *host = c->plan->hostname, *domain = c->plan->domainname;

	if (host && sethostname(host, strlen(host)) < 0)
		return err_errno(e, "hostname '%s'", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return err_errno(e, "domainname '%s'", domain);
	return 0;
}

/* This process has its own copy of the plan: the slot is there to be filled. */
static int step_home(struct child *c, struct err *e)
{
	_cleanup_fd_ int inside = -1;
	char home[HOME_MAX_BYTES];

	if (!c->plan->home)
		return 0;
	inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (inside < 0)
		return err_errno(e, "open '/'");
	home_find(inside, c->plan->drop.uid, home);
	(void)snprintf(c->home, sizeof(c->home), "HOME=%s", home);
	*c->plan->home = c->home;
	return 0;
}

static int step_tune(struct child *c, struct err *e)
{
	return sbx_tune_self(&c->plan->tune, e);
}

/* Who waits at the gate tells create, not start, that there is no such program: engines ask for it there. */
static int step_find(struct child *c, struct err *e)
{
	return c->gate.start < 0 ? 0 : child_find(c->plan, e);
}

static int step_labels(struct child *c, struct err *e)
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

static int step_drop(struct child *c, struct err *e)
{
	struct sbx_listening l = {.tell = tell_listener, .arg = c};

	return sbx_drop_listening(&c->plan->drop, &l, e);
}

static int step_cwd(struct child *c, struct err *e)
{
	return cwd_enter(c->plan->cwd, &c->is_in_cwd, e);
}

static int step_cwd_again(struct child *c, struct err *e)
{
	return c->is_in_cwd ? 0 : cwd_enter_dropped(c->plan->cwd, e);
}

static int step_death(struct child *c, struct err *e)
{
	/* Ours follow their parent; credential changes clear this, so it comes after them. */
	if (c->plan->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_errno(e, "parent death signal");
	return 0;
}

/*
 * needs: the namespace a row works in; without it, new or entered, the row is left out. alone: only for who
 * makes a sandbox, not for who comes into one (join.c), whose groups and namespaces stand.
 */
static const struct {
	const char *name;
	int (*run)(struct child *, struct err *);
	uint64_t needs;
	bool alone;
} steps[] = {
	{"control groups",	   step_groups,	0,		   true },
	{"wait for the parent", step_wait,	   0,		      false},
	{"time namespace",	   step_time,	      CLONE_NEWTIME,   true },
	{"hide from /proc",	    step_hide,	       0,		  false},
	{"cgroup namespace",    step_cgroup,	  CLONE_NEWCGROUP, true },
	{"CPU affinity",	 step_cpus,	    0,	       false},
	{"signals",		    step_signals,	  0,		     false},
	{"session",		    step_session,	  0,		     false},
	{"descriptors",		step_descriptors, 0,		     false},
	{"labels",		   step_label_files, 0,		false},
	{"ids",		 step_ids,	  CLONE_NEWUSER,	 false},
	{"session keyring",	    step_keyring,	  0,		     false},
	{"network",		    step_loopback,	   CLONE_NEWNET,	 true },
	{"mapped mounts",	  step_mapped,      CLONE_NEWNS,	    true },
	{"sysctl",		   step_sysctls,	 0,		    true },
	{"mount propagation",   step_private,	    CLONE_NEWNS,	 true },
	{"mount root",	       step_root,	  CLONE_NEWNS,     true },
	{"mount",		  step_mounts,      CLONE_NEWNS,	    true },
	{"devices",		    step_devices,	  CLONE_NEWNS,     true },
	{"terminal",	     step_console,	   CLONE_NEWNS,	false},
	{"hooks",		  step_hooks,	      CLONE_NEWNS,	   true },
	{"working directory",   step_make_cwd,    CLONE_NEWNS,	  true },
	{"restrict paths",	   step_restrict,	  CLONE_NEWNS,     true },
	{"pivot",		  step_pivot,	      CLONE_NEWNS,	   true },
	{"host name",	      step_names,	  CLONE_NEWUTS,	true },
	{"home",		 step_home,	    CLONE_NEWNS,	 false},
	{"working directory",   step_cwd,		0,		   false},
	{"execute",		    step_find,	       0,		  false},
	{"tune",		 step_tune,	    0,	       false},
	{"labels",		   step_labels,	0,		   false},
	{"drop",		 step_drop,	    0,	       false},
	{"working directory",   step_cwd_again,   0,		 false},
	{"parent death",	 step_death,	     0,		false},
};

/* Has this row something to do for this child? */
static bool applies(size_t i, const struct child *c)
{
	bool joins = c->birth->join >= 0;
	uint64_t spaces = joins ? c->birth->join_spaces : c->plan->namespaces | c->plan->joined;

	return !(steps[i].needs & ~spaces) && !(joins && steps[i].alone);
}

static int report(struct child *c, const struct err *e)
{
	struct child_report r = {.err = *e};
	struct err lost = ERR_INIT;

	return child_tell(c->sync, &r, &lost);
}

static _Noreturn void fail(struct child *c, const char *where, struct err *e)
{
	err_wrap(e, "%s", where);
	if (c->sync >= 0)
		(void)report(c, e); /* no parent, nobody to tell */
	else
		child_answer(&c->gate, e);
	_exit(EXIT_STEP_FAILED);
}

/* With nothing left but to execute: wait for `start`, in a life that needs no parent any more. */
static int pass_gate(struct child *c, struct err *e)
{
	int r;

	if (c->gate.start < 0)
		return 0;
	r = child_pause(c->sync, CHILD_GATED, -1, e);
	if (r < 0)
		return r;
	fd_close(&c->sync);
	return child_wait_start(&c->gate, e);
}

/* pid 1 of a sandbox whose programs come later. */
static _Noreturn void stand(struct child *c)
{
	struct err e = ERR_INIT;

	/*
	 * A parent that died before the step "parent death" sends no signal; then there is no answer either.
	 * The report alone does not tell: a brother in his first steps may hold the parent's end of our
	 * socket a little longer than the parent.
	 */
	if (report(c, &e) < 0 || step_wait(c, &e) < 0)
		_exit(EXIT_STEP_FAILED);
	fd_close(&c->sync);
	init_main();
}

_Noreturn void child_main(const struct sbx_plan *plan, const struct sbx_place *place,
			  struct birth *birth)
{
	struct child c = {.plan = plan,
			  .place = place,
			  .birth = birth,
			  .sync = birth->theirs,
			  .console = plan->terminal.is_wanted ? place->console : -1,
			  .gate = SBX_GATE_INIT,
			  .root = ROOT_STATE_INIT,
			  .labels = LSM_STATE_INIT};
	struct err e = ERR_INIT;

	if (place->gate)
		c.gate = *place->gate;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (applies(i, &c) && steps[i].run(&c, &e) < 0)
			fail(&c, steps[i].name, &e);
	if (!plan->argv)
		stand(&c);
	if (pass_gate(&c, &e) < 0)
		fail(&c, "gate", &e);
	if (birth->join < 0 &&
	    hook_run_all(plan, SBX_HOOK_START_CONTAINER, c.gate.created, "/", &e) < 0)
		fail(&c, "hooks", &e);
	(void)child_execute(plan, &e); /* it returns only to fail */
	fail(&c, "execute", &e);
}

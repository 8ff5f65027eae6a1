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

#include <sched.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/hook.h"
#include "sandbox/steps.h"

#define EXIT_STEP_FAILED 127 /* seen only if the parent is gone: it gets the report otherwise */

/*
 * needs: the namespace a row works in; without it, new or entered, the row is left out. alone: only for who
 * makes a sandbox, not for who comes into one (join.c), whose groups and namespaces stand.
 */
/* clang-format off */
static const struct {
	const char *name;
	child_step *run;
	uint64_t needs;
	bool alone;
} steps[] = {
	{"control groups",       step_groups,        0,               true },
	{"wait for the parent",  step_wait,          0,               false},
	{"time namespace",       step_time,          CLONE_NEWTIME,   true },
	{"hide from /proc",      step_hide,          0,               false},
	{"cgroup namespace",     step_cgroup,        CLONE_NEWCGROUP, true },
	{"CPU affinity",         step_cpus,          0,               false},
	{"signals",              step_signals,       0,               false},
	{"session",              step_session,       0,               false},
	{"descriptors",          step_descriptors,   0,               false},
	{"labels",               step_label_files,   0,               false},
	{"ids",                  step_ids,           CLONE_NEWUSER,   false},
	{"supplementary groups", step_supplementary, 0,               false},
	{"session keyring",      step_keyring,       0,               false},
	{"network",              step_loopback,      CLONE_NEWNET,    true },
	{"mapped mounts",        step_mapped,        CLONE_NEWNS,     true },
	{"sysctl",               step_sysctls,       0,               true },
	{"mount propagation",    step_private,       CLONE_NEWNS,     true },
	{"mount root",           step_root,          CLONE_NEWNS,     true },
	{"mount",                step_mounts,        CLONE_NEWNS,     true },
	{"devices",              step_devices,       CLONE_NEWNS,     true },
	{"terminal",             step_console,       CLONE_NEWNS,     false},
	{"hooks",                step_hooks,         CLONE_NEWNS,     true },
	{"working directory",    step_make_cwd,      CLONE_NEWNS,     true },
	{"restrict paths",       step_restrict,      CLONE_NEWNS,     true },
	{"pivot",                step_pivot,         CLONE_NEWNS,     true },
	{"host name",            step_names,         CLONE_NEWUTS,    true },
	{"null device",          step_null,          CLONE_NEWNS,     false},
	{"home",                 step_home,          CLONE_NEWNS,     false},
	{"working directory",    step_cwd,           0,               false},
	{"execute",              step_find,          0,               false},
	{"tune",                 step_tune,          0,               false},
	{"labels",               step_labels,        0,               false},
	{"drop",                 step_drop,          0,               false},
	{"working directory",    step_cwd_again,     0,               false},
	{"parent death",         step_death,         0,               false},
};
/* clang-format on */

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

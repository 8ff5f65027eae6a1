/*
 * The steps of the child half. child.c has the table that orders them; here is what they work on, and which there
 * are. Each does one thing, between clone3() and execve(): libc and system calls alone, no allocation, and what it
 * opens is close-on-exec. 0, or a negative error, after which the process tells its parent and ends.
 *
 * What a step takes the place of, or must come before or after, is said at the step, if the table does not show it.
 */
#ifndef SANDBOX_STEPS_H
#define SANDBOX_STEPS_H

#include <stdbool.h>

#include "sandbox/child.h"
#include "sandbox/home.h"
#include "sandbox/lsm.h"
#include "sandbox/root.h"

/* plan, place and birth are copies of the parent's memory, in the child's own. */
struct child {
	const struct sbx_plan *plan;
	const struct sbx_place *place;
	struct birth *birth;
	int sync;             /* to the parent; -1 once the gate is passed */
	int console;          /* where the terminal goes; -1 = there is none */
	struct sbx_gate gate; /* the descriptors as they are here */
	struct root_state root;
	char home[sizeof("HOME=") + HOME_MAX_BYTES];
	struct lsm_state labels;
	bool is_in_cwd;    /* else it is entered after the drop */
	bool keeps_groups; /* its supplementary groups cannot be changed */
};

typedef int child_step(struct child *c, struct err *e);

/* ---- steps_self.c: the process itself ---- */

child_step step_groups, step_wait, step_cpus, step_signals, step_hide, step_keyring, step_session,
	step_descriptors, step_null, step_ids, step_supplementary, step_label_files, step_tune,
	step_find, step_labels, step_drop, step_death;

/* ---- steps_spaces.c: inside of its namespaces, the mounts excepted ---- */

child_step step_cgroup, step_time, step_loopback, step_sysctls, step_names;

/* ---- steps_root.c: the root, and the way into it ---- */

child_step step_mapped, step_private, step_root, step_mounts, step_devices, step_console,
	step_hooks, step_make_cwd, step_restrict, step_pivot, step_home, step_cwd, step_cwd_again;

#endif

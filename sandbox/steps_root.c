/* Steps that make the root, and lead into it: see steps.h. */
#include "sandbox/steps.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/console.h"
#include "sandbox/cwd.h"
#include "sandbox/hook.h"
#include "sandbox/idmap.h"
#include "sandbox/lend.h"
#include "sandbox/nodes.h"

/* What the parent made. After all that closes descriptors. */
int step_mapped(struct child *c, struct err *e)
{
	int r = idmap_receive(c->plan, c->sync, c->root.mounts, e);

	if (r == 0)
		r = lend_receive(c->plan, c->sync, c->root.mounts, e);
	return r < 0 ? r : dev_nodes_receive(c->plan, c->sync, &c->root.nodes, e);
}

int step_private(struct child *c, struct err *e)
{
	return root_make_private(c->plan, &c->root, e);
}

int step_root(struct child *c, struct err *e)
{
	return root_open(c->plan, &c->root, e);
}

int step_mounts(struct child *c, struct err *e)
{
	return root_mounts(c->plan, &c->root, e);
}

int step_devices(struct child *c, struct err *e)
{
	return root_devices(c->plan, &c->root, e);
}

/* While the root is still ours to add to, and before anything of the container runs. */
int step_console(struct child *c, struct err *e)
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
int step_hooks(struct child *c, struct err *e)
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

int step_make_cwd(struct child *c, struct err *e)
{
	return cwd_make(c->root.root, c->plan->cwd, e);
}

int step_restrict(struct child *c, struct err *e)
{
	return root_restrict(c->plan, &c->root, e);
}

int step_pivot(struct child *c, struct err *e)
{
	return root_enter(c->plan, &c->root, e);
}

/* This process has its own copy of the plan: the slot is there to be filled. */
int step_home(struct child *c, struct err *e)
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

int step_cwd(struct child *c, struct err *e)
{
	return cwd_enter(c->plan->cwd, &c->is_in_cwd, e);
}

int step_cwd_again(struct child *c, struct err *e)
{
	return c->is_in_cwd ? 0 : cwd_enter_dropped(c->plan->cwd, e);
}

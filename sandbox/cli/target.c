/* The standing container that a command works on: see target.h. */
#include "sandbox/cli/target.h"

#include <errno.h>

#include "base/fd.h"

void target_close(struct target *t)
{
	sbx_proc_close(&t->init);
	cg_close(&t->group);
	state_fini(&t->state);
}

int target_open(const struct cli *c, struct target *t, struct err *e)
{
	int r = state_find(c->root, c->id, false, &t->state, e);

	if (r == 0)
		r = state_status(&t->state, &t->status, e);
	if (r == 0)
		r = state_pidfd(&t->state, &t->init.pidfd, e);
	if (r < 0)
		return r;
	if (r == 0)
		t->init.pid = t->state.pid;
	r = t->state.paths ? cg_paths_open(t->state.paths, &t->group, e) : 0;
	return r == -ENOENT && t->init.pid < 0 ? 0 : r;
}

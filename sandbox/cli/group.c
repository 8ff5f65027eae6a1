/* A container's group: see group.h. */
#include "sandbox/cli/group.h"

#include <errno.h>

int cli_open_group(const struct cli *c, bool is_locked, struct state *s, enum state_status *ret,
		   struct cg *group, struct err *e)
{
	int r = state_find(c->root, c->id, is_locked, s, e);

	if (r == 0)
		r = state_status(s, ret, e);
	if (r < 0)
		return r;
	if (*ret == STATE_STOPPED || *ret == STATE_CREATING)
		return err_set(e, ESRCH, "container '%s' is %s: container not running", c->id,
			       state_status_name(*ret));
	if (!s->paths)
		return err_set(e, ENOTSUP,
			       "container '%s' has no group: it can be neither paused nor limited "
			       "nor measured; create it from a delegated group",
			       c->id);
	return cg_paths_open(s->paths, group, e);
}

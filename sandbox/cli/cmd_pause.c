/* sandbox pause, resume: freeze and thaw all of a container. */
#include <errno.h>

#include "base/clk.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/group.h"

#define FREEZE_TIMEOUT_US (10 * CLK_US_PER_SEC)

const struct opt pause_opts[] = {OPT_ROW_ID, OPT_ROW_END};

/* A process in an uninterruptible sleep freezes only after it: then all goes on as before. */
static int freeze(struct cg *group, struct err *e)
{
	struct err lost = ERR_INIT;
	int r = cg_freeze(group, true, e);

	if (r == 0)
		r = cg_wait_frozen(group, clk_now_us() + FREEZE_TIMEOUT_US, e);
	if (r < 0)
		(void)cg_freeze(group, false, &lost);
	return r;
}

static int thaw(struct cg *group, struct err *e)
{
	return cg_freeze(group, false, e);
}

static int change(struct cli *c, bool is_paused, int (*act)(struct cg *, struct err *),
		  struct err *e)
{
	_cleanup_state_ struct state s = STATE_INIT;
	_cleanup_cg_ struct cg group = CG_INIT;
	enum state_status status;
	int r = cli_open_group(c, true, &s, &status, &group, e);
	bool fits;

	if (r < 0)
		return r;
	fits = is_paused ? status == STATE_PAUSED
			 : status == STATE_RUNNING || status == STATE_CREATED;
	if (!fits)
		return err_set(e, EINVAL, "container '%s' is %s: container not %s", c->id,
			       state_status_name(status), is_paused ? "paused" : "running");
	return act(&group, e);
}

int cmd_pause(struct cli *c, struct err *e)
{
	return change(c, false, freeze, e);
}

int cmd_resume(struct cli *c, struct err *e)
{
	return change(c, true, thaw, e);
}

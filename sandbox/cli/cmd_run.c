/* sandbox run: create and start in one, in the foreground or detached. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cli/ctr.h"
#include "sandbox/console.h"

const struct opt run_opts[] = {
	CTR_OPT_ROWS,
	{"detach", 'd', OPT_FLAG, offsetof(struct cli, is_detached), NULL,
	  "do not wait: the container outlives this command"},
	{"keep",   0,   OPT_FLAG, offsetof(struct cli, keeps),       NULL,
	  "do not delete it when it has ended"              },
	OPT_ROW_ID,
	OPT_ROW_END,
};

static int run_detached(struct ctr *c, struct cli *cli, struct err *e)
{
	struct err lost = ERR_INIT;
	int r = ctr_create(c, cli, false, e);

	if (r < 0)
		return r;
	r = ctr_start(c, e);
	if (r < 0)
		(void)ctr_destroy(c, &lost); /* the first error is the one to report */
	return r;
}

/* What happened to it, where `state` looks; OOM is what 137 does not tell. */
static int keep(struct ctr *c, int status, struct err *e)
{
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	struct state_exit x = {.is_known = true, .status = status};
	uint64_t kills = 0;
	int r = c->state.paths ? cg_meter_open(&c->group, &meter, e) : 0;

	if (r == 0 && c->state.paths)
		r = cg_meter_oom_kills(&meter, &kills, e);
	x.oom_killed = kills > 0;
	return r < 0 ? r : state_save_exit(c->state.dir, &x, e);
}

static int attend_to_end(struct ctr *c, int signals, int *ret_status, struct err *e)
{
	_cleanup_fd_ int master = -1;
	int r = c->terminal >= 0 ? console_receive(c->terminal, &master, e) : 0;

	return r < 0 ? r : attend(&c->proc, signals, &master, ret_status, e);
}

static int run_here(struct ctr *c, struct cli *cli, struct err *e)
{
	_cleanup_fd_ int signals = -1;
	struct err ending = ERR_INIT;
	int status = CLI_FAILED, r = attend_signals(&signals, e), end;

	if (r == 0)
		r = ctr_create(c, cli, true, e);
	if (r < 0)
		return r;
	r = attend_to_end(c, signals, &status, e);
	end = cli->keeps && r == 0 ? keep(c, status, &ending) : ctr_destroy(c, &ending);
	/* The first error is the one to report; the process's own status counts more than ours. */
	if (end < 0 && r == 0)
		cli_report(cli, &ending);
	return r < 0 ? r : status;
}

int cmd_run(struct cli *cli, struct err *e)
{
	_cleanup_ctr_ struct ctr c = CTR_INIT;

	int r = cli_seal(cli, e);

	if (r < 0)
		return r;
	return cli->is_detached ? run_detached(&c, cli, e) : run_here(&c, cli, e);
}

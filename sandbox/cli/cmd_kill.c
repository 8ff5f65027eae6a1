/* sandbox kill: a signal to the container's process, or to all of its processes. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/pidfd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/cli/cli.h"
#include "sandbox/pidns.h"
#include "sandbox/signal.h"
#include "sandbox/state.h"

#define FREEZE_TIMEOUT_US (2 * CLK_US_PER_SEC)
#define END_TIMEOUT_US    (10 * CLK_US_PER_SEC)

const struct opt kill_opts[] = {
	{"all",    'a', OPT_FLAG,  offsetof(struct cli, to_all), NULL, "to all processes in it"},
	OPT_ROW_ID,
	{"SIGNAL", 0,   OPT_MAYBE, offsetof(struct cli, signal), NULL, NULL                    },
	OPT_ROW_END,
};

static int not_running(const struct state *s, struct err *e)
{
	return err_set(e, ESRCH, "container '%s' is stopped: container not running", s->id);
}

static int signal_one(const struct state *s, int number, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	int r = state_pidfd(s, &pidfd, e);

	if (r == STATE_E_GONE)
		return not_running(s, e);
	if (r == 0 && pidfd_send_signal(pidfd, number, NULL, 0) < 0)
		r = errno == ESRCH ? not_running(s, e)
				   : err_errno(e, "container '%s': signal %d", s->id, number);
	return r;
}

/* While they are frozen none of them ends or forks: a pid that was read is still who it was. */
static int signal_frozen(const struct cg *group, int number, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t n = 0;
	int r = cg_wait_frozen(group, clk_now_us() + FREEZE_TIMEOUT_US, e);

	if (r == 0)
		r = cg_processes(group, &pids, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (kill(pids[i], number) < 0 && errno != ESRCH)
			r = err_errno(e, "signal %d to process %d", number, (int)pids[i]);
	return r;
}

static int signal_all(const struct cg *group, int number, struct err *e)
{
	struct err thawing = ERR_INIT;
	bool was_frozen = false;
	int r;

	if (number == SIGKILL)
		return cg_end(group, clk_now_us() + END_TIMEOUT_US, e);
	r = cg_is_frozen(group, &was_frozen, e);
	if (r == 0)
		r = cg_freeze(group, true, e);
	if (r == 0)
		r = signal_frozen(group, number, e);
	/* Whatever happened: never leave it frozen. */
	if (!was_frozen && cg_freeze(group, false, &thawing) < 0 && r == 0) {
		*e = thawing;
		r = -e->code;
	}
	return r;
}

/* It never had a group. With its first process all others end. */
static int signal_namespace(const struct state *s, int number, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	int r = state_pidfd(s, &pidfd, e);

	if (r == STATE_E_GONE)
		return 0;
	if (r == 0)
		r = number == SIGKILL ? signal_one(s, number, e) : pidns_signal(s->pid, number, e);
	return r;
}

/* No group, no processes: with --all that is no error, as engines clean up with it. */
static int kill_all(const struct state *s, int number, struct err *e)
{
	_cleanup_cg_ struct cg group = CG_INIT;
	int r;

	if (!s->paths)
		return s->group && *s->group ? 0 : signal_namespace(s, number, e);
	r = cg_paths_open(s->paths, &group, e);

	if (r == 0)
		r = signal_all(&group, number, e);
	return r == -ENOENT ? 0 : r;
}

int cmd_kill(struct cli *cli, struct err *e)
{
	_cleanup_state_ struct state s = STATE_INIT;
	int number = SIGTERM;
	int r = cli->signal ? sbx_signal_parse(cli->signal, &number, e) : 0;

	if (r == 0)
		r = state_find(cli->root, cli->id, false, &s, e);
	if (r < 0)
		return r;
	return cli->to_all ? kill_all(&s, number, e) : signal_one(&s, number, e);
}

/*
 * sandbox events: what a container uses and when it runs out of memory, one JSON object a line, until it ends:
 *
 *	{"type":"stats","id":"c1","data":{...}}		every interval
 *	{"type":"oom","id":"c1"}			for each time that something was killed at the limit
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/group.h"

#define STATS_BYTES         (1 << 20)
#define LOOKS_MAX           100 /* for a kill that was announced, one each LOOK_MS */
#define LOOK_MS             10
#define INTERVAL_DEFAULT_US (5 * CLK_US_PER_SEC)

const struct opt events_opts[] = {
	{"stats",    0, OPT_FLAG, offsetof(struct cli, wants_stats), NULL,
	 "print what it uses now, then end"             },
	{"interval", 0, OPT_TIME, offsetof(struct cli, interval_us), "TIME",
	 "between two lines of what it uses; default 5s"},
	OPT_ROW_ID,
	OPT_ROW_END,
};

struct watch {
	const struct cli *cli;
	struct state state;
	struct cg group;
	int pidfd, oom, timer;
	uint64_t n_kills;
	int looks; /* still to come */
};

static void watch_fini(struct watch *w)
{
	fd_close(&w->timer);
	fd_close(&w->oom);
	fd_close(&w->pidfd);
	cg_close(&w->group);
	state_fini(&w->state);
}

/* A reader at the other end of a pipe waits for whole lines. */
static int print_line(const struct watch *w, const char *type, const char *data, struct err *e)
{
	_cleanup_buf_ struct buf line;

	buf_init(&line, STATS_BYTES + 1024);
	buf_printf(&line, "{\"type\":\"%s\",\"id\":\"%s\"", type, w->state.id);
	if (data)
		buf_printf(&line, ",\"data\":%s", data);
	buf_puts(&line, "}\n");
	if (buf_failed(&line))
		return err_set(e, ENOMEM, "out of memory");
	if (fputs(line.data, stdout) < 0 || fflush(stdout) != 0)
		return err_errno(e, "write");
	return 0;
}

static int print_stats(const struct watch *w, struct err *e)
{
	_cleanup_buf_ struct buf data;
	int r;

	buf_init(&data, STATS_BYTES);
	r = cg_stats_json(&w->group, &data, e);
	return r < 0 ? r : print_line(w, "stats", data.data, e);
}

/* How many were killed is ours to compare: the kernel says that something has changed, on v1 before it kills. */
static int print_kills(struct watch *w, struct err *e)
{
	uint64_t now = w->n_kills;
	int r;

	cg_oom_watch_drain(w->oom);
	r = cg_oom_kills(&w->group, &now, e);
	w->looks -= w->looks > 0;
	for (; r == 0 && w->n_kills < now; w->n_kills++) {
		r = print_line(w, "oom", NULL, e);
		w->looks = 0;
	}
	return r;
}

static int open_watch(struct watch *w, struct err *e)
{
	uint64_t us = w->cli->interval_us;
	struct itimerspec when = {
		.it_interval = {.tv_sec = (time_t)(us / CLK_US_PER_SEC),
				.tv_nsec = (long)(us % CLK_US_PER_SEC) * 1000},
	};
	int r = state_pidfd(&w->state, &w->pidfd, e);

	if (r == STATE_E_GONE)
		return err_set(e, ESRCH, "container '%s' is stopped: container not running",
			       w->cli->id);
	if (r == 0)
		r = cg_oom_watch_open(&w->group, &w->oom, e);
	if (r == 0)
		r = cg_oom_kills(&w->group, &w->n_kills, e);
	if (r < 0)
		return r;
	when.it_value = when.it_interval;
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->timer < 0 || timerfd_settime(w->timer, 0, &when, NULL) < 0)
		return err_errno(e, "timer");
	return 0;
}

/* The end is looked at last: what was killed with it is told before. */
static int follow(struct watch *w, struct err *e)
{
	struct pollfd fds[] = {
		{.fd = w->oom,   .events = POLLIN | POLLPRI},
		{.fd = w->timer, .events = POLLIN          },
		{.fd = w->pidfd, .events = POLLIN          },
	};
	uint64_t ticks;
	int r = 0;

	while (r == 0 && !fds[2].revents) {
		if (poll(fds, ARRAY_SIZE(fds), w->looks > 0 ? LOOK_MS : -1) < 0 && errno != EINTR)
			return err_errno(e, "poll");
		if (fds[0].revents)
			w->looks = LOOKS_MAX;
		if (w->looks > 0 || fds[2].revents)
			r = print_kills(w, e);
		if (r == 0 && fds[1].revents && read(w->timer, &ticks, sizeof(ticks)) > 0)
			r = print_stats(w, e);
	}
	/* Deleted under our eyes: so it has ended. */
	return r == -ENODEV || r == -ENOENT ? 0 : r;
}

int cmd_events(struct cli *c, struct err *e)
{
	struct watch w = {.cli = c,
			  .state = STATE_INIT,
			  .group = CG_INIT,
			  .pidfd = -1,
			  .oom = -1,
			  .timer = -1};
	enum state_status status;
	int r = cli_open_group(c, false, &w.state, &status, &w.group, e);

	c->interval_us = c->interval_us ?: INTERVAL_DEFAULT_US;
	if (r == 0 && c->wants_stats)
		r = print_stats(&w, e);
	else if (r == 0)
		r = open_watch(&w, e);
	if (r == 0 && !c->wants_stats)
		r = follow(&w, e);
	watch_fini(&w);
	return r;
}

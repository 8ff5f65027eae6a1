/* The launcher: start order, signals, the loop, the end. See launcher.h. */
#include "runtimed/launcher.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimed/codestore.h"
#include "runtimed/notify.h"

#define WARM_UP_MAX_US (60 * CLK_US_PER_SEC)
#define TIDY_FILES     64
#define END_MAX_US     (10 * CLK_US_PER_SEC)

void launcher_fail(struct launcher *l, const struct err *e)
{
	log_err(e);
	l->exit_status = EXIT_FAILURE;
	l->is_stopping = true;
	if (l->core.pid > 0)
		(void)kill(l->core.pid, SIGKILL);
	else
		l->is_done = true;
}

/* The drain and the end of all instances fit into what we ask for, whatever the unit file says. */
static void tell_stopping(const struct launcher *l)
{
	char text[80];

	(void)snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64,
		       l->cfg->drain_timeout_us + 2 * END_MAX_US);
	notify(text);
}

static void on_signal(void *arg)
{
	struct launcher *l = arg;
	struct signalfd_siginfo info;

	if (read(l->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (!l->is_stopping)
		tell_stopping(l);
	l->is_stopping = true;
	if (l->core.pid > 0)
		(void)kill(l->core.pid, SIGTERM); /* it drains, then exits */
	else
		l->is_done = true;
}

/* ---- start ---- */

/* Before anything is made: from here on SIGTERM waits to be read, and all is undone. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int open_signals(struct launcher *l, const sigset_t *set, struct err *e)
{
	l->signals = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (l->signals < 0)
		return err_errno(e, "signalfd");
	return watch_add(l->watches, &l->signal_watch, l->signals, on_signal, l, e);
}

/* Hundreds of instances need thousands of descriptors. */
static void raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl); /* what we have must do, then */
	}
}

static int open_parts(struct launcher *l, struct err *e)
{
	int r = codestore_open(l->host.state, 0, &l->code, e);

	if (r == 0)
		r = packages_open(l, e);
	if (r == 0)
		r = slots_open(l, e);
	if (r == 0)
		r = zygotes_start(l, e);
	return r;
}

static bool are_warm(const struct launcher *l)
{
	for (uint32_t i = 0; i < l->host.n_images; i++)
		if (!zygote_is_ready(l, i))
			return false;
	return true;
}

static int warm_up(struct launcher *l, struct err *e)
{
	uint64_t until = clk_now_us() + WARM_UP_MAX_US;
	int r = 0;

	while (r == 0 && !l->is_done && !are_warm(l)) {
		if (clk_now_us() > until)
			return err_set(e, ETIMEDOUT, "zygotes did not warm up in %d s",
				       (int)(WARM_UP_MAX_US / CLK_US_PER_SEC));
		r = watches_turn(l->watches, 100, e);
	}
	return r;
}

/* ---- run and end ---- */

/* Forgotten packages are removed a few files at a time. */
static bool tidy(struct launcher *l)
{
	struct err e = ERR_INIT;
	int r = codestore_tidy(l->code, TIDY_FILES, &e);

	if (r < 0)
		log_err(&e);
	return r > 0;
}

static int loop(struct launcher *l, struct err *e)
{
	bool has_work = true;
	int r = 0;

	while (r == 0 && !l->is_done) {
		/* Ahead of time means: only when nobody waits. A pause after a failure ends by timeout. */
		r = watches_turn(l->watches, has_work ? 0 : slots_idle_ms(l), e);
		packages_tick(l);
		has_work = !l->is_stopping && (slots_prepare(l) || tidy(l));
	}
	return r;
}

static void end_slots(struct launcher *l)
{
	uint64_t until = clk_now_us() + END_MAX_US;
	struct err e = ERR_INIT;

	l->is_stopping = true;
	while (!slots_end(l)) {
		if (clk_now_us() > until) {
			log_line(LOG_ERROR, "instances did not end in time");
			return;
		}
		if (watches_turn(l->watches, 100, &e) < 0)
			return;
	}
}

static void undo(struct launcher *l)
{
	launcher_end_core(l);
	if (l->watches)
		end_slots(l);
	zygotes_stop(l);
	if (l->packages)
		packages_close(l);
	slots_close(l);
	codestore_close(l->code);
	netpool_fini(&l->net);
	watch_drop(&l->signal_watch);
	fd_close(&l->signals);
	watches_free(l->watches);
	host_close(&l->host);
}

int launcher_main(const struct config *cfg)
{
	_cleanup_free_ struct launcher *l = calloc(1, sizeof(*l));
	struct err e = ERR_INIT;
	sigset_t signals;
	int r;

	if (!l) {
		log_line(LOG_ERROR, "out of memory");
		return EXIT_FAILURE;
	}
	*l = (struct launcher){
		.cfg = cfg, .core = {-1, -1},
                     .core_sock = -1, .signals = -1
        };
	list_init(&l->all_zygotes);
	block_signals(&signals);
	raise_nofile();
	r = host_open(&l->host, cfg, &e);
	if (r == 0)
		r = watches_new(&l->watches, &e);
	if (r == 0)
		r = open_signals(l, &signals, &e);
	if (r == 0)
		r = open_parts(l, &e);
	if (r == 0)
		r = warm_up(l, &e);
	if (r == 0 && !l->is_done)
		r = launcher_start_core(l, &e);
	if (r == 0 && !l->is_done)
		r = loop(l, &e);
	if (r < 0) {
		log_err(&e);
		l->exit_status = EXIT_FAILURE;
	}
	undo(l);
	return l->exit_status;
}

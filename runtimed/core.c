/*
 * The core: open the parts in order, confine itself, run the loop, drain.
 *
 * Drain, after SIGTERM: the front accepts nothing any more and finishes its requests, then the pool ends its
 * instances, then what was recorded becomes durable. A deadline cuts it short.
 */
#include "runtimed/core.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimed/front.h"
#include "runtimed/link.h"
#include "runtimed/logs.h"
#include "runtimed/metrics.h"
#include "runtimed/package.h"
#include "runtimed/pool.h"
#include "runtimed/role.h"
#include "runtimed/store.h"
#include "sandbox/drop.h"

struct main {
	struct core core;
	uv_signal_t term, interrupt;
	uv_timer_t drain_timer;
	struct sbx_drop drop;
};

/* ---- open, in the order of need ---- */

static int read_struct(int fd, void *to, size_t n, const char *what, struct err *e)
{
	if (pread(fd, to, n, 0) != (ssize_t)n)
		return err_set(e, EINVAL, "%s: not what the launcher makes", what);
	return 0;
}

static int open_basics(struct main *m, struct err *e)
{
	struct core *core = &m->core;
	int r = read_struct(CORE_FD_CONFIG, &core->cfg, sizeof(core->cfg), "config", e);

	if (r == 0)
		r = read_struct(CORE_FD_DROP, &m->drop, sizeof(m->drop), "drop", e);
	if (r == 0 && (r = uv_loop_init(&core->loop)) < 0)
		return err_set(e, -r, "event loop: %s", uv_strerror(r));
	core->state_dir = CORE_FD_STATE;
	core->funcs = funcs_new();
	core->metrics = calloc(1, sizeof(*core->metrics));
	if (r == 0 && (!core->funcs || !core->metrics))
		r = err_set(e, ENOMEM, "core");
	return r < 0 ? r : sigv4_key_read(CORE_FD_KEY, &core->key, e);
}

/* A connection each, an instance's files, and some hundred of our own. */
static int open_table(struct main *m, struct err *e)
{
	const struct config *cfg = &m->core.cfg;
	uint64_t n = cfg->connections_max + cfg->instances_max * LAUNCH_STARTED_FDS + 256;

	return fd_reserve((unsigned int)n, e);
}

static int load_function(void *arg, const char *name, const char *json, size_t n)
{
	struct core *core = arg;
	struct func *f = NULL;
	struct err e = ERR_INIT;
	int r = func_from_json(json, n, &f, &e);

	if (r == 0)
		r = funcs_put(core->funcs, f, &e);
	if (r < 0)
		log_line(LOG_ERROR, "stored function '%s': %s", name, e.text);
	func_unref(f);
	return r;
}

static int open_store(struct main *m, struct err *e)
{
	struct core *core = &m->core;
	char dir[CONFIG_PATH_MAX + 8];
	int r;

	(void)snprintf(dir, sizeof(dir), "%s/core", core->cfg.state_dir);
	r = store_open(dir, &core->loop, &core->store, e);
	return r < 0 ? r : store_load_functions(core->store, load_function, core, e);
}

static int open_logs(struct main *m, struct err *e)
{
	struct core *core = &m->core;
	_cleanup_fd_ int dir = -1;
	int r = file_make_dirs(core->state_dir, "logs", 0700, e);

	if (r == 0)
		r = file_open_dir(core->state_dir, "logs", &dir, e);
	if (r == 0)
		r = logs_open(dir, core->cfg.log_file_bytes_max, &core->loop, &core->logs, e);
	return r;
}

static int open_link(struct main *m, struct err *e)
{
	return link_open(&m->core, CORE_FD_LAUNCHER, &m->core.link, e);
}

static int open_pool(struct main *m, struct err *e)
{
	return pool_open(&m->core, &m->core.pool, e);
}

static bool is_code_used(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN])
{
	return funcs_use_code(core->funcs, sha256) || pool_uses_code(core, sha256);
}

static int open_packages(struct main *m, struct err *e)
{
	static const struct package_env env = {
		.unpack = link_unpack, .forget = link_forget, .is_used = is_code_used};
	int r = package_open(&m->core, &env, e);

	if (r == 0)
		package_gc_all(&m->core);
	return r;
}

/* All files are open, all that may come now comes from outside. */
static int confine(struct main *m, struct err *e)
{
	return sbx_confine(&m->drop, e);
}

static int open_front(struct main *m, struct err *e)
{
	return front_open(&m->core, CORE_FD_UNIX, CORE_FD_TCP, &m->core.front, e);
}

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(struct main *, struct err *);
} steps[] = {
	{"basics",      open_basics  },
	{"descriptors", open_table   }, /* before the first thread */
	{"launcher",    open_link    },
	{"confine",     confine      }, /* the same: it holds for the calling one and its children */
	{"store",       open_store   },
	{"logs",        open_logs    },
	{"pool",        open_pool    },
	{"packages",    open_packages},
	{"front",       open_front   },
};
/* clang-format on */

/* ---- drain ---- */

static void on_pool_drained(void *arg)
{
	struct main *m = arg;

	uv_stop(&m->core.loop);
}

static void on_front_stopped(void *arg)
{
	struct main *m = arg;

	pool_drain(m->core.pool, on_pool_drained, m);
}

static void on_drain_late(uv_timer_t *timer)
{
	struct main *m = timer->data;

	log_line(LOG_WARN, "requests were still running after %" PRIu64 " ms: cut off",
		 m->core.cfg.drain_timeout_us / CLK_US_PER_MS);
	front_cut(m->core.front);
	uv_stop(&m->core.loop);
}

static void on_term(uv_signal_t *h, int number)
{
	struct main *m = h->data;

	(void)number;
	if (m->core.is_draining)
		return;
	m->core.is_draining = true;
	(void)uv_timer_start(&m->drain_timer, on_drain_late,
			     m->core.cfg.drain_timeout_us / CLK_US_PER_MS, 0);
	front_stop(m->core.front, on_front_stopped, m);
}

/* SIGTERM waits from the first moment on until it can be caught. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)sigprocmask(how, &set, NULL);
}

static void watch_signals(struct main *m)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)uv_signal_init(&m->core.loop, &m->term);
	(void)uv_signal_init(&m->core.loop, &m->interrupt);
	(void)uv_timer_init(&m->core.loop, &m->drain_timer);
	m->term.data = m->interrupt.data = m->drain_timer.data = m;
	(void)uv_signal_start(&m->term, on_term, SIGTERM);
	(void)uv_signal_start(&m->interrupt, on_term, SIGINT);
	hold_signals(SIG_UNBLOCK);
}

/* Durable first; then free, in reverse. */
static int close_all(struct main *m)
{
	struct core *core = &m->core;
	struct err e = ERR_INIT;
	int r;

	/* What is cut off is answered and recorded, so the pool goes before the front and the store. */
	pool_close(core->pool);
	link_close(core->link);
	(void)uv_run(&core->loop, UV_RUN_NOWAIT);
	r = store_drain(core->store, &e);
	if (r < 0)
		log_err(&e);
	front_close(core->front);
	package_close(core);
	logs_close(core->logs);
	store_close(core->store);
	uv_close((uv_handle_t *)&m->term, NULL);
	uv_close((uv_handle_t *)&m->interrupt, NULL);
	uv_close((uv_handle_t *)&m->drain_timer, NULL);
	(void)uv_run(&core->loop, UV_RUN_NOWAIT);
	funcs_free(core->funcs);
	free(core->metrics);
	return r;
}

int core_main(void)
{
	struct main *m = calloc(1, sizeof(*m));
	struct err e = ERR_INIT;
	int r = m ? 0 : err_set(&e, ENOMEM, "core");

	hold_signals(SIG_BLOCK);
	log_open("runtimed[core]", LOG_INFO);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		if ((r = steps[i].run(m, &e)) < 0)
			err_wrap(&e, "%s", steps[i].name);
	if (r < 0) {
		log_err(&e);
		return EXIT_FAILURE;
	}
	watch_signals(m);
	link_ready(m->core.link);
	(void)uv_run(&m->core.loop, UV_RUN_DEFAULT);
	r = close_all(m);
	free(m);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

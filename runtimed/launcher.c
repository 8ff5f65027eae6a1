/* The launcher: start order, the loop, the core's messages. See launcher.h. */
#include "runtimed/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/codestore.h"
#include "runtimed/listen.h"
#include "runtimed/module.h"
#include "runtimed/notify.h"
#include "runtimed/proc.h"
#include "runtimed/role.h"
#include "runtimed/rootkey.h"

#define WARM_UP_MAX_US (60 * CLK_US_PER_SEC)
#define TIDY_FILES     64
#define END_MAX_US     (10 * CLK_US_PER_SEC)

/* A core that reads nothing for so long is a dead one; its queue holds hundreds of messages. */
#define CORE_SEND_SECONDS 5

void launcher_send(struct launcher *l, const void *msg, size_t size, const int *fds, size_t n_fds)
{
	struct err e = ERR_INIT;

	if (l->core_sock < 0)
		return;
	if (sock_send(l->core_sock, msg, size, fds, n_fds, &e) == 0)
		return;
	/* A core that is gone is no error here: its pidfd ends the daemon. */
	if (e.code != EPIPE && e.code != ECONNRESET)
		launcher_fail(l, &e);
}

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

/* ---- messages of the core ---- */

static void on_start(struct launcher *l, const union launch_message *m, int *fd)
{
	(void)fd;
	slots_start(l, &m->start);
}

static void on_stop(struct launcher *l, const union launch_message *m, int *fd)
{
	(void)fd;
	slots_stop(l, m->stop.id);
}

static void on_unpack(struct launcher *l, const union launch_message *m, int *fd)
{
	packages_unpack(l, &m->unpack, fd);
}

static void on_forget(struct launcher *l, const union launch_message *m, int *fd)
{
	(void)fd;
	packages_forget(l, &m->forget);
}

static void on_ready(struct launcher *l, const union launch_message *m, int *fd)
{
	(void)m;
	(void)fd;
	log_line(LOG_INFO, "serving on %s/runtimed.sock", l->cfg->run_dir);
	notify("READY=1");
}

/* All that the core may say. Anything else ends the daemon. */
static const struct {
	size_t size;
	size_t n_fds;
	void (*run)(struct launcher *, const union launch_message *, int *fd);
} messages[] = {
	[LAUNCH_START] = {sizeof(struct launch_start),  0, on_start },
	[LAUNCH_STOP] = {sizeof(struct launch_stop),   0, on_stop  },
	[LAUNCH_UNPACK] = {sizeof(struct launch_unpack), 1, on_unpack},
	[LAUNCH_FORGET] = {sizeof(struct launch_forget), 0, on_forget},
	[LAUNCH_READY] = {sizeof(struct launch_ready),  0, on_ready },
};

static bool is_valid(const struct launcher *l, const union launch_message *m, size_t len,
		     size_t n_fds)
{
	if (m->type >= ARRAY_SIZE(messages) || !messages[m->type].run ||
	    len != messages[m->type].size || n_fds != messages[m->type].n_fds)
		return false;
	if (m->type == LAUNCH_UNPACK)
		return memchr(m->unpack.module, '\0', sizeof(m->unpack.module)) &&
		       module_is_valid(m->unpack.module);
	return m->type != LAUNCH_START ||
	       (m->start.image < l->host.n_images && m->start.way < LAUNCH_WAYS);
}

static void on_core(void *arg)
{
	struct launcher *l = arg;
	union launch_message m;
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;
	size_t len = 0, n_fds = 0;
	int r = sock_recv(l->core_sock, &m, sizeof(m), &len, &fd, 1, &n_fds, &e);

	if (r == SOCK_E_EOF) {
		watch_drop(&l->core_watch);
		return;
	}
	if (r == 0 && !is_valid(l, &m, len, n_fds))
		r = err_set(&e, EPROTO, "core: message of type %u, %zu bytes, %zu descriptors",
			    m.type, len, n_fds);
	if (r < 0)
		launcher_fail(l, &e);
	else
		messages[m.type].run(l, &m, &fd);
}

static void on_core_exit(void *arg)
{
	struct launcher *l = arg;
	int status = 0;

	proc_reap(&l->core, &l->core_proc_watch, &status);
	watch_drop(&l->core_watch);
	fd_close(&l->core_sock);
	/* Ended by our SIGTERM, it had not come to catch it yet: nothing was open, no request was lost. */
	if (status != 0 &&
	    !(l->is_stopping && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)) {
		log_line(LOG_ERROR, "the core ended with status 0x%x", (unsigned int)status);
		l->exit_status = EXIT_FAILURE;
	}
	l->is_stopping = l->is_done = true;
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

static int core_dir(struct launcher *l, int *ret, struct err *e)
{
	uid_t uid = (uid_t)l->cfg->core_uid;
	int r = file_make_dirs(l->host.state, "core", 0700, e);

	if (r == 0 && fchownat(l->host.state, "core", uid, uid, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_errno(e, "chown 'core'");
	return r < 0 ? r : file_open_dir(l->host.state, "core", ret, e);
}

static void send_hello(struct launcher *l)
{
	struct launch_hello m = {.type = LAUNCH_HELLO, .n_images = l->host.n_images};

	m.is_unified = cg_host_mode(l->host.cgroups) == CG_UNIFIED;
	m.peak_resets = l->host.peak_resets;
	memcpy(m.images, l->host.images, sizeof(m.images));
	launcher_send(l, &m, sizeof(m), NULL, 0);
}

/* The core's descriptors, in their order from CORE_FD_LAUNCHER on; theirs is the socket's other end. */
static int core_fds(struct launcher *l, int *fds, struct err *e)
{
	const struct config *cfg = l->cfg;
	const struct timeval patience = {.tv_sec = CORE_SEND_SECONDS};
	int r = sock_pair(SOCK_SEQPACKET, &l->core_sock, &fds[CORE_FD_LAUNCHER], e);

	if (r == 0 &&
	    setsockopt(l->core_sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		r = err_errno(e, "set send timeout");
	if (r == 0)
		r = file_in_memory("config", cfg, sizeof(*cfg), &fds[CORE_FD_CONFIG], e);
	if (r == 0)
		r = listen_unix(cfg->run_dir, &fds[CORE_FD_UNIX], e);
	if (r == 0)
		r = listen_loopback(l->host.run, (uint16_t)cfg->listen_port, &fds[CORE_FD_TCP], e);
	if (r == 0)
		r = core_dir(l, &fds[CORE_FD_STATE], e);
	if (r == 0)
		r = rootkey_open(l->host.state, &fds[CORE_FD_KEY], e);
	if (r == 0)
		r = file_in_memory("drop", l->host.core_drop, sizeof(*l->host.core_drop),
				   &fds[CORE_FD_DROP], e);
	return r;
}

static int start_core(struct launcher *l, struct err *e)
{
	struct sbx_place place = {.net_ns = -1, .n_fds = CORE_FDS};
	int r;

	for (int i = 0; i < CORE_FDS; i++)
		place.fds[i] = i < CORE_FD_LAUNCHER ? i : -1;
	place.fds[STDIN_FILENO] = l->host.null;
	r = core_fds(l, place.fds, e);
	if (r == 0)
		r = role_start("core", l->host.core_drop, &place, &l->core, e);
	for (int i = CORE_FD_LAUNCHER; i < CORE_FDS; i++)
		fd_close(&place.fds[i]);
	if (r == 0)
		r = watch_add(l->watches, &l->core_watch, l->core_sock, on_core, l, e);
	if (r == 0)
		r = proc_watch(l->watches, &l->core_proc_watch, &l->core, on_core_exit, l, e);
	if (r == 0)
		send_hello(l);
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
	watch_drop(&l->core_proc_watch);
	watch_drop(&l->core_watch);
	proc_end(&l->core);
	fd_close(&l->core_sock);
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
		r = start_core(l, &e);
	if (r == 0 && !l->is_done)
		r = loop(l, &e);
	if (r < 0) {
		log_err(&e);
		l->exit_status = EXIT_FAILURE;
	}
	undo(l);
	return l->exit_status;
}

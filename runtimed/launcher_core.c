/* The core as the launcher sees it: its descriptors and start, its messages, its end. See launcher.h. */
#include "runtimed/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/listen.h"
#include "runtimed/module.h"
#include "runtimed/notify.h"
#include "runtimed/proc.h"
#include "runtimed/role.h"
#include "runtimed/rootkey.h"

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

/* ---- its messages ---- */

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

/* ---- its start ---- */

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

int launcher_start_core(struct launcher *l, struct err *e)
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

void launcher_end_core(struct launcher *l)
{
	watch_drop(&l->core_proc_watch);
	watch_drop(&l->core_watch);
	proc_end(&l->core);
	fd_close(&l->core_sock);
}

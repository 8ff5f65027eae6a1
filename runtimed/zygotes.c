/*
 * One zygote per image, the launcher's side: start, spawn, rotate. Messages: include/runtimed/zygote.h.
 *
 * Rotation: hash seed and memory layout are the same in all children of a zygote, so it is replaced after a
 * number of forks or an hour. The successor warms up beside it and takes over when ready; the old one sees its
 * socket close and exits. Its children are the launcher's, so nothing else changes for them.
 */
#include "runtimed/launcher.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/proc.h"
#include "runtimed/zygote.h"

#define CAP_BIT(n) (UINT64_C(1) << (n))

/* setns(2) into sandboxes, and the pidfds that name them. */
#define ZYGOTE_CAPS (CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_PTRACE))

/* One that lived so long is started again whenever it dies; this many in a row that did not are a fault. */
#define ZYGOTE_SOUND_US  (2 * CLK_US_PER_SEC)
#define ZYGOTE_TRIES_MAX 5

struct zygote {
	struct launcher *l;
	struct list link; /* of all zygotes */
	uint32_t image;
	struct sbx_proc proc;
	int sock;
	struct watch sock_watch, proc_watch;
	struct zygote *successor; /* warming up, or NULL */
	uint64_t started_us;
	uint64_t n_forks;
	uint32_t n_asked; /* spawns not answered yet */
	uint32_t n_tries; /* starts in a row, this one included, that did not live long */
	bool is_ready;
	bool is_retired;
};

static int zygote_start(struct launcher *l, uint32_t image, struct zygote **ret, struct err *e);

static void zygote_forget(struct zygote *z)
{
	watch_drop(&z->sock_watch);
	watch_drop(&z->proc_watch);
	fd_close(&z->sock);
	sbx_proc_close(&z->proc);
	list_del(&z->link);
	free(z);
}

static void zygote_end(struct zygote *z)
{
	proc_end(&z->proc);
	zygote_forget(z);
}

/* A retired one that owes no answer sees its socket close, and exits. */
static void let_go(struct zygote *z)
{
	if (!z->is_retired || z->n_asked > 0)
		return;
	watch_drop(&z->sock_watch);
	fd_close(&z->sock);
}

/* It closed its socket, or broke the protocol: it ends, and its pidfd tells the rest. */
static void hang_up(struct zygote *z)
{
	z->is_ready = false;
	watch_drop(&z->sock_watch);
	(void)kill(z->proc.pid, SIGKILL);
}

/* The successor takes the place; the old one is let go. */
static void take_over(struct zygote *old)
{
	struct zygote *new = old->successor;

	old->l->zygotes[old->image] = new;
	old->successor = NULL;
	old->is_retired = true;
	let_go(old);
}

static int check_version(const struct zygote_plain *ready, struct err *e)
{
	if (ready->version == ZYGOTE_VERSION)
		return 0;
	return err_set(e, EPROTONOSUPPORT,
		       "the image's extension speaks version %u, the daemon %d: rebuild the image",
		       ready->version, ZYGOTE_VERSION);
}

/* Once for each zygote, before it has children: under a millisecond then, and nothing is divided yet. */
static void tell_base(struct zygote *z)
{
	struct launch_base m = {.type = LAUNCH_BASE, .image = z->image};
	struct err e = ERR_INIT;

	if (proc_pss(z->proc.pid, &m.bytes, &e) < 0) {
		log_err(&e); /* a number less in the metrics */
		return;
	}
	z->l->host.images[z->image].base_bytes = m.bytes; /* for HELLO, if it was not sent yet */
	launcher_send(z->l, &m, sizeof(m), NULL, 0);
}

static void on_ready(struct zygote *z)
{
	struct zygote *current = z->l->zygotes[z->image];

	tell_base(z);
	z->is_ready = true;
	if (current && current->successor == z)
		take_over(current);
	slots_zygote_ready(z->l, z->image);
}

static void on_message(struct zygote *z, const union zygote_message *m, size_t len, int *fd,
		       struct err *e)
{
	if (m->type == ZYGOTE_READY && len == sizeof(m->plain) && *fd < 0 && !z->is_ready) {
		if (check_version(&m->plain, e) == 0)
			on_ready(z);
	} else if (m->type == CHILD_BROKEN && len == sizeof(m->broken)) {
		*e = m->broken.err;
		e->text[sizeof(e->text) - 1] = '\0';
	} else if (m->type == ZYGOTE_SPAWNED && len == sizeof(m->spawned) &&
		   (m->spawned.err.code != 0) == (*fd < 0) &&
		   slot_waits(z->l, m->spawned.slot, z)) {
		z->n_asked--;
		if (m->spawned.err.code)
			slot_failed(z->l, (uint32_t)m->spawned.slot, &m->spawned.err);
		else
			slot_spawned(z->l, (uint32_t)m->spawned.slot, m->spawned.pid, fd);
		let_go(z);
	} else {
		err_set(e, EPROTO, "message of type %u and %zu bytes", m->type, len);
	}
}

static void on_sock(void *arg)
{
	struct zygote *z = arg;
	union zygote_message m;
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;
	size_t len = 0;
	int r = sock_recv(z->sock, &m, sizeof(m), &len, &fd, 1, NULL, &e);

	if (r == 0)
		on_message(z, &m, len, &fd, &e);
	if (e.code == EPROTONOSUPPORT) { /* it will not be younger the next time */
		err_wrap(&e, "image '%s'", z->l->host.images[z->image].name);
		launcher_fail(z->l, &e);
	} else if (e.code != 0) {
		log_line(LOG_ERROR, "zygote '%s': %s", z->l->host.images[z->image].name, e.text);
	}
	if (e.code != 0 || r == SOCK_E_EOF)
		hang_up(z);
}

/* What it said before it died still holds: a child that it announced lives. */
static void hear_last_words(struct zygote *z)
{
	struct pollfd said = {.fd = z->sock, .events = POLLIN};

	while (z->sock_watch.of && poll(&said, 1, 0) > 0)
		on_sock(z);
}

static void restart(struct launcher *l, uint32_t image, uint32_t n_tries)
{
	struct err e = ERR_INIT;

	if (l->is_stopping)
		return;
	if (n_tries > ZYGOTE_TRIES_MAX)
		err_set(&e, ECHILD, "zygote '%s' died %d times at start",
			l->host.images[image].name, ZYGOTE_TRIES_MAX);
	else if (zygote_start(l, image, &l->zygotes[image], &e) == 0)
		l->zygotes[image]->n_tries = n_tries;
	if (e.code)
		launcher_fail(l, &e);
}

/* The present one died: its successor follows, or a new one. */
static void replace(struct zygote *z)
{
	struct launcher *l = z->l;
	bool was_sound = clk_now_us() - z->started_us > ZYGOTE_SOUND_US;

	log_line(LOG_WARN, "zygote '%s' died", l->host.images[z->image].name);
	l->zygotes[z->image] = z->successor;
	if (!z->successor)
		restart(l, z->image, was_sound ? 1 : z->n_tries + 1);
}

static void on_exit_of(void *arg)
{
	struct zygote *z = arg;
	struct zygote *current;

	hear_last_words(z);
	proc_reap(&z->proc, &z->proc_watch, NULL);
	current = z->l->zygotes[z->image];
	if (current && current->successor == z)
		current->successor = NULL; /* tried again at the next spawn */
	else if (current == z)
		replace(z);
	slots_zygote_gone(z->l, z);
	zygote_forget(z);
}

static void plan_zygote(struct launcher *l, uint32_t image, struct sbx_plan *p,
			struct sbx_mount mounts[2])
{
	mounts[0] = (struct sbx_mount){
		.kind = SBX_MOUNT_FS,
		.target = "/proc",
		.type = "proc",
		.source = "proc",
		.data = "subset=pid",
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};
	mounts[1] = (struct sbx_mount){
		.kind = SBX_MOUNT_BIND, .target = "/dev", .source = l->host.dev_path};
	p->namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	p->hostname = "zygote";
	p->root.path = l->host.image_path[image];
	p->mounts = mounts;
	p->n_mounts = 2;
	p->cwd = "/";
	p->dies_with_parent = true;
	p->drop.umask = 022;
	p->drop.cap_bounding = p->drop.cap_permitted = p->drop.cap_effective = ZYGOTE_CAPS;
	p->drop.no_new_privs = true;
}

static int send_setup(struct zygote *z, struct err *e)
{
	struct zygote_plain m = {
		.type = ZYGOTE_SETUP, .version = ZYGOTE_VERSION, .at_us = clk_now_us()};
	const struct sbx_drop *d = z->l->host.function_drop;
	_cleanup_fd_ int fd = -1;
	int r = file_in_memory("drop", d, sizeof(*d), &fd, e);

	return r < 0 ? r : sock_send(z->sock, &m, sizeof(m), &fd, 1, e);
}

static int execute(struct zygote *z, int sock, struct err *e)
{
	static const char *env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp",
				    "OPENBLAS_NUM_THREADS=1", NULL};
	const char *argv[] = {z->l->host.python[z->image], "-I", "-B",
			      "/usr/lib/runtimed/zygote.py", NULL};
	struct sbx_mount mounts[2];
	_cleanup_free_ struct sbx_plan *plan = calloc(1, sizeof(*plan));
	struct sbx_place place = {.group = &z->l->host.zygotes, .n_fds = 4};
	_cleanup_fd_ int net = -1;
	int r = plan ? netpool_take(&z->l->net, &net, e) : err_set(e, ENOMEM, "out of memory");

	if (r < 0)
		return r;
	plan->argv = argv;
	plan->env = env;
	plan_zygote(z->l, z->image, plan, mounts);
	place.net_ns = net;
	memcpy(place.fds, (int[]){z->l->host.null, STDERR_FILENO, STDERR_FILENO, sock},
	       4 * sizeof(int));
	return sbx_start(plan, &place, &z->proc, e);
}

static int zygote_start(struct launcher *l, uint32_t image, struct zygote **ret, struct err *e)
{
	struct zygote *z = calloc(1, sizeof(*z));
	_cleanup_fd_ int theirs = -1;
	int r;

	if (!z)
		return err_set(e, ENOMEM, "zygote");
	*z = (struct zygote){
		.l = l, .image = image, .sock = -1, .proc = {-1, -1}
        };
	list_add_tail(&l->all_zygotes, &z->link);
	z->started_us = clk_now_us();
	r = sock_pair(SOCK_SEQPACKET, &z->sock, &theirs, e);
	if (r == 0)
		r = execute(z, theirs, e);
	if (r == 0)
		r = send_setup(z, e);
	if (r == 0)
		r = watch_add(l->watches, &z->sock_watch, z->sock, on_sock, z, e);
	if (r == 0)
		r = proc_watch(l->watches, &z->proc_watch, &z->proc, on_exit_of, z, e);
	if (r < 0) {
		zygote_end(z);
		return err_wrap(e, "start zygote '%s'", l->host.images[image].name);
	}
	*ret = z;
	return 0;
}

int zygotes_start(struct launcher *l, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < l->host.n_images; i++)
		r = zygote_start(l, i, &l->zygotes[i], e);
	return r;
}

void zygotes_stop(struct launcher *l)
{
	list_for_each (pos, &l->all_zygotes)
		zygote_end(container_of(pos, struct zygote, link));
	memset(l->zygotes, 0, sizeof(l->zygotes));
}

bool zygote_is_ready(const struct launcher *l, uint32_t image)
{
	return l->zygotes[image] && l->zygotes[image]->is_ready;
}

static void maybe_rotate(struct zygote *z)
{
	const struct config *cfg = z->l->cfg;
	struct err e = ERR_INIT;

	if (z->successor || (z->n_forks < cfg->zygote_forks_max &&
			     clk_now_us() - z->started_us < cfg->zygote_age_us))
		return;
	if (zygote_start(z->l, z->image, &z->successor, &e) < 0)
		log_err(&e); /* the present one still serves */
}

int zygote_spawn(struct launcher *l, uint32_t image, const struct zygote_spawn *m, const int *fds,
		 size_t n_fds, const struct zygote **ret_spawner, struct err *e)
{
	struct zygote *z = l->zygotes[image];
	int r;

	if (!zygote_is_ready(l, image))
		return ZYGOTE_E_GONE;
	r = sock_send(z->sock, m, sizeof(*m), fds, n_fds, e);
	if (r == -EPIPE || r == -ECONNRESET) {
		hang_up(z);
		return ZYGOTE_E_GONE;
	}
	if (r == 0) {
		z->n_forks++;
		z->n_asked++;
		*ret_spawner = z;
		maybe_rotate(z);
	}
	return r < 0 ? err_wrap(e, "zygote '%s'", l->host.images[image].name) : 0;
}

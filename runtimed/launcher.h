/*
 * The launcher: root, single-threaded, and as little code as possible. It makes and ends sandboxes at the
 * core's word (runtimed/launch.h) and never looks at a byte a tenant wrote.
 *
 *	launcher.c   start order, signals, the loop, the end
 *	launcher_core.c  the core as we see it: start, messages, end
 *	host.c       what is made once: directories, groups, mounts, policies
 *	zygotes.c    one zygote per image: start, spawn, rotate
 *	slots.c      one sandbox each; slot.h says how: slot_build.c, slot_take.c, slot_end.c
 *	netpool.c    network namespaces ahead of time
 *	packages.c   unpack workers
 *	proc.c       watching, reaping and ending a child
 *	role.c       starting a process of our own program
 *	notify.c     telling systemd how far we are
 */
#ifndef RUNTIMED_LAUNCHER_H
#define RUNTIMED_LAUNCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "runtimed/config.h"
#include "runtimed/host.h"
#include "runtimed/netpool.h"
#include "runtimed/watch.h"
#include "sandbox/sandbox.h"

struct codestore;
struct packages;
struct slots;
struct zygote;
struct zygote_spawn;

struct launcher {
	const struct config *cfg;
	struct host host;
	struct watches *watches;
	struct netpool net;
	struct codestore *code;
	struct zygote *zygotes[LAUNCH_IMAGES_MAX]; /* the present ones */
	struct list all_zygotes;                   /* and those to come, and those retired */
	struct slots *slots;
	struct packages *packages;
	/* the core */
	struct sbx_proc core;
	int core_sock;
	struct watch core_watch, core_proc_watch, signal_watch;
	int signals;
	bool is_stopping; /* SIGTERM was passed on, or the core is gone */
	bool is_done;
	int exit_status;
};

/* Run the daemon: returns its exit status when everything is undone. argv is for the roles. */
int launcher_main(const struct config *cfg);

/* The core or a zygote broke the protocol, or something of ours failed for good: end the daemon. */
void launcher_fail(struct launcher *l, const struct err *e);

/* ---- launcher_core.c ---- */

int launcher_start_core(struct launcher *l, struct err *e);
void launcher_end_core(struct launcher *l); /* if it has not ended by itself */

/* Send to the core; a core that does not read is a dead core. */
void launcher_send(struct launcher *l, const void *msg, size_t size, const int *fds, size_t n_fds);

/* ---- zygotes.c ---- */

int zygotes_start(struct launcher *l, struct err *e);
void zygotes_stop(struct launcher *l); /* kill and reap all */

/*
 * Ask the image's zygote to fork into slot's sandbox; slot_spawned(), slot_failed() or
 * slots_zygote_gone() follows. fds as enum zygote_spawn_fd, borrowed. ZYGOTE_E_GONE: it died or is warming
 * up; slots_zygote_ready() says when there is one.
 */
enum zygote_outcome { ZYGOTE_E_GONE = 1 };
int zygote_spawn(struct launcher *l, uint32_t image, const struct zygote_spawn *m, const int *fds,
		 size_t n_fds, const struct zygote **ret_spawner, struct err *e);
bool zygote_is_ready(const struct launcher *l, uint32_t image);

/* ---- slots.c ---- */

int slots_open(struct launcher *l, struct err *e);
void slots_close(struct launcher *l); /* all are gone already */

/* From the core. */
void slots_start(struct launcher *l, const struct launch_start *m);
void slots_stop(struct launcher *l, uint64_t id);

/* From the zygotes. slot_waits() says whether the slot asked z; then pid is the launcher's child, and
 * *pidfd moves to the slot. */
bool slot_waits(const struct launcher *l, uint64_t slot, const struct zygote *z);
void slot_spawned(struct launcher *l, uint32_t slot, pid_t pid, int *pidfd);
void slot_failed(struct launcher *l, uint32_t slot, const struct err *e);
void slots_zygote_ready(struct launcher *l, uint32_t image);
void slots_zygote_gone(struct launcher *l, const struct zygote *z);

/* One unit of work ahead (a waiting child more); false if there is nothing to do. */
bool slots_prepare(struct launcher *l);

/* How long to wait for events before slots_prepare() may have something to do again. */
int slots_idle_ms(const struct launcher *l);

/* Kill everything; true once nothing is left. */
bool slots_end(struct launcher *l);

/* ---- packages.c ---- */

int packages_open(struct launcher *l, struct err *e);
void packages_close(struct launcher *l);
void packages_unpack(struct launcher *l, const struct launch_unpack *m, int *fd);
void packages_tick(struct launcher *l); /* end workers over their time */
void packages_forget(struct launcher *l, const struct launch_forget *m);

/* ---- role.c ---- */

/*
 * Start /proc/self/exe with `--role name`, descriptors as in place->fds, with what drop leaves: all of it
 * but landlock and filter, which the program puts on itself.
 */
int role_start(const char *name, const struct sbx_drop *drop, const struct sbx_place *place,
	       struct sbx_proc *ret, struct err *e);

#endif

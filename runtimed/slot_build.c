/*
 * Building a slot: its group and its sandbox with pid 1; then the lines to its process, and that process
 * itself, forked by the zygote or executed. See slot.h.
 */
#include "runtimed/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/guest.h"
#include "runtimed/proc.h"
#include "runtimed/zygote.h"

/* Until it is taken, a child gets this; a process is never in a group without limits. */
#define PARKED_MEMORY_BYTES (UINT64_C(256) << 20)
#define PARKED_PIDS         16

static int plan_of(struct launcher *l, uint32_t image, struct sbx_plan **ret, struct err *e)
{
	struct sbx_function f = {
		.image_root = l->host.image_path[image],
		.dev_root = l->host.dev_path,
		.stage = l->host.stage_path,
		.uid_base = (uint32_t)l->cfg->uid_base,
		.scratch_bytes = SLOT_TMP_BYTES,
		.filter = l->host.init_filter,
	};

	struct sbx_plan **plan = &l->slots->of[image].plan;
	int r = *plan ? 0 : sbx_plan_for_function(&f, plan, e);

	if (r == 0)
		*ret = *plan;
	return r;
}

static int make_group(struct slot *s, struct err *e)
{
	struct cg_limits limits = {
		.memory_bytes = PARKED_MEMORY_BYTES, .swap_off = true, .pids_max = PARKED_PIDS};
	int r;

	(void)snprintf(s->group_name, sizeof(s->group_name), "i%" PRIu32, s->index);
	r = cg_create(&s->l->host.group, s->group_name, &s->group, e);
	if (r == -EEXIST) { /* it could not be removed when the slot ended; it is empty by now */
		r = cg_remove(&s->l->host.group, s->group_name, e);
		if (r == 0)
			r = cg_create(&s->l->host.group, s->group_name, &s->group, e);
	}
	if (r < 0)
		return r;
	s->has_group = true;
	return cg_limit(&s->group, &limits, e);
}

static void on_begun(void *arg)
{
	struct slot *s = arg;
	struct err e = ERR_INIT;
	int r;

	watch_drop(&s->begun_watch);
	r = sbx_finish(s->l->slots->of[s->image].plan, &s->begun, &s->init, &e);
	if (r == 0)
		r = proc_watch(s->l->watches, &s->init_watch, &s->init, slot_on_init_exit, s, &e);
	if (r < 0) {
		slot_give_up(s, &e);
		return;
	}
	slot_set_state(s, STANDING);
	if (!s->is_reserve)
		slot_populate(s);
}

/* One plan per image, with this slot's ids written into it. */
static int begin(struct slot *s, struct err *e)
{
	_cleanup_fd_ int net = -1;
	struct sbx_plan *plan = NULL;
	int r = plan_of(s->l, s->image, &plan, e);

	if (r == 0)
		r = make_group(s, e);
	if (r == 0)
		r = netpool_take(&s->l->net, &net, e);
	if (r < 0)
		return r;
	sbx_plan_set_ids(plan, slot_uid_base(s));
	r = sbx_begin(plan, &(struct sbx_place){.group = &s->group, .net_ns = net}, &s->begun, e);
	if (r == 0)
		r = watch_add(s->l->watches, &s->begun_watch, s->begun.sync, on_begun, s, e);
	return r;
}

void slot_raise(struct slot *s)
{
	struct err e = ERR_INIT;

	if (begin(s, &e) < 0)
		slot_give_up(s, &e);
}

static int set_nonblocking(int fd, struct err *e)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(e, "set non-blocking");
	return 0;
}

/* The three lines to the process: control and data sockets, log pipe. theirs[] as in SPAWN_FD_*. */
static int make_lines(struct slot *s, int theirs[3], struct err *e)
{
	const uid_t owner = slot_uid_base(s) + SBX_FUNCTION_UID;
	int r = sock_pair(SOCK_SEQPACKET, &s->control, &theirs[0], e), p[2];

	if (r == 0)
		r = sock_pair(SOCK_STREAM, &s->data, &theirs[1], e);
	if (r == 0 && pipe2(p, O_CLOEXEC) < 0)
		r = err_errno(e, "pipe");
	if (r < 0)
		return r;
	s->log = p[0];
	theirs[2] = p[1];
	/* The function's own: else it could write to /dev/stdout, but not open it. */
	if (fchown(p[1], owner, owner) < 0)
		return err_errno(e, "chown log pipe");
	r = set_nonblocking(s->data, e);
	return r < 0 ? r : set_nonblocking(s->log, e);
}

static int ask_zygote(struct slot *s, const int theirs[3], struct err *e)
{
	int fds[SPAWN_FDS + SBX_TASKS_MAX] = {
		[SPAWN_FD_INIT] = s->init.pidfd, [SPAWN_FD_CGROUP] = cg_clone_fd(&s->group),
		[SPAWN_FD_CONTROL] = theirs[0],  [SPAWN_FD_DATA] = theirs[1],
		[SPAWN_FD_LOG] = theirs[2],
	};

	const struct zygote_spawn m = {.type = ZYGOTE_SPAWN,
				       .is_wanted = s->has_start || slots_are_busy(s->l),
				       .slot = s->index};
	int n = 0, r = cg_tasks_open(&s->group, fds + SPAWN_FDS, &n, e);

	if (r == 0)
		r = zygote_spawn(s->l, s->image, &m, fds, (size_t)(SPAWN_FDS + n), &s->spawner, e);
	while (n > 0)
		fd_close(&fds[SPAWN_FDS + --n]);
	if (r == ZYGOTE_E_GONE) {
		s->is_lost = true;
		return err_set(e, ECHILD, "the zygote died");
	}
	if (r == 0)
		slot_set_state(s, SPAWNING);
	return r;
}

/* No zygote: a python of its own, which speaks the child's half from PARKED on. */
static int exec_python(struct slot *s, const int theirs[3], struct err *e)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp",
					  "OPENBLAS_NUM_THREADS=1", NULL};
	const char *const argv[] = {s->l->host.python[s->image], "-I", "-B",
				    "/usr/lib/runtimed/exec.py", NULL};
	const struct sbx_drop *d = s->l->host.function_drop;
	_cleanup_fd_ int drop = -1;
	int r = file_in_memory("drop", d, sizeof(*d), &drop, e);
	struct sbx_place place = {
		.group = &s->group,
		.net_ns = -1,
		.n_fds = GUEST_FD_DROP + 1,
		.fds = {s->l->host.null, theirs[2], theirs[2], theirs[1], theirs[0], drop},
	};

	if (r == 0)
		r = sbx_enter(s->init.pidfd, &place, argv, env, &s->child, e);
	if (r == 0)
		r = proc_watch(s->l->watches, &s->child_watch, &s->child, slot_on_child_exit, s, e);
	if (r == 0)
		slot_set_state(s, JOINING);
	return r;
}

static int add_process(struct slot *s, struct err *e)
{
	int theirs[3] = {-1, -1, -1}, r = make_lines(s, theirs, e);

	if (r == 0)
		r = watch_add(s->l->watches, &s->control_watch, s->control, slot_on_control, s, e);
	if (r == 0)
		r = s->way == LAUNCH_EXECED ? exec_python(s, theirs, e) : ask_zygote(s, theirs, e);
	if (r == 0 && s->has_start)
		r = slot_hand_over(s, e);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		fd_close(&theirs[i]);
	return r;
}

void slot_populate(struct slot *s)
{
	struct err e = ERR_INIT;

	if (s->way != LAUNCH_EXECED && !zygote_is_ready(s->l, s->image))
		return; /* slots_zygote_ready() comes back to it */
	if (add_process(s, &e) < 0)
		slot_give_up(s, &e);
}

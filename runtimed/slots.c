/*
 * Slots: one sandbox each, with its uid range, group, pid 1, and the python process in it.
 *
 *	FREE → SPAWNING → JOINING → PARKED → SEALING → RUNNING
 *	          any of them → ENDING → FREE
 *
 * SPAWNING  the sandbox stands (group, limits, network, pid 1); the zygote was asked to fork
 * JOINING   the process is in its groups; it joins its namespaces and warms
 * PARKED    it waits between two steps of its table; belongs to nobody yet
 * SEALING   it was taken for an instance: code mounted, privileges dropping
 * RUNNING   it serves; launcher and process have nothing more to say to each other
 * ENDING    its group was killed; waiting for both processes
 *
 * A start that finds no parked child waits in the slot that is being built for it (`has_start`).
 */
#include "runtimed/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/codestore.h"
#include "runtimed/guest.h"
#include "runtimed/zygote.h"

/* Until it is taken, a child gets this; a process is never in a group without limits. */
#define PARKED_MEMORY_BYTES (UINT64_C(256) << 20)
#define PARKED_PIDS	    16

/* /tmp of a waiting child; a function that asks for another size gets a sandbox made for it. */
#define DEFAULT_TMP_BYTES (UINT64_C(512) << 20)

#define CPU_PERIOD_US	  100000
#define TASK_DIR	  "/var/task"

/* Waiting children are made a few at a time, so that a burst of starts is not kept waiting by them. */
#define BUILDING_MAX 4

/* After a child that could not be made ahead of time. */
#define PREPARE_PAUSE_US CLK_US_PER_SEC

enum slot_state { FREE, SPAWNING, JOINING, PARKED, SEALING, RUNNING, ENDING };

struct slot {
	struct launcher *l;
	uint32_t index;
	uint32_t image;
	enum slot_state state;
	enum launch_way way;
	uint64_t tmp_bytes;
	const struct zygote *spawner; /* has been asked to fork and has not answered */
	bool is_waiting;	      /* for a zygote to become ready; nothing is built yet */
	bool has_start;		      /* an instance's: start is set */
	bool is_started;	      /* STARTED was sent */
	bool has_parked;	      /* before SPAWNED arrived */
	struct launch_start start;
	uint64_t received_us;
	char group_name[16];
	bool has_group;
	struct cg group;
	struct sbx_proc init, child;
	int status; /* waitpid's, of the child */
	struct err err;
	int control, data, log; /* our ends */
	struct watch control_watch, init_watch, child_watch;
	struct list link; /* free, parked or busy */
};

struct slots {
	uint32_t n_slots;
	uint32_t n_parked[LAUNCH_IMAGES_MAX], n_building[LAUNCH_IMAGES_MAX];
	struct list free, busy;
	struct list parked[LAUNCH_IMAGES_MAX];
	struct slot *slot; /* n_slots of them */
	struct sbx_plan *plan[LAUNCH_IMAGES_MAX];
	uint64_t prepare_after_us;
};

static void begin_end(struct slot *s);

/* ---- open and close ---- */

int slots_open(struct launcher *l, struct err *e)
{
	struct slots *ss = calloc(1, sizeof(*ss));
	uint64_t n = l->cfg->instances_max + l->cfg->prefork_children * l->host.n_images +
		     BUILDING_MAX * l->host.n_images;

	if (!ss || !(ss->slot = calloc(n, sizeof(*ss->slot)))) {
		free(ss);
		return err_set(e, ENOMEM, "%" PRIu64 " slots", n);
	}
	ss->n_slots = (uint32_t)n;
	list_init(&ss->free);
	list_init(&ss->busy);
	for (uint32_t i = 0; i < LAUNCH_IMAGES_MAX; i++)
		list_init(&ss->parked[i]);
	for (uint32_t i = 0; i < ss->n_slots; i++) {
		ss->slot[i] = (struct slot){
			.l = l,
			.index = i,
			.init = {-1, -1},
			.child = {-1, -1},
			.control = -1,
			.data = -1,
			.log = -1,
			.group = CG_INIT
		};
		list_add_tail(&ss->free, &ss->slot[i].link);
	}
	l->slots = ss;
	return 0;
}

void slots_close(struct launcher *l)
{
	struct slots *ss = l->slots;

	if (!ss)
		return;
	for (uint32_t i = 0; i < LAUNCH_IMAGES_MAX; i++)
		sbx_plan_free(ss->plan[i]);
	free(ss->slot);
	free(ss);
	l->slots = NULL;
}

/* ---- a slot's end ---- */

static bool is_building(const struct slot *s)
{
	return s->state == SPAWNING || s->state == JOINING;
}

/* Waiting children, present and coming, that belong to nobody. */
static void set_state(struct slot *s, enum slot_state to)
{
	struct slots *ss = s->l->slots;

	if (is_building(s))
		ss->n_building[s->image]--;
	if (s->state == PARKED)
		ss->n_parked[s->image]--;
	s->state = to;
	if (is_building(s))
		ss->n_building[s->image]++;
	if (s->state == PARKED)
		ss->n_parked[s->image]++;
	list_del(&s->link);
	list_add_tail(to == FREE     ? &ss->free
		      : to == PARKED ? &ss->parked[s->image]
				     : &ss->busy,
		      &s->link);
}

static void tell_failed(struct launcher *l, uint64_t id, const struct err *e)
{
	struct launch_failed m = {.type = LAUNCH_FAILED, .id = id, .err = *e};

	launcher_send(l, &m, sizeof(m), NULL, 0);
}

static void tell_gone(struct slot *s)
{
	struct launch_gone m = {.type = LAUNCH_GONE, .id = s->start.id, .err = s->err};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	struct cg_usage use = {0};
	struct err e = ERR_INIT;

	if (cg_meter_open(&s->group, &meter, &e) < 0 || cg_meter_read(&meter, &use, &e) < 0)
		log_err(&e);
	m.exit_code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
	m.signal = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;
	m.oom_kills = use.oom_kills;
	m.memory_peak_bytes = use.memory_peak_bytes;
	m.cpu_us = use.cpu_us;
	launcher_send(s->l, &m, sizeof(m), NULL, 0);
}

/* A child that nobody asked for failed: the next try waits, or a lasting fault would be a busy loop. */
static void note_bad_preparation(struct slot *s)
{
	if (s->l->is_stopping)
		return;
	s->l->slots->prepare_after_us = clk_now_us() + PREPARE_PAUSE_US;
	log_line(LOG_ERROR, "prepare '%s': %s", s->l->host.images[s->image].name,
		 s->err.code ? s->err.text : "the waiting child died");
}

/* Both processes are reaped, or never were: undo the rest. */
static void finish_end(struct slot *s)
{
	struct err e = ERR_INIT;

	if (s->is_started)
		tell_gone(s);
	else if (s->has_start)
		tell_failed(s->l, s->start.id, &s->err);
	else
		note_bad_preparation(s);
	watch_drop(&s->control_watch);
	fd_close(&s->control);
	fd_close(&s->data);
	fd_close(&s->log);
	cg_close(&s->group);
	if (s->has_group && cg_remove(&s->l->host.group, s->group_name, &e) < 0)
		log_err(&e);
	s->has_group = s->has_start = s->is_started = s->is_waiting = s->has_parked = false;
	s->status = 0;
	s->err = (struct err)ERR_INIT;
	set_state(s, FREE);
}

static void reap(struct sbx_proc *p, struct watch *w, int *status)
{
	watch_drop(w);
	(void)waitpid(p->pid, status, 0); /* its pidfd was readable: it has ended */
	sbx_proc_close(p);
}

static void on_init_exit(void *arg)
{
	struct slot *s = arg;

	reap(&s->init, &s->init_watch, NULL);
	begin_end(s);
}

static void on_child_exit(void *arg)
{
	struct slot *s = arg;

	reap(&s->child, &s->child_watch, &s->status);
	begin_end(s);
}

/*
 * Kill the group, then wait for what is left. Called again after each reaped process; the kernel keeps pid 1
 * from being reaped before all others in its namespace are.
 */
static void begin_end(struct slot *s)
{
	struct err e = ERR_INIT;

	if (s->state == FREE)
		return;
	if (s->state != ENDING) {
		set_state(s, ENDING);
		if (s->has_group && cg_kill(&s->group, &e) < 0)
			log_err(&e);
	}
	if (s->init.pid < 0 && s->child.pid < 0 && !s->spawner)
		finish_end(s);
}

static void fail(struct slot *s, const struct err *e)
{
	if (s->state == FREE || s->state == ENDING)
		return;
	if (s->err.code == 0)
		s->err = *e;
	begin_end(s);
}

/* ---- building ---- */

static int plan_of(struct launcher *l, uint32_t image, struct sbx_plan **ret, struct err *e)
{
	struct sbx_function f = {
		.image_root = l->host.image_path[image],
		.dev_root = l->host.dev_path,
		.stage = l->host.stage_path,
		.uid_base = (uint32_t)l->cfg->uid_base,
		.scratch_bytes = DEFAULT_TMP_BYTES,
		.filter = l->host.init_filter,
	};

	if (!l->slots->plan[image]) {
		int r = sbx_plan_for_function(&f, &l->slots->plan[image], e);

		if (r < 0)
			return r;
	}
	*ret = l->slots->plan[image];
	return 0;
}

static int make_group(struct slot *s, struct err *e)
{
	struct cg_limits limits = {
		.memory_bytes = PARKED_MEMORY_BYTES, .swap_off = true, .pids_max = PARKED_PIDS};
	int r;

	(void)snprintf(s->group_name, sizeof(s->group_name), "i%" PRIu32, s->index);
	r = cg_create(&s->l->host.group, s->group_name, &s->group, e);
	if (r < 0)
		return r;
	s->has_group = true;
	return cg_limit(&s->group, &limits, e);
}

/* The sandbox itself: one plan per image, with this slot's ids and size written into it. */
static int make_sandbox(struct slot *s, int net, struct err *e)
{
	struct sbx_place place = {.group = &s->group, .net_ns = net};
	struct sbx_plan *plan = NULL;
	int r = plan_of(s->l, s->image, &plan, e);

	if (r < 0)
		return r;
	sbx_plan_set_instance(plan, (uint32_t)s->l->cfg->uid_base + s->index * SBX_FUNCTION_IDS,
			      s->tmp_bytes);
	r = sbx_start(plan, &place, &s->init, e);
	if (r == 0)
		r = watch_add(s->l->watches, &s->init_watch, s->init.pidfd, on_init_exit, s, e);
	return r;
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
	int r = sock_pair(SOCK_SEQPACKET, &s->control, &theirs[0], e), p[2];

	if (r == 0)
		r = sock_pair(SOCK_STREAM, &s->data, &theirs[1], e);
	if (r == 0 && pipe2(p, O_CLOEXEC) < 0)
		r = err_errno(e, "pipe");
	if (r < 0)
		return r;
	s->log = p[0];
	theirs[2] = p[1];
	r = set_nonblocking(s->data, e);
	return r < 0 ? r : set_nonblocking(s->log, e);
}

static void on_control(void *arg);

static int ask_zygote(struct slot *s, int net, const int theirs[3], struct err *e)
{
	int fds[SPAWN_FDS + CG_HIERARCHIES] = {
		[SPAWN_FD_INIT] = s->init.pidfd,
		[SPAWN_FD_NET] = net,
		[SPAWN_FD_CGROUP] = cg_clone_fd(&s->group),
		[SPAWN_FD_CONTROL] = theirs[0],
		[SPAWN_FD_DATA] = theirs[1],
		[SPAWN_FD_LOG] = theirs[2],
	};

	int n = 0, r = cg_tasks_open(&s->group, fds + SPAWN_FDS, &n, e);

	if (r == 0)
		r = zygote_spawn(s->l, s->image, s->index, fds, (size_t)(SPAWN_FDS + n),
				 &s->spawner, e);
	while (n > 0)
		fd_close(&fds[SPAWN_FDS + --n]);
	return r;
}

/* No zygote: a python of its own, which speaks the child's half from PARKED on. */
static int exec_python(struct slot *s, int net, const int theirs[3], struct err *e)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp",
					  "OPENBLAS_NUM_THREADS=1", NULL};
	const char *const argv[] = {s->l->host.python[s->image], "-I", "-B",
				    "/usr/lib/runtimed/exec.py", NULL};
	_cleanup_fd_ int drop = memfd_create("drop", MFD_CLOEXEC);
	struct sbx_place place = {
		.group = &s->group,
		.net_ns = net,
		.n_fds = GUEST_FD_DROP + 1,
		.fds = {s->l->host.null, theirs[2], theirs[2], theirs[1], theirs[0], drop},
	};
	int r = drop < 0 ? err_errno(e, "memfd_create")
			 : file_write_all(drop, s->l->host.function_drop,
					  sizeof(*s->l->host.function_drop), e);

	if (r == 0)
		r = sbx_enter(s->init.pidfd, &place, argv, env, &s->child, e);
	if (r == 0)
		r = watch_add(s->l->watches, &s->child_watch, s->child.pidfd, on_child_exit, s, e);
	if (r == 0)
		set_state(s, JOINING);
	return r;
}

static int build(struct slot *s, struct err *e)
{
	int theirs[3] = {-1, -1, -1}, r;
	_cleanup_fd_ int net = -1;

	r = make_group(s, e);
	if (r == 0)
		r = netpool_take(&s->l->net, &net, e);
	if (r == 0)
		r = make_sandbox(s, net, e);
	if (r == 0)
		r = make_lines(s, theirs, e);
	if (r == 0)
		r = watch_add(s->l->watches, &s->control_watch, s->control, on_control, s, e);
	if (r == 0)
		r = s->way == LAUNCH_EXECED ? exec_python(s, net, theirs, e)
					    : ask_zygote(s, net, theirs, e);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		fd_close(&theirs[i]);
	return r;
}

/* A free slot, or NULL: the core keeps the caps, so there is always one for what it may start. */
static struct slot *slot_get(struct launcher *l, uint32_t image, enum launch_way way,
			     uint64_t tmp_bytes)
{
	struct list *first = l->slots->free.next;
	struct slot *s;

	if (list_is_empty(&l->slots->free))
		return NULL;
	s = container_of(first, struct slot, link);
	s->image = image;
	s->way = way;
	s->tmp_bytes = tmp_bytes;
	set_state(s, SPAWNING);
	return s;
}

static void take(struct slot *s);

static void park(struct slot *s)
{
	set_state(s, PARKED);
	if (s->has_start)
		take(s);
}

bool slot_waits(const struct launcher *l, uint64_t index, const struct zygote *z)
{
	return index < l->slots->n_slots && l->slots->slot[index].spawner == z;
}

void slot_spawned(struct launcher *l, uint32_t index, pid_t pid, int *pidfd)
{
	struct slot *s = &l->slots->slot[index]; /* zygotes.c checked it with slot_waits() */
	struct err e = ERR_INIT;
	int r;

	s->spawner = NULL;
	s->child = (struct sbx_proc){.pid = pid, .pidfd = fd_steal(pidfd)};
	r = watch_add(l->watches, &s->child_watch, s->child.pidfd, on_child_exit, s, &e);
	if (s->state == ENDING) { /* stopped meanwhile; the group's kill may have come too early */
		(void)kill(pid, SIGKILL);
		return;
	}
	if (r < 0) {
		fail(s, &e);
		return;
	}
	set_state(s, JOINING);
	if (s->has_parked)
		park(s);
}

void slot_failed(struct launcher *l, uint32_t index, const struct err *e)
{
	struct slot *s = &l->slots->slot[index];

	s->spawner = NULL;
	if (s->state == ENDING)
		begin_end(s);
	else
		fail(s, e);
}

void slots_zygote_gone(struct launcher *l, const struct zygote *z)
{
	struct err e = ERR_INIT;

	err_set(&e, ECHILD, "the zygote died");
	for (uint32_t i = 0; i < l->slots->n_slots; i++)
		if (l->slots->slot[i].spawner == z)
			slot_failed(l, i, &e);
}

/* ---- taking ---- */

static int apply_limits(struct slot *s, struct err *e)
{
	struct cg_limits limits = {
		.memory_bytes = s->start.memory_bytes,
		.swap_off = true,
		.cpu_quota_us = s->start.cpu_quota_us,
		.cpu_period_us = s->start.cpu_quota_us ? CPU_PERIOD_US : 0,
		.pids_max = s->start.pids_max,
	};

	return cg_limit(&s->group, &limits, e);
}

static int send_take(struct slot *s, struct err *e)
{
	struct zygote_plain take = {.type = CHILD_TAKE, .at_us = clk_now_us()};
	_cleanup_fd_ int code = -1;
	int r = codestore_mount(s->l->code, s->start.code, &code, e);

	return r < 0 ? r : sock_send(s->control, &take, sizeof(take), &code, 1, e);
}

static int send_started(struct slot *s, struct err *e)
{
	struct launch_started m = {.type = LAUNCH_STARTED,
				   .way = (uint32_t)s->way,
				   .id = s->start.id,
				   .received_us = s->received_us,
				   .taken_us = clk_now_us()};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	int r = cg_meter_open(&s->group, &meter, e);
	int fds[LAUNCH_STARTED_FDS] = {
		[LAUNCH_FD_DATA] = s->data,
		[LAUNCH_FD_LOG] = s->log,
		[LAUNCH_FD_CPU_STAT] = meter.fd[CG_FD_CPU_STAT],
		[LAUNCH_FD_MEM_PEAK] = meter.fd[CG_FD_MEM_PEAK],
		[LAUNCH_FD_OOM] = meter.fd[CG_FD_OOM],
		[LAUNCH_FD_FREEZE] = meter.fd[CG_FD_FREEZE],
	};

	if (r < 0)
		return r;
	launcher_send(s->l, &m, sizeof(m), fds, LAUNCH_STARTED_FDS);
	fd_close(
		&s->data); /* the core's alone from now on: its close must be the guest's end of file */
	fd_close(&s->log);
	s->is_started = true;
	return 0;
}

static void take(struct slot *s)
{
	struct err e = ERR_INIT;
	int r = apply_limits(s, &e);

	if (r == 0)
		r = send_take(s, &e);
	if (r == 0)
		r = send_started(s, &e);
	if (r < 0)
		fail(s, &e);
	else
		set_state(s, SEALING);
}

static void on_child_message(struct slot *s, const union zygote_message *m, size_t len)
{
	struct err e = ERR_INIT;

	if (m->type == CHILD_PARKED && len == sizeof(m->plain) && s->state == JOINING) {
		park(s);
	} else if (m->type == CHILD_PARKED && len == sizeof(m->plain) && s->state == SPAWNING) {
		s->has_parked = true; /* it was faster than its zygote's answer */
	} else if (m->type == CHILD_SEALED && len == sizeof(m->plain) && s->state == SEALING) {
		set_state(s, RUNNING);
	} else if (m->type == CHILD_BROKEN && len == sizeof(m->broken) && m->broken.err.code) {
		e = m->broken.err;
		e.text[sizeof(e.text) - 1] = '\0';
		fail(s, &e);
	} else {
		err_set(&e, EPROTO, "message of type %u and %zu bytes from the instance", m->type,
			len);
		fail(s, &e);
	}
}

static void on_control(void *arg)
{
	struct slot *s = arg;
	union zygote_message m;
	struct err e = ERR_INIT;
	size_t len = 0;
	int r = sock_recv(s->control, &m, sizeof(m), &len, NULL, 0, NULL, &e);

	if (r == 0) {
		on_child_message(s, &m, len);
	} else if (r < 0) {
		fail(s, &e);
	} else if (r == SOCK_E_EOF) { /* sealed, or dying: then its pidfd tells */
		watch_drop(&s->control_watch);
		fd_close(&s->control);
	}
}

/* ---- from the core ---- */

/* A child that waits, or one that is being built for nobody. */
static struct slot *find_prepared(struct launcher *l, const struct launch_start *m)
{
	struct slots *ss = l->slots;

	if (m->way != LAUNCH_PREFORKED || m->tmp_bytes != DEFAULT_TMP_BYTES)
		return NULL;
	if (!list_is_empty(&ss->parked[m->image]))
		return container_of(ss->parked[m->image].next, struct slot, link);
	if (ss->n_building[m->image] == 0)
		return NULL;
	list_for_each (pos, &ss->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (is_building(s) && !s->has_start && s->image == m->image &&
		    s->way == LAUNCH_PREFORKED)
			return s;
	}
	return NULL;
}

void slots_start(struct launcher *l, const struct launch_start *m)
{
	struct slot *s = find_prepared(l, m);
	struct err e = ERR_INIT;
	bool is_new = !s;

	if (is_new)
		s = slot_get(l, m->image, m->way == LAUNCH_EXECED ? LAUNCH_EXECED : LAUNCH_FORKED,
			     m->tmp_bytes);
	if (!s) {
		err_set(&e, ENOSPC, "all %" PRIu32 " slots are in use", l->slots->n_slots);
		tell_failed(l, m->id, &e);
		return;
	}
	s->has_start = true;
	s->start = *m;
	s->received_us = clk_now_us();
	if (s->state == PARKED)
		take(s);
	else if (is_new && s->way == LAUNCH_FORKED && !zygote_is_ready(l, m->image))
		s->is_waiting = true;
	else if (is_new && build(s, &e) < 0)
		fail(s, &e);
}

void slots_stop(struct launcher *l, uint64_t id)
{
	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (s->has_start && s->start.id == id) {
			begin_end(s);
			return;
		}
	}
	/* Not there: its GONE or FAILED crossed this STOP on the way. */
}

/* ---- ahead of time ---- */

void slots_zygote_ready(struct launcher *l, uint32_t image)
{
	struct err e = ERR_INIT;

	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (!s->is_waiting || s->image != image || s->state == ENDING)
			continue;
		s->is_waiting = false;
		if (build(s, &e) < 0)
			fail(s, &e);
	}
}

bool slots_prepare(struct launcher *l)
{
	struct slots *ss = l->slots;
	struct err e = ERR_INIT;

	if (clk_now_us() < ss->prepare_after_us)
		return false;
	for (uint32_t i = 0; i < l->host.n_images; i++) {
		struct slot *s;

		if (!zygote_is_ready(l, i) || ss->n_building[i] >= BUILDING_MAX ||
		    ss->n_parked[i] + ss->n_building[i] >= l->cfg->prefork_children)
			continue;
		s = slot_get(l, i, LAUNCH_PREFORKED, DEFAULT_TMP_BYTES);
		if (!s)
			return false;
		if (build(s, &e) < 0)
			fail(s, &e);
		return true;
	}
	return netpool_refill(&l->net, &e) == 0;
}

bool slots_end(struct launcher *l)
{
	bool is_empty = true;

	for (uint32_t i = 0; l->slots && i < l->slots->n_slots; i++) {
		struct slot *s = &l->slots->slot[i];

		if (s->state != FREE && s->state != ENDING)
			begin_end(s);
		is_empty = is_empty && s->state == FREE;
	}
	return is_empty;
}

/* The pool: see pool.h. Instances and waiting invocations, by function version. */
#include "runtimed/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/core.h"
#include "runtimed/decide.h"
#include "runtimed/instance.h"
#include "runtimed/invocation.h"
#include "runtimed/link.h"
#include "runtimed/metrics.h"
#include "runtimed/package.h"
#include "runtimed/store.h"

#define SWEEP_MS 20 /* how late an instance may be frozen or ended */

/* An instance's id: a number that never comes again, and its place in pool.at[]. */
#define PLACE_BITS    20
#define PLACE_MASK    ((UINT64_C(1) << PLACE_BITS) - 1)

#define MB_PER_CORE   1769
#define CPU_PERIOD_US 100000

struct fnpool {
	struct list link;    /* all of the pool's */
	struct func *fn;     /* of its instances and invocations, which hold references */
	struct list idle;    /* most recently used first */
	struct list others;  /* asked, opening, busy, stopping */
	struct list waiting; /* invocations, oldest first */
	uint64_t n_instances, n_starting, n_waiting;
};

struct pool {
	struct core *core;
	struct instance **at; /* instances_max places */
	uint32_t n_places;
	uint64_t n_instances, n_idle, n_waiting;
	uint64_t n_asked_ever;
	struct list functions; /* struct fnpool */
	struct list idle;      /* all idle ones, least recently used first */
	struct list thawed;    /* the idle ones that are not frozen, oldest first */
	struct list throttled; /* refused invocations, to be told from the loop */
	uv_timer_t sweep;
	uv_idle_t tell;
	uint32_t n_handles;
	bool is_draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

uint64_t pool_cpu_quota_us(uint32_t memory_mb)
{
	uint64_t quota = (uint64_t)memory_mb * CPU_PERIOD_US / MB_PER_CORE;

	return quota > CPU_PERIOD_US ? quota : CPU_PERIOD_US;
}

/* ---- function versions ---- */

static struct fnpool *fnpool_of(struct pool *p, struct func *fn)
{
	struct fnpool *of = fn->pool;

	if (of)
		return of;
	of = calloc(1, sizeof(*of));
	if (!of)
		return NULL;
	of->fn = fn;
	list_init(&of->idle);
	list_init(&of->others);
	list_init(&of->waiting);
	list_add_tail(&p->functions, &of->link);
	fn->pool = of;
	return of;
}

static void fnpool_release(struct fnpool *of)
{
	if (of->n_instances > 0 || of->n_waiting > 0)
		return;
	of->fn->pool = NULL;
	list_del(&of->link);
	free(of);
}

static bool is_current(const struct pool *p, const struct func *fn)
{
	return !p->is_draining && funcs_find(p->core->funcs, fn->name) == fn;
}

/* ---- asking for instances ---- */

static int image_index(const struct core *core, const char *name)
{
	for (uint32_t i = 0; i < core->hello.n_images; i++)
		if (strcmp(core->hello.images[i].name, name) == 0)
			return (int)i;
	return -1;
}

static uint32_t free_place(const struct pool *p)
{
	uint32_t i = 0;

	while (i < p->n_places && p->at[i])
		i++;
	return i;
}

/* One more instance of the function; false if there is no place, memory or image for it. */
static bool ask(struct pool *p, struct fnpool *of)
{
	uint32_t place = free_place(p);
	int image = image_index(p->core, of->fn->image);
	struct instance *in;

	if (place == p->n_places || image < 0)
		return false;
	in = instance_ask(p->core, of->fn, p->n_asked_ever++ << PLACE_BITS | place,
			  (uint32_t)image);
	if (!in)
		return false;
	p->at[place] = in;
	in->of = of;
	list_add_tail(&of->others, &in->link);
	p->n_instances++;
	of->n_instances++;
	of->n_starting++;
	return true;
}

static struct instance *find(struct pool *p, uint64_t id)
{
	uint64_t place = id & PLACE_MASK;
	struct instance *in = place < p->n_places ? p->at[place] : NULL;

	return in && in->id == id ? in : NULL;
}

static void no_longer_idle(struct pool *p, struct instance *in)
{
	if (list_is_empty(&in->idle_link))
		return;
	p->n_idle--;
	list_del(&in->idle_link);
	list_del(&in->thaw_link);
	list_del(&in->link);
	list_add_tail(&in->of->others, &in->link);
}

static void stop(struct pool *p, struct instance *in)
{
	no_longer_idle(p, in);
	if (in->state == INSTANCE_ASKED || in->state == INSTANCE_OPENING)
		in->of->n_starting--;
	instance_stop(in);
}

static struct instance *least_recent_elsewhere(struct pool *p, const struct fnpool *of)
{
	list_for_each (pos, &p->idle) {
		struct instance *in = container_of(pos, struct instance, idle_link);

		if (in->of != of)
			return in;
	}
	return NULL;
}

static void refuse(struct pool *p, struct invocation *inv);

static void decide(struct pool *p, struct fnpool *of, struct invocation *inv)
{
	struct instance *victim = least_recent_elsewhere(p, of);
	struct pool_view view = {
		.n_instances = p->n_instances,
		.instances_max = p->n_places,
		.n_of_function = of->n_instances,
		.of_function_max = p->core->cfg.instances_per_function_max,
		.n_starting = of->n_starting,
		.n_waiting = of->n_waiting,
		.n_idle_elsewhere = victim ? 1 : 0,
		.n_queued = p->n_waiting,
		.queue_max = p->core->cfg.queue_max,
	};

	switch (pool_decide(&view)) {
	case POOL_START:
		(void)ask(p, of); /* else it waits: something will end */
		break;
	case POOL_EVICT_AND_START:
		stop(p, victim); /* its GONE starts the next: pool_gone() */
		break;
	case POOL_WAIT:
		break;
	case POOL_THROTTLE:
		if (inv)
			refuse(p, inv);
		break;
	}
}

/* ---- waiting ---- */

static void on_queue_deadline(uv_timer_t *timer);

static void enqueue(struct pool *p, struct fnpool *of, struct invocation *inv)
{
	list_add_tail(&of->waiting, &inv->link);
	of->n_waiting++;
	p->n_waiting++;
	p->core->metrics->queue_length = p->n_waiting;
	inv->queued_us = clk_now_us();
	(void)uv_timer_start(&inv->timer, on_queue_deadline,
			     p->core->cfg.queue_deadline_us / CLK_US_PER_MS, 0);
}

static void dequeue(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = inv->req.fn->pool;

	list_del(&inv->link);
	of->n_waiting--;
	p->n_waiting--;
	p->core->metrics->queue_length = p->n_waiting;
	(void)uv_timer_stop(&inv->timer);
}

static struct invocation *first_waiting(const struct fnpool *of)
{
	return list_is_empty(&of->waiting)
		       ? NULL
		       : container_of(of->waiting.next, struct invocation, link);
}

static void on_tell(uv_idle_t *h)
{
	struct pool *p = h->data;

	while (!list_is_empty(&p->throttled)) {
		struct invocation *inv = container_of(p->throttled.next, struct invocation, link);

		list_del(&inv->link);
		invocation_error(inv, OUTCOME_THROTTLED, "TooManyRequestsException",
				 "Rate Exceeded: no instance became free in time");
	}
	(void)uv_idle_stop(h);
}

/* Told from the loop: done() must not be called from within invoke_start(). */
static void refuse(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = inv->req.fn->pool;

	if (!list_is_empty(&inv->link))
		dequeue(p, inv);
	inv->is_throttled = true;
	list_add_tail(&p->throttled, &inv->link);
	(void)uv_idle_start(&p->tell, on_tell);
	if (of)
		fnpool_release(of);
}

static void on_queue_deadline(uv_timer_t *timer)
{
	struct invocation *inv = timer->data;
	struct pool *p = inv->core->pool;

	/* One that is coming is worth the wait; should it fail, the init timeout ends it. */
	if (inv->req.fn->pool->n_starting > 0)
		(void)uv_timer_start(timer, on_queue_deadline, SWEEP_MS, 0);
	else
		refuse(p, inv);
}

/* ---- serving ---- */

static void serve(struct pool *p, struct instance *in, struct invocation *inv)
{
	no_longer_idle(p, in);
	in->inv = inv;
	invocation_begin(inv, in);
	in->is_fresh = false;
	instance_serve(in, inv);
}

static void check_drained(struct pool *p)
{
	if (!p->is_draining || p->n_instances > 0 || !p->drained)
		return;
	p->drained(p->drained_arg);
	p->drained = NULL;
}

/* The instance has nothing to do: the next of its queue, or rest, or the end of an outdated one. */
static void rest(struct pool *p, struct instance *in)
{
	struct invocation *next = first_waiting(in->of);

	if (next) {
		dequeue(p, next);
		serve(p, in, next);
		return;
	}
	if (!is_current(p, in->fn)) {
		stop(p, in);
		return;
	}
	in->idle_since_us = clk_now_us();
	list_del(&in->link);
	list_add_head(&in->of->idle, &in->link);
	list_add_tail(&p->idle, &in->idle_link);
	list_add_tail(&p->thawed, &in->thaw_link);
	p->n_idle++;
}

void pool_submit(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = fnpool_of(p, inv->req.fn);

	if (!of || store_is_full(p->core->store) || p->is_draining) {
		refuse(p, inv);
		return;
	}
	if (!list_is_empty(&of->idle)) {
		serve(p, container_of(of->idle.next, struct instance, link), inv);
		return;
	}
	enqueue(p, of, inv);
	decide(p, of, inv);
}

void pool_forget(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = inv->req.fn->pool;

	dequeue(p, inv);
	invocation_error(inv, OUTCOME_THROTTLED, "TooManyRequestsException",
			 "the client went away while it waited");
	fnpool_release(of);
}

void pool_timeout(struct pool *p, struct invocation *inv)
{
	inv->is_timed_out = true;
	stop(p, inv->in); /* killed as a group; GONE ends the invocation */
}

struct invocation *pool_log_target(struct instance *in)
{
	if (in->inv || in->state != INSTANCE_OPENING)
		return in->inv;
	return first_waiting(in->of); /* what is printed at import belongs to who waits for it */
}

/* ---- what instances tell ---- */

void pool_instance_ready(struct instance *in)
{
	in->of->n_starting--;
	rest(in->core->pool, in);
}

void pool_instance_bad_init(struct instance *in, const char *error, size_t n)
{
	struct pool *p = in->core->pool;
	struct invocation *inv = first_waiting(in->of);

	instance_drain_log(in);
	stop(p, in);
	if (!inv)
		return;
	dequeue(p, inv);
	invocation_answer(inv, OUTCOME_INIT_ERROR, error, n);
}

/* What the group used since the last time. */
static void measure(struct instance *in, struct record *rec)
{
	uint64_t cpu_us = in->cpu_seen_us;
	struct err e = ERR_INIT;

	(void)cg_meter_cpu_us(&in->meter, &cpu_us, &e);
	(void)cg_meter_memory_peak_bytes(&in->meter, &rec->memory_peak_bytes, &e);
	(void)cg_meter_reset_peak(&in->meter, &e);
	rec->cpu_us = cpu_us - in->cpu_seen_us;
	in->cpu_seen_us = cpu_us;
}

void pool_instance_result(struct instance *in, const struct guest_result *res, const char *payload,
			  size_t n)
{
	struct invocation *inv = in->inv;

	instance_drain_log(in);
	in->inv = NULL;
	inv->rec.handler_us = res->ended_us > res->started_us ? res->ended_us - res->started_us : 0;
	measure(in, &inv->rec);
	invocation_answer(inv, res->status == GUEST_OK ? OUTCOME_OK : OUTCOME_USER_ERROR, payload,
			  n);
	rest(in->core->pool, in);
}

/* ---- what the launcher tells ---- */

void pool_started(struct core *core, const struct launch_started *m, int *fds)
{
	struct instance *in = find(core->pool, m->id);

	if (in)
		instance_open(in, m, fds);
}

/* How a dead process ended, for the one who waited for it. */
static void tell_death(struct invocation *inv, const struct instance *in,
		       const struct launch_gone *m, bool is_init)
{
	const char *when = is_init ? " while importing" : "";

	if (m->err.code)
		invocation_error(inv, OUTCOME_INIT_ERROR, "Sandbox.StartError", "start '%s': %s",
				 in->fn->name, m->err.text);
	else if (m->oom_kills > 0)
		invocation_error(inv, OUTCOME_OOM, "Runtime.OutOfMemory",
				 "Memory limit of %" PRIu32 " MB exceeded%s: the kernel killed the "
				 "process at a peak of %" PRIu64 " bytes",
				 in->fn->memory_mb, when, m->memory_peak_bytes);
	else if (m->signal)
		invocation_error(inv, OUTCOME_EXIT, "Runtime.ExitError",
				 "Runtime exited%s with error: signal: %d (%s)", when, m->signal,
				 strsignal(m->signal));
	else
		invocation_error(inv, OUTCOME_EXIT, "Runtime.ExitError",
				 "Runtime exited%s with error: exit status %d", when, m->exit_code);
}

static void end_running(struct instance *in, const struct launch_gone *m)
{
	struct invocation *inv = in->inv;
	uint64_t now = clk_now_us(), began;

	in->inv = NULL;
	began = inv->deadline_us - (uint64_t)inv->req.fn->timeout_ms * CLK_US_PER_MS;
	inv->rec.handler_us = (inv->is_timed_out ? inv->deadline_us : now) - began;
	inv->rec.memory_peak_bytes = m->memory_peak_bytes;
	inv->rec.cpu_us = m->cpu_us > in->cpu_seen_us ? m->cpu_us - in->cpu_seen_us : 0;
	if (inv->is_timed_out)
		invocation_error(inv, OUTCOME_TIMEOUT, "Sandbox.Timedout",
				 "Task timed out after %" PRIu32 ".%02" PRIu32 " seconds",
				 inv->req.fn->timeout_ms / 1000,
				 inv->req.fn->timeout_ms % 1000 / 10);
	else
		tell_death(inv, in, m, false);
}

/* It died before it was ready, and somebody waits for it: one invocation bears one failed start. */
static void end_starting(struct pool *p, struct instance *in, const struct launch_gone *m)
{
	struct invocation *inv = first_waiting(in->of);

	if (!inv)
		return;
	dequeue(p, inv);
	inv->rec.memory_peak_bytes = m->memory_peak_bytes;
	inv->rec.cpu_us = m->cpu_us;
	if (in->is_late)
		invocation_error(inv, OUTCOME_INIT_ERROR, "Sandbox.Timedout",
				 "Init timed out after %" PRIu64 " ms",
				 p->core->cfg.init_timeout_us / CLK_US_PER_MS);
	else
		tell_death(inv, in, m, true);
}

/* A place became free: whoever waits may have it. */
static void start_for_waiting(struct pool *p)
{
	list_for_each (pos, &p->functions) {
		struct fnpool *of = container_of(pos, struct fnpool, link);

		if (of->n_waiting > of->n_starting)
			decide(p, of, NULL);
	}
}

static void remove_instance(struct pool *p, struct instance *in)
{
	struct fnpool *of = in->of;
	struct func *fn = func_ref(in->fn);

	no_longer_idle(p, in);
	p->at[in->id & PLACE_MASK] = NULL;
	p->n_instances--;
	of->n_instances--;
	instance_free(in);
	if (of->n_waiting > 0)
		decide(p, of, NULL);
	fnpool_release(of);
	start_for_waiting(p);
	package_gc(p->core, fn->code_sha256);
	func_unref(fn);
	check_drained(p);
}

void pool_gone(struct core *core, const struct launch_gone *m)
{
	struct pool *p = core->pool;
	struct instance *in = find(p, m->id);
	bool was_starting;

	if (!in)
		return;
	was_starting = in->state == INSTANCE_ASKED || in->state == INSTANCE_OPENING || in->is_late;
	instance_drain_log(in);
	if (in->state == INSTANCE_ASKED || in->state == INSTANCE_OPENING)
		in->of->n_starting--;
	if (in->inv)
		end_running(in, m);
	else if (was_starting)
		end_starting(p, in, m);
	remove_instance(p, in);
}

void pool_failed(struct core *core, const struct launch_failed *m)
{
	struct launch_gone gone = {.type = LAUNCH_GONE, .id = m->id, .err = m->err};

	gone.err.text[sizeof(gone.err.text) - 1] = '\0';
	if (gone.err.code == 0)
		gone.err.code = ECANCELED;
	core->metrics->starts_failed++;
	pool_gone(core, &gone);
}

/* ---- by the clock ---- */

static void freeze_resting(struct pool *p, uint64_t now)
{
	while (!list_is_empty(&p->thawed)) {
		struct instance *in = container_of(p->thawed.next, struct instance, thaw_link);

		if (now - in->idle_since_us < p->core->cfg.freeze_after_us)
			return;
		list_del(&in->thaw_link);
		instance_freeze(in, true);
	}
}

static void end_old(struct pool *p, uint64_t now)
{
	list_for_each (pos, &p->idle) {
		struct instance *in = container_of(pos, struct instance, idle_link);

		if (now - in->idle_since_us < p->core->cfg.keep_alive_us && is_current(p, in->fn))
			return;
		stop(p, in);
	}
}

static void end_late(struct pool *p, uint64_t now)
{
	for (uint32_t i = 0; i < p->n_places; i++) {
		struct instance *in = p->at[i];

		if (!in || now - in->asked_us < p->core->cfg.init_timeout_us ||
		    (in->state != INSTANCE_ASKED && in->state != INSTANCE_OPENING))
			continue;
		stop(p, in);
		in->is_late = true;
	}
}

static void on_sweep(uv_timer_t *timer)
{
	struct pool *p = timer->data;
	uint64_t now = clk_now_us();

	freeze_resting(p, now);
	end_old(p, now);
	end_late(p, now);
}

void pool_registry_changed(struct core *core)
{
	struct pool *p = core->pool;

	list_for_each (pos, &p->idle) {
		struct instance *in = container_of(pos, struct instance, idle_link);

		if (!is_current(p, in->fn))
			stop(p, in);
	}
}

bool pool_uses_code(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN])
{
	struct pool *p = core->pool;

	list_for_each (pos, &p->functions) {
		const struct fnpool *of = container_of(pos, struct fnpool, link);

		if (memcmp(of->fn->code_sha256, sha256, LAUNCH_SHA256_LEN) == 0)
			return true;
	}
	return false;
}

/* ---- open, drain, close ---- */

int pool_open(struct core *core, struct pool **ret, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p || !(p->at = calloc(core->cfg.instances_max, sizeof(struct instance *)))) {
		free(p);
		return err_set(e, ENOMEM, "pool of %" PRIu64 " instances", core->cfg.instances_max);
	}
	p->core = core;
	p->n_places = (uint32_t)core->cfg.instances_max;
	list_init(&p->functions);
	list_init(&p->idle);
	list_init(&p->thawed);
	list_init(&p->throttled);
	(void)uv_timer_init(&core->loop, &p->sweep);
	(void)uv_idle_init(&core->loop, &p->tell);
	p->n_handles = 2;
	p->sweep.data = p->tell.data = p;
	(void)uv_timer_start(&p->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	*ret = p;
	return 0;
}

void pool_drain(struct pool *p, void (*done)(void *arg), void *arg)
{
	p->is_draining = true;
	p->drained = done;
	p->drained_arg = arg;
	for (uint32_t i = 0; i < p->n_places; i++)
		if (p->at[i] && !p->at[i]->inv)
			stop(p, p->at[i]);
	check_drained(p);
}

static void on_closed(uv_handle_t *h)
{
	struct pool *p = h->data;

	if (--p->n_handles > 0)
		return;
	free(p->at);
	free(p);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	on_tell(&p->tell);
	uv_close((uv_handle_t *)&p->sweep, on_closed);
	uv_close((uv_handle_t *)&p->tell, on_closed);
}

/* The pool: see pool.h. Instances and waiting invocations, by function version. */
#include "runtimed/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/core.h"
#include "runtimed/decide.h"
#include "runtimed/pool_private.h"
#include "runtimed/store.h"

#define MB_PER_CORE   1769
#define CPU_PERIOD_US 100000

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

void fnpool_release(struct fnpool *of)
{
	if (of->n_instances > 0 || of->n_waiting > 0 || of->n_evicting > 0)
		return;
	of->fn->pool = NULL;
	list_del(&of->link);
	free(of);
}

bool pool_is_current(const struct pool *p, const struct func *fn)
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
	in = instance_ask(p->core, of->fn, p->n_asked_ever++ << POOL_PLACE_BITS | place,
			  (uint32_t)image);
	if (!in)
		return false;
	p->at[place] = in;
	in->of = of;
	list_add_tail(&of->others, &in->link);
	p->n_instances++;
	of->n_instances++;
	of->n_starting++;
	in->is_starting = true;
	return true;
}

void pool_no_longer_idle(struct pool *p, struct instance *in)
{
	if (list_is_empty(&in->idle_link))
		return;
	p->n_idle--;
	list_del(&in->idle_link);
	list_del(&in->thaw_link);
	list_del(&in->link);
	list_add_tail(&in->of->others, &in->link);
}

void pool_no_longer_starting(struct instance *in)
{
	if (!in->is_starting)
		return;
	in->is_starting = false;
	in->of->n_starting--;
}

void pool_stop(struct pool *p, struct instance *in)
{
	pool_no_longer_idle(p, in);
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

static void evict(struct pool *p, struct instance *victim, struct fnpool *of)
{
	victim->evicted_for = of; /* its GONE makes the place: pool_events.c */
	of->n_evicting++;
	pool_stop(p, victim);
}

static enum pool_verdict decide(struct pool *p, struct fnpool *of)
{
	struct instance *victim = least_recent_elsewhere(p, of);
	struct pool_view view = {
		.n_instances = p->n_instances,
		.instances_max = p->n_places,
		.n_of_function = of->n_instances,
		.of_function_max = p->core->cfg.instances_per_function_max,
		.n_starting = of->n_starting + of->n_evicting,
		.n_waiting = of->n_waiting,
		.n_idle_elsewhere = victim ? 1 : 0,
		.n_queued = p->n_waiting,
		.queue_max = p->core->cfg.queue_max,
	};
	enum pool_verdict verdict = pool_decide(&view);

	if (verdict == POOL_START)
		(void)ask(p, of); /* out of memory: it waits, something will end */
	else if (verdict == POOL_EVICT_AND_START)
		evict(p, victim, of);
	return verdict;
}

void pool_decide_for(struct pool *p, struct fnpool *of)
{
	if (of->n_waiting > of->n_starting + of->n_evicting)
		(void)decide(p, of); /* who waits already is not refused any more */
}

void pool_decide_for_all(struct pool *p)
{
	if (p->n_waiting == 0)
		return;
	list_for_each (pos, &p->functions)
		pool_decide_for(p, container_of(pos, struct fnpool, link));
}

/* ---- serving ---- */

static void serve(struct pool *p, struct instance *in, struct invocation *inv)
{
	pool_no_longer_idle(p, in);
	in->inv = inv;
	invocation_begin(inv, in);
	in->is_fresh = false;
	instance_serve(in, inv);
}

void pool_check_drained(struct pool *p)
{
	if (!p->is_draining || p->n_instances > 0 || !p->drained)
		return;
	p->drained(p->drained_arg);
	p->drained = NULL;
}

/* The instance has nothing to do: the next of its queue, or rest, or the end of an outdated one. */
void pool_rest(struct pool *p, struct instance *in)
{
	struct invocation *next = fnpool_first_waiting(in->of);

	if (next) {
		pool_dequeue(p, next);
		serve(p, in, next);
		return;
	}
	if (!pool_is_current(p, in->fn)) {
		pool_stop(p, in);
		return;
	}
	in->idle_since_us = clk_now_us();
	in->idle_log_bytes = 0;
	list_del(&in->link);
	list_add_head(&in->of->idle, &in->link);
	list_add_tail(&p->idle, &in->idle_link);
	list_add_tail(&p->thawed, &in->thaw_link);
	p->n_idle++;
	pool_decide_for_all(p); /* it may have to make room for somebody */
}

void pool_submit(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = fnpool_of(p, inv->req.fn);

	if (!of || store_is_full(p->core->store) || p->is_draining) {
		pool_refuse(p, inv, OUTCOME_THROTTLED);
	} else if (image_index(p->core, inv->req.fn->image) < 0) {
		pool_refuse(p, inv, OUTCOME_INIT_ERROR);
	} else if (!list_is_empty(&of->idle)) {
		serve(p, container_of(of->idle.next, struct instance, link), inv);
	} else {
		pool_enqueue(p, of, inv);
		if (decide(p, of) == POOL_THROTTLE)
			pool_refuse(p, inv, OUTCOME_THROTTLED);
	}
}

void pool_timeout(struct pool *p, struct invocation *inv)
{
	inv->is_timed_out = true;
	pool_stop(p, inv->in); /* killed as a group; GONE ends the invocation */
}

struct invocation *pool_log_target(struct instance *in)
{
	if (in->inv || in->state != INSTANCE_OPENING)
		return in->inv;
	return fnpool_first_waiting(
		in->of); /* what is printed at import belongs to who waits for it */
}

void pool_registry_changed(struct core *core)
{
	struct pool *p = core->pool;

	list_for_each (pos, &p->idle) {
		struct instance *in = container_of(pos, struct instance, idle_link);

		if (!pool_is_current(p, in->fn))
			pool_stop(p, in);
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
	list_init(&p->refused);
	(void)uv_idle_init(&core->loop, &p->tell);
	p->tell.data = p;
	p->n_handles = 1;
	pool_sweep_start(p);
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
			pool_stop(p, p->at[i]);
	pool_check_drained(p);
}

/* The end has come for what still waits or runs: each is answered and recorded. */
static void abandon(struct pool *p)
{
	pool_tell_refused(p);
	list_for_each (pos, &p->functions) {
		struct fnpool *of = container_of(pos, struct fnpool, link);
		struct invocation *inv;

		while ((inv = fnpool_first_waiting(of))) {
			pool_dequeue(p, inv);
			invocation_error(inv, OUTCOME_THROTTLED, "ServiceException",
					 "the daemon stopped");
		}
	}
	for (uint32_t i = 0; i < p->n_places; i++) {
		struct instance *in = p->at[i];

		if (!in)
			continue;
		if (in->inv)
			invocation_error(in->inv, OUTCOME_EXIT, "ServiceException",
					 "the daemon stopped");
		in->inv = NULL;
		pool_no_longer_idle(p, in);
		instance_free(in);
	}
}

static void on_closed(uv_handle_t *h)
{
	struct pool *p = h->data;

	if (--p->n_handles > 0)
		return;
	list_for_each (pos, &p->functions)
		free(container_of(pos, struct fnpool, link));
	free(p->at);
	free(p);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	abandon(p);
	uv_close((uv_handle_t *)&p->sweep, on_closed);
	uv_close((uv_handle_t *)&p->tell, on_closed);
}

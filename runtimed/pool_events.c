/*
 * What instances, launcher and clock tell the pool. See pool.h.
 *
 * An instance may end in any state: on_end() is the one place that settles what it owed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/core.h"
#include "runtimed/metrics.h"
#include "runtimed/package.h"
#include "runtimed/pool.h"
#include "runtimed/pool_private.h"

#define SWEEP_MS 20 /* how late an instance may be frozen or ended */

/* ---- what instances tell ---- */

void pool_instance_ready(struct instance *in)
{
	pool_no_longer_starting(in);
	pool_rest(in->core->pool, in);
}

void pool_instance_broken(struct instance *in)
{
	pool_stop(in->core->pool, in);
}

void pool_instance_bad_init(struct instance *in, const char *error, size_t n)
{
	struct pool *p = in->core->pool;
	struct invocation *inv = fnpool_first_waiting(in->of);

	instance_drain_log(in);
	pool_no_longer_starting(in); /* it has told why: its end is nobody's failure any more */
	pool_stop(p, in);
	if (!inv)
		return;
	pool_dequeue(p, inv);
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
	(void)cg_meter_oom_kills(&in->meter, &in->oom_seen, &e);
	rec->cpu_us = cpu_us - in->cpu_seen_us;
	in->cpu_seen_us = cpu_us;
}

/* The time is ours: what the guest says of itself could be what its tenant wants to pay. */
void pool_instance_result(struct instance *in, const struct guest_result *res, const char *payload,
			  size_t n)
{
	struct invocation *inv = in->inv;

	inv->rec.handler_us = clk_now_us() - inv->begun_us;
	instance_drain_log(in);
	in->inv = NULL;
	measure(in, &inv->rec);
	invocation_answer(inv, res->status == GUEST_OK ? OUTCOME_OK : OUTCOME_USER_ERROR, payload,
			  n);
	pool_rest(in->core->pool, in);
}

/* ---- what the launcher tells ---- */

static struct instance *find(struct pool *p, uint64_t id)
{
	uint64_t place = id & POOL_PLACE_MASK;
	struct instance *in = place < p->n_places ? p->at[place] : NULL;

	return in && in->id == id ? in : NULL;
}

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
	else if (m->oom_kills > in->oom_seen)
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

	in->inv = NULL;
	inv->rec.handler_us = (inv->is_timed_out ? inv->deadline_us : clk_now_us()) - inv->begun_us;
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
	struct invocation *inv = fnpool_first_waiting(in->of);

	if (!inv)
		return;
	pool_dequeue(p, inv);
	inv->rec.memory_peak_bytes = m->memory_peak_bytes;
	inv->rec.cpu_us = m->cpu_us;
	if (in->is_late)
		invocation_error(inv, OUTCOME_INIT_ERROR, "Sandbox.Timedout",
				 "Init timed out after %" PRIu64 " ms",
				 p->core->cfg.init_timeout_us / CLK_US_PER_MS);
	else
		tell_death(inv, in, m, true);
}

static void remove_instance(struct pool *p, struct instance *in)
{
	struct fnpool *of = in->of, *favoured = in->evicted_for;
	struct func *fn = func_ref(in->fn);

	pool_no_longer_idle(p, in);
	p->at[in->id & POOL_PLACE_MASK] = NULL;
	p->n_instances--;
	of->n_instances--;
	instance_free(in);
	if (favoured) { /* first: the place was made for it */
		favoured->n_evicting--;
		pool_decide_for(p, favoured);
		fnpool_release(favoured);
	}
	pool_decide_for(p, of);
	fnpool_release(of);
	pool_decide_for_all(p);
	package_gc(p->core, fn->code_sha256);
	func_unref(fn);
	pool_check_drained(p);
}

/* Its end, whatever it was doing. */
static void on_end(struct pool *p, struct instance *in, const struct launch_gone *m)
{
	bool was_starting = in->is_starting;

	instance_drain_log(in);
	pool_no_longer_starting(in);
	if (in->inv)
		end_running(in, m);
	else if (was_starting && !p->is_draining)
		end_starting(p, in, m);
	remove_instance(p, in);
}

void pool_gone(struct core *core, const struct launch_gone *m)
{
	struct instance *in = find(core->pool, m->id);

	if (in)
		on_end(core->pool, in, m);
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

		if (now - in->idle_since_us < p->core->cfg.keep_alive_us &&
		    pool_is_current(p, in->fn))
			return;
		pool_stop(p, in);
	}
}

static void end_late(struct pool *p, uint64_t now)
{
	for (uint32_t i = 0; i < p->n_places; i++) {
		struct instance *in = p->at[i];

		if (!in || !in->is_starting || in->is_late ||
		    now - in->asked_us < p->core->cfg.init_timeout_us)
			continue;
		in->is_late = true;
		pool_stop(p, in);
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

void pool_sweep_start(struct pool *p)
{
	(void)uv_timer_init(&p->core->loop, &p->sweep);
	p->sweep.data = p;
	p->n_handles++;
	(void)uv_timer_start(&p->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

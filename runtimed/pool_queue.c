/*
 * Who waits for an instance, and who is refused one. See pool.h.
 *
 * An invocation leaves the queue in one of four ways: it is served (pool.c), its instance failed to start
 * (pool_events.c), its time is over, or its client went away.
 */
#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/core.h"
#include "runtimed/metrics.h"
#include "runtimed/pool.h"
#include "runtimed/pool_private.h"

/* How often one that waits beyond its deadline looks whether its instance is still coming. */
#define STILL_COMING_MS 20

static void on_queue_deadline(uv_timer_t *timer);

void pool_enqueue(struct pool *p, struct fnpool *of, struct invocation *inv)
{
	list_add_tail(&of->waiting, &inv->link);
	of->n_waiting++;
	p->n_waiting++;
	p->core->metrics->queue_length = p->n_waiting;
	inv->queued_us = clk_now_us();
	(void)uv_timer_start(&inv->timer, on_queue_deadline,
			     p->core->cfg.queue_deadline_us / CLK_US_PER_MS, 0);
}

void pool_dequeue(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = inv->req.fn->pool;

	list_del(&inv->link);
	of->n_waiting--;
	p->n_waiting--;
	p->core->metrics->queue_length = p->n_waiting;
	(void)uv_timer_stop(&inv->timer);
}

struct invocation *fnpool_first_waiting(const struct fnpool *of)
{
	return list_is_empty(&of->waiting)
		       ? NULL
		       : container_of(of->waiting.next, struct invocation, link);
}

static void tell(struct invocation *inv)
{
	if (inv->refused == OUTCOME_THROTTLED)
		invocation_error(inv, OUTCOME_THROTTLED, "TooManyRequestsException",
				 "Rate Exceeded: no instance became free in time");
	else
		invocation_error(inv, inv->refused, "Sandbox.StartError",
				 "start '%s': image '%s' is not in the store", inv->req.fn->name,
				 inv->req.fn->image);
}

void pool_tell_refused(struct pool *p)
{
	while (!list_is_empty(&p->refused)) {
		struct invocation *inv = container_of(p->refused.next, struct invocation, link);

		list_del(&inv->link);
		tell(inv);
	}
	(void)uv_idle_stop(&p->tell);
}

static void on_tell(uv_idle_t *h)
{
	pool_tell_refused(h->data);
}

void pool_refuse(struct pool *p, struct invocation *inv, enum outcome why)
{
	struct fnpool *of = inv->req.fn->pool;

	if (!list_is_empty(&inv->link))
		pool_dequeue(p, inv);
	inv->refused = why;
	list_add_tail(&p->refused, &inv->link);
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
		(void)uv_timer_start(timer, on_queue_deadline, STILL_COMING_MS, 0);
	else
		pool_refuse(p, inv, OUTCOME_THROTTLED);
}

void pool_forget(struct pool *p, struct invocation *inv)
{
	struct fnpool *of = inv->req.fn->pool;

	pool_dequeue(p, inv);
	fnpool_release(of); /* before the invocation's reference to the function goes */
	invocation_error(inv, OUTCOME_THROTTLED, "TooManyRequestsException",
			 "the client went away while it waited");
}

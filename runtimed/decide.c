#include "runtimed/decide.h"

enum pool_verdict pool_decide(const struct pool_view *v)
{
	bool may_start = v->n_starting < v->n_waiting && v->n_of_function < v->of_function_max;

	if (may_start && v->n_instances < v->instances_max)
		return POOL_START;
	if (may_start && v->n_idle_elsewhere > 0)
		return POOL_EVICT_AND_START;
	return v->n_queued > v->queue_max ? POOL_THROTTLE : POOL_WAIT;
}

#include "runtimed/decide.h"

enum pool_verdict pool_decide(const struct pool_view *v)
{
	if (v->n_queued > v->queue_max)
		return POOL_THROTTLE;
	if (v->n_starting >= v->n_waiting || v->n_of_function >= v->of_function_max)
		return POOL_WAIT;
	if (v->n_instances < v->instances_max)
		return POOL_START;
	return v->n_idle_elsewhere > 0 ? POOL_EVICT_AND_START : POOL_WAIT;
}

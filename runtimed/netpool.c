#include "runtimed/netpool.h"

#include "base/fd.h"
#include "sandbox/sandbox.h"

int netpool_take(struct netpool *p, int *ret_ns, struct err *e)
{
	if (p->n == 0)
		return sbx_net_create(ret_ns, e);
	*ret_ns = p->ns[--p->n];
	return 0;
}

int netpool_refill(struct netpool *p, struct err *e)
{
	int r;

	if (p->n == NETPOOL_SIZE)
		return NETPOOL_E_FULL;
	r = sbx_net_create(&p->ns[p->n], e);
	if (r == 0)
		p->n++;
	return r;
}

void netpool_fini(struct netpool *p)
{
	while (p->n > 0)
		fd_close(&p->ns[--p->n]);
}

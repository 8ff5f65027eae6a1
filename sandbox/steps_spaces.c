/* Steps inside of the new namespaces, mounts excepted: see steps.h. */
#include "sandbox/steps.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/net.h"
#include "sandbox/spaces.h"

/* After the parent has put us into all our groups: they become the root that is seen inside. */
int step_cgroup(struct child *c, struct err *e)
{
	int existing = c->birth->cgroup_ns;

	if (existing >= 0)
		return setns(existing, CLONE_NEWCGROUP) == 0 ? 0 : err_errno(e, "join it");
	return unshare(CLONE_NEWCGROUP) == 0 ? 0 : err_errno(e, "unshare");
}

int step_time(struct child *c, struct err *e)
{
	return c->plan->has_time_offsets ? spaces_time(c->plan, e) : 0;
}

/* A network namespace that was joined is its maker's business. */
int step_loopback(struct child *c, struct err *e)
{
	return c->place->net_ns < 0 && c->plan->namespaces & CLONE_NEWNET ? net_loopback_up(e) : 0;
}

int step_sysctls(struct child *c, struct err *e)
{
	return spaces_sysctls(c->plan, e);
}

int step_names(struct child *c, struct err *e)
{
	const char *host = c->plan->hostname, *domain = c->plan->domainname;

	if (host && sethostname(host, strlen(host)) < 0)
		return err_errno(e, "hostname '%s'", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return err_errno(e, "domainname '%s'", domain);
	return 0;
}

/*
 * config.json: linux.resources, as limits of a group. See plan_oci.h.
 *
 * A limit that we cannot set is refused. In this document -1 means "no limit", and so does absence.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define DEVICES_MAX 256
#define PERIOD_MAX  1000000
#define QUOTA_MIN   1000
#define SHARES_MIN  2
#define SHARES_MAX  262144
#define WEIGHT_MAX  10000

static int memory(struct oci *o, const struct node *resources, struct err *e)
{
	static const char *const unsupported[] = {"reservation", "kernel",	     "kernelTCP",
						  "swappiness",	 "disableOOMKiller", NULL};
	struct node n = node_get(resources, "memory"), limit = node_get(&n, "limit"),
		    swap = node_get(&n, "swap");
	int64_t bytes = 0, with_swap = 0;
	struct cg_limits *l = &o->plan->limits;
	int r = node_object(&n, e);

	if (r == 0)
		r = node_refuse(&n, unsupported, e);
	if (r == 0)
		r = node_number(&limit, -1, NODE_NUMBER_MAX, &bytes, e);
	if (r == 0)
		r = node_number(&swap, -1, NODE_NUMBER_MAX, &with_swap, e);
	if (r < 0)
		return r;
	if (bytes > 0)
		l->memory_bytes = (uint64_t)bytes;
	/* swap is the sum of both; 0 and -1 leave it unlimited. */
	if (with_swap <= 0)
		return 0;
	if (bytes <= 0 || with_swap < bytes)
		return node_fail(&swap, e, "memory and swap together: not below limit");
	l->swap_bytes = (uint64_t)(with_swap - bytes);
	l->swap_off = with_swap == bytes;
	return 0;
}

/* The same ratios on v1 and v2: 1024 shares, the kernel's default, are its default weight of 100. */
static uint64_t weight_of(int64_t shares)
{
	uint64_t weight = ((uint64_t)shares * 100 + 512) / 1024;

	return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
}

static int cpu(struct oci *o, const struct node *resources, struct err *e)
{
	static const char *const unsupported[] = {
		"burst", "idle", "realtimeRuntime", "realtimePeriod", "cpus", "mems", NULL};
	struct node n = node_get(resources, "cpu"), shares = node_get(&n, "shares"),
		    quota = node_get(&n, "quota"), period = node_get(&n, "period");
	int64_t share = 0, quota_us = 0, period_us = 0;
	struct cg_limits *l = &o->plan->limits;
	int r = node_object(&n, e);

	if (r == 0)
		r = node_refuse(&n, unsupported, e);
	if (r == 0)
		r = node_number(&shares, 0, SHARES_MAX, &share, e);
	if (r == 0)
		r = node_number(&quota, -1, INT64_MAX / 1000, &quota_us, e);
	if (r == 0)
		r = node_number(&period, 0, PERIOD_MAX, &period_us, e);
	if (r < 0)
		return r;
	if (share > 0 && share < SHARES_MIN)
		return node_fail(&shares, e, "not a number in %d..%d", SHARES_MIN, SHARES_MAX);
	if (quota_us > 0 && quota_us < QUOTA_MIN)
		return node_fail(&quota, e, "less than %d us", QUOTA_MIN);
	if (period_us > 0 && period_us < QUOTA_MIN)
		return node_fail(&period, e, "not a number in %d..%d", QUOTA_MIN, PERIOD_MAX);
	l->cpu_weight = share > 0 ? weight_of(share) : 0;
	l->cpu_quota_us = quota_us > 0 ? (uint64_t)quota_us : 0;
	l->cpu_period_us = (uint64_t)period_us;
	return 0;
}

static int pids(struct oci *o, const struct node *resources, struct err *e)
{
	struct node n = node_get(resources, "pids"), limit = node_get(&n, "limit");
	int64_t max = -1;
	int r = node_object(&n, e);

	if (r == 0 && n.json)
		r = node_need(&limit, e);
	if (r == 0)
		r = node_number(&limit, -1, INT32_MAX, &max, e);
	if (r == 0 && max == 0)
		r = node_fail(&limit, e, "0: no process could start");
	if (r == 0 && max > 0)
		o->plan->limits.pids_max = (uint64_t)max;
	return r;
}

/*
 * The one rule we can promise is the one that `runc spec` writes, "deny all": there is no device controller
 * here, but a sandbox has no CAP_MKNOD (plan_oci.c), its root opens no nodes, and so it reaches the
 * devices that were bound into it and no others. A list that allows some would need the controller.
 */
static int devices(const struct node *resources, struct err *e)
{
	struct node list = node_get(resources, "devices");
	size_t n;
	int r = node_list(&list, DEVICES_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node rule = node_at(&list, i), allow = node_get(&rule, "allow"),
			    type = node_get(&rule, "type"), access = node_get(&rule, "access"),
			    major = node_get(&rule, "major"), minor = node_get(&rule, "minor");
		const char *kind = "a", *what = "rwm";
		bool is_allowed = false;

		r = node_bool(&allow, &is_allowed, e);
		if (r == 0)
			r = node_text(&type, &kind, e);
		if (r == 0)
			r = node_text(&access, &what, e);
		if (r == 0 && (is_allowed || !str_is(kind, "a") || !str_is(what, "rwm") ||
			       major.json || minor.json))
			r = node_fail(&rule, e, "only the rule that denies all is supported");
	}
	return r;
}

int oci_resources(struct oci *o, const struct node *resources, struct err *e)
{
	static const char *const unsupported[] = {"blockIO", "hugepageLimits", "network",
						  "rdma",    "unified",	       NULL};
	int r = node_object(resources, e);

	if (r == 0)
		r = node_refuse(resources, unsupported, e);
	if (r == 0)
		r = devices(resources, e);
	if (r == 0)
		r = memory(o, resources, e);
	if (r == 0)
		r = cpu(o, resources, e);
	return r < 0 ? r : pids(o, resources, e);
}

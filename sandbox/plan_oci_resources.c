/*
 * config.json: linux.resources, the members that are a number or a text. See plan_oci.h; the lists are in
 * plan_oci_lists.c.
 *
 * What is checked here is what no host could do. What this one cannot do turns out when the group is limited.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_resources.h"
#include "sandbox/plan_oci_lists.h"

#define CPUS_MAX     4095 /* bytes; a page */
#define PERIOD_MIN   1000
#define PERIOD_MAX   1000000
#define QUOTA_MIN    1000
#define SHARES_MIN   2
#define SHARES_MAX   262144
#define WEIGHT_MIN   10
#define WEIGHT_MAX   1000
#define SWAPPY_MAX   100
#define MICROSECONDS (INT64_MAX / 1000)

/* What a number may be beside 0, where that means "not given", and what means unlimited. */
/* clang-format off */
static const struct range {
	bool is_bool;
	int64_t unlimited; /* what is negative and not below it means that; 0: nothing does */
	bool may_be_zero;
	int64_t min, max;
} ranges[] = {
	[CG_MEMORY_LIMIT]          = {false, -1,        true,  1, INT64_MAX},
	[CG_MEMORY_SWAP]           = {false, -1,        true,  1, INT64_MAX},
	[CG_MEMORY_RESERVATION]    = {false, -1,        true,  1, INT64_MAX},
	[CG_MEMORY_KERNEL]         = {false, -1,        true,  1, INT64_MAX},
	[CG_MEMORY_KERNEL_TCP]     = {false, -1,        true,  1, INT64_MAX},
	[CG_MEMORY_SWAPPINESS]     = {false, 0,         true,  0, SWAPPY_MAX},
	[CG_MEMORY_OOM_KILLER_OFF] = {true,  0,         true,  0, 1},
	[CG_MEMORY_HIERARCHY]      = {true,  0,         true,  0, 1},
	[CG_MEMORY_CHECK]          = {true,  0,         true,  0, 1},
	[CG_CPU_SHARES]            = {false, 0,         true,  SHARES_MIN, SHARES_MAX},
	[CG_CPU_PERIOD]            = {false, 0,         true,  PERIOD_MIN, PERIOD_MAX},
	[CG_CPU_QUOTA]             = {false, INT64_MIN, true,  QUOTA_MIN, MICROSECONDS},
	[CG_CPU_BURST]             = {false, 0,         true,  0, MICROSECONDS},
	[CG_CPU_RT_PERIOD]         = {false, 0,         true,  1, MICROSECONDS},
	[CG_CPU_RT_RUNTIME]        = {false, -1,        true,  1, MICROSECONDS},
	[CG_CPU_IDLE]              = {false, 0,         true,  0, 1},
	[CG_PIDS_LIMIT]            = {false, -1,        true,  0, INT64_MAX},
	[CG_BLKIO_WEIGHT]          = {false, 0,         true,  WEIGHT_MIN, WEIGHT_MAX},
	[CG_BLKIO_LEAF_WEIGHT]     = {false, 0,         true,  WEIGHT_MIN, WEIGHT_MAX},
	[CG_NET_CLASS]             = {false, 0,         true,  0, UINT32_MAX},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(ranges) == CG_NUMBERS, "a range for each number");

static int number(struct cg_resources *out, enum cg_number which, const struct node *n,
		  struct err *e)
{
	const struct range *in = &ranges[which];
	bool is_true = false;
	int64_t value = 0;
	int r;

	if (!n->json)
		return 0;
	r = in->is_bool ? node_bool(n, &is_true, e)
			: node_number(n, in->unlimited, in->max, &value, e);
	if (r < 0)
		return r;
	if (!in->is_bool && value >= 0 && value < in->min && !(value == 0 && in->may_be_zero))
		return node_fail(n, e, "not a number in %lld..%lld", (long long)in->min,
				 (long long)in->max);
	cg_set_number(out, which, in->is_bool ? is_true : value < 0 ? -1 : value);
	return 0;
}

/* All numbers of one part, "memory" for "memory.limit". */
static int part(struct cg_resources *out, const struct node *resources, const char *name,
		struct err *e)
{
	struct node n = node_get(resources, name);
	size_t length = strlen(name);
	int r = node_object(&n, e);

	for (int i = 0; r == 0 && i < CG_NUMBERS; i++) {
		const char *member = cg_number_name((enum cg_number)i);
		struct node at;

		if (strncmp(member, name, length) != 0 || member[length] != '.')
			continue;
		at = node_get(&n, member + length + 1);
		r = number(out, (enum cg_number)i, &at, e);
	}
	return r;
}

/* "0-3,7": the kernel parses it; here it must be nothing else than that. */
static int cpu_list(struct oci *o, const struct node *n, const char **ret, struct err *e)
{
	const char *text = "";
	int r = node_text(n, &text, e);

	if (r < 0 || !*text)
		return r;
	if (strlen(text) > CPUS_MAX || text[strspn(text, "0123456789-,:/ ")] != '\0')
		return node_fail(n, e, "not a list of numbers and ranges");
	return oci_text(o, n, ret, e);
}

static int cpuset(struct oci *o, const struct node *resources, struct err *e)
{
	struct node cpu = node_get(resources, "cpu"), cpus = node_get(&cpu, "cpus"),
		    mems = node_get(&cpu, "mems");
	int r = cpu_list(o, &cpus, &o->plan->resources.cpus, e);

	return r < 0 ? r : cpu_list(o, &mems, &o->plan->resources.mems, e);
}

/* What two numbers must agree on; the versions of cgroups say the rest. */
static int check_pairs(const struct oci *o, const struct node *resources, struct err *e)
{
	const struct cg_resources *in = &o->plan->resources;
	struct node memory = node_get(resources, "memory"), swap = node_get(&memory, "swap");
	int64_t limit = in->number[CG_MEMORY_LIMIT], sum = in->number[CG_MEMORY_SWAP];

	if (limit > 0 && sum > 0 && sum < limit)
		return node_fail(&swap, e, "memory and swap together: not below limit");
	return 0;
}

/*
 * Before 1.3 the specification left open what 0 is. Runtimes took it for unlimited, and engines of that time wrote it for
 * that: podman makes it of --pids-limit -1.
 */
static void pids_before_1_3(struct oci *o)
{
	int64_t *limit = &o->plan->resources.number[CG_PIDS_LIMIT];
	const char *version = o->plan->oci_version; /* "1.x", or NULL in an update */

	if (o->plan->resources.has[CG_PIDS_LIMIT] && *limit == 0 && version &&
	    strtoul(version + 2, NULL, 10) < 3)
		*limit = -1;
}

int oci_resources(struct oci *o, const struct node *resources, struct err *e)
{
	static const char *const parts[] = {"memory", "cpu", "pids", "blockIO", "network"};
	int r = node_object(resources, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = part(&o->plan->resources, resources, parts[i], e);
	if (r == 0)
		r = cpuset(o, resources, e);
	if (r == 0)
		r = check_pairs(o, resources, e);
	if (r == 0)
		pids_before_1_3(o);
	if (r == 0)
		r = oci_resource_lists(o, resources, e);
	return r;
}

int oci_device_limits(struct oci *o, const struct node *resources, struct err *e)
{
	o->plan->resources.limits_devices = true;
	return oci_device_rules(o, resources, e);
}

int sbx_resources_parse(const char *text, size_t n, struct arena *arena, struct cg_resources *ret,
			struct err *e)
{
	_cleanup_free_ struct sbx_plan *plan = calloc(1, sizeof(*plan));
	struct oci o = {.plan = plan, .bundle = "/"};
	json_error_t why;
	struct node top;
	json_t *json;
	int r;

	if (!plan)
		return err_set(e, ENOMEM, "out of memory");
	json = node_load(text, n, &why);
	if (!json)
		return err_set(e, EINVAL, "resources:%d: %s", why.line, why.text);
	plan->arena = arena;
	top = node_root(json, "resources");
	r = oci_resources(&o, &top, e);
	json_decref(json);
	if (r == 0)
		*ret = plan->resources;
	return r;
}

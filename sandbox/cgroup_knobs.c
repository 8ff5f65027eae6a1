/*
 * Limits as a table: one row a write, in the order of the writes.
 *
 * Order matters on v1, where one file bounds another at every moment: memory.limit_in_bytes <=
 * memory.memsw.limit_in_bytes, and a quota must be valid for its period. So the bounding file is
 * lifted first, then both are set; that is right for raising and for lowering, and reads no old
 * value.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/cgroup_host.h"

#define NO_LIMIT          UINT64_MAX
#define PERIOD_DEFAULT_US 100000
#define WEIGHT_DEFAULT    100
#define WEIGHT_MAX        10000

/* ---- values; NO_LIMIT is written as the row's word for it ---- */

static uint64_t no_limit(const struct cg_limits *l)
{
	(void)l;
	return NO_LIMIT;
}

static uint64_t or_no_limit(uint64_t value)
{
	return value ? value : NO_LIMIT;
}

static uint64_t memory(const struct cg_limits *l)
{
	return or_no_limit(l->memory_bytes);
}

static uint64_t swap(const struct cg_limits *l)
{
	return l->swap_off ? 0 : or_no_limit(l->swap_bytes);
}

/* v1 bounds the sum; an unlimited part makes it unlimited. */
static uint64_t memory_and_swap(const struct cg_limits *l)
{
	uint64_t sum;

	if (memory(l) == NO_LIMIT || swap(l) == NO_LIMIT)
		return NO_LIMIT;
	return __builtin_add_overflow(memory(l), swap(l), &sum) ? NO_LIMIT : sum;
}

static uint64_t cpu_quota(const struct cg_limits *l)
{
	return or_no_limit(l->cpu_quota_us);
}

static uint64_t cpu_period(const struct cg_limits *l)
{
	return l->cpu_period_us ? l->cpu_period_us : PERIOD_DEFAULT_US;
}

static uint64_t cpu_weight(const struct cg_limits *l)
{
	return l->cpu_weight ? l->cpu_weight : WEIGHT_DEFAULT;
}

/* What the kernel itself computes from cpu.weight (sched_weight_from_cgroup): 100 -> 1024. */
static uint64_t cpu_shares(const struct cg_limits *l)
{
	return (cpu_weight(l) * 1024 + WEIGHT_DEFAULT / 2) / WEIGHT_DEFAULT;
}

static uint64_t pids(const struct cg_limits *l)
{
	return or_no_limit(l->pids_max);
}

/* ---- the table ---- */

typedef uint64_t value_fn(const struct cg_limits *l);

/* clang-format off */
static const struct knob {
	int version; /* of the hierarchy the controller is on */
	enum cg_hierarchy at;
	const char *field; /* of struct cg_limits, for the error */
	const char *file;
	const char *unlimited;
	value_fn *value;
	value_fn *second; /* a second number after a blank; NULL = none */
} knobs[] = {
	{2, CG_MEMORY, "memory_bytes",  "memory.max",                  "max", memory,          NULL},
	{2, CG_MEMORY, "swap_bytes",    "memory.swap.max",             "max", swap,            NULL},
	{2, CG_CPU,    "cpu_quota_us",  "cpu.max",                     "max", cpu_quota,       cpu_period},
	{2, CG_CPU,    "cpu_weight",    "cpu.weight",                  "",    cpu_weight,      NULL},
	{2, CG_PIDS,   "pids_max",      "pids.max",                    "max", pids,            NULL},

	{1, CG_MEMORY, "swap_bytes",    "memory.memsw.limit_in_bytes", "-1",  no_limit,        NULL},
	{1, CG_MEMORY, "memory_bytes",  "memory.limit_in_bytes",       "-1",  memory,          NULL},
	{1, CG_MEMORY, "swap_bytes",    "memory.memsw.limit_in_bytes", "-1",  memory_and_swap, NULL},
	/* Socket buffers, a part of memory on v2, have a counter of their own. */
	{1, CG_MEMORY, "memory_bytes",  "memory.kmem.tcp.limit_in_bytes", "-1", memory,       NULL},
	{1, CG_CPU,    "cpu_quota_us",  "cpu.cfs_quota_us",            "-1",  no_limit,        NULL},
	{1, CG_CPU,    "cpu_period_us", "cpu.cfs_period_us",           "",    cpu_period,      NULL},
	{1, CG_CPU,    "cpu_quota_us",  "cpu.cfs_quota_us",            "-1",  cpu_quota,       NULL},
	{1, CG_CPU,    "cpu_weight",    "cpu.shares",                  "",    cpu_shares,      NULL},
	{1, CG_PIDS,   "pids_max",      "pids.max",                    "max", pids,            NULL},
};
/* clang-format on */

static void knob_text(const struct knob *k, const struct cg_limits *l, char *out, size_t size)
{
	uint64_t value = k->value(l);
	char first[24], second[24] = "";

	(void)snprintf(first, sizeof(first), "%llu", (unsigned long long)value);
	if (k->second)
		(void)snprintf(second, sizeof(second), " %llu", (unsigned long long)k->second(l));
	(void)snprintf(out, size, "%s%s", value == NO_LIMIT ? k->unlimited : first, second);
}

static int knob_write(const struct knob *k, int dirfd, const struct cg_limits *l, struct err *e)
{
	_cleanup_fd_ int fd = openat(dirfd, k->file, O_WRONLY | O_CLOEXEC);
	char text[48];

	/* A kernel without swap accounting lacks the swap files: no limit is in force there, and
	 * none was asked for. */
	if (fd < 0 && errno == ENOENT && k->value(l) == NO_LIMIT)
		return 0;
	if (fd < 0)
		return err_errno(e, "limit %s: '%s'", k->field, k->file);
	knob_text(k, l, text, sizeof(text));
	if (dprintf(fd, "%s", text) < 0)
		return err_errno(e, "limit %s: '%s' to '%s'", k->field, text, k->file);
	return 0;
}

/* What the kernel would not refuse by itself, or only where one of the versions is in use. */
static int check(const struct cg *cg, const struct cg_limits *l, struct err *e)
{
	if (l->swap_off && l->swap_bytes)
		return err_set(e, EINVAL, "limit swap_bytes: swap is off");
	if (l->cpu_weight > WEIGHT_MAX)
		return err_set(e, EINVAL, "limit cpu_weight: 1 to %d", WEIGHT_MAX);
	if (!cg_is_v2(cg, CG_MEMORY) && !l->memory_bytes && (l->swap_off || l->swap_bytes))
		return err_set(e, EINVAL, "limit swap_bytes: cgroup v1 needs memory_bytes too");
	return 0;
}

int cg_limit(const struct cg *cg, const struct cg_limits *limits, struct err *e)
{
	int r = check(cg, limits, e);

	for (size_t i = 0; i < ARRAY_SIZE(knobs) && r == 0; i++)
		if (knobs[i].version == (cg_is_v2(cg, knobs[i].at) ? 2 : 1))
			r = knob_write(&knobs[i], cg->dir[knobs[i].at], limits, e);
	return r;
}

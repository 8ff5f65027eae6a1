/*
 * The table of the members that are one number: where each goes, on v1 and on v2. (That of the lists is in
 * cgroup_lists.c.) See include/sandbox/resources.h and cgroup_resources.h.
 */
#include "sandbox/cgroup_resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct cg_write *cg_job_add(struct cg_job *j, const char *member, enum cg_hierarchy at,
			    const char *file)
{
	struct cg_write *w = &j->out[j->n++];

	*w = (struct cg_write){.at = at};
	(void)str_copy(w->member, sizeof(w->member), member);
	(void)str_copy(w->file, sizeof(w->file), file);
	return w;
}

int cg_job_check(const struct cg_job *j, const char *member, enum cg_hierarchy at,
		 const char *v1_file, const char *v2_file, struct err *e)
{
	if (!(j->now->in & CG_BIT(at)))
		return err_set(
			e, ENOTSUP,
			"linux.resources.%s: no group in the hierarchy '%s'%s: this host has none, "
			"or nothing was limited there when the container was created",
			member, cg_hierarchy_name(at), v2_file ? "" : " (cgroup v1)");
	if (!(cg_job_is_v2(j, at) ? v2_file : v1_file))
		return err_set(e, ENOTSUP, "linux.resources.%s: cgroup v%d has nothing like it",
			       member, cg_job_is_v2(j, at) ? 2 : 1);
	return 0;
}

/* ---- numbers ---- */

struct number;
typedef int emit_fn(struct cg_job *j, const struct number *row, int64_t value, struct err *e);

static emit_fn plain, nothing, limit, swap, within_limit, oom_killer, shares, period, quota, tasks,
	io_weight;

/* clang-format off */
static const struct number {
	const char *member;
	bool zero_is_absent; /* as Go programs write a number that is not given */
	enum cg_hierarchy at;
	const char *v1_file, *v2_file; /* NULL: that version has nothing like it */
	emit_fn *emit;
} numbers[] = {
	[CG_MEMORY_LIMIT]          = {"memory.limit",            true,  CG_MEMORY,  "memory.limit_in_bytes",          "memory.max",      limit},
	[CG_MEMORY_SWAP]           = {"memory.swap",             true,  CG_MEMORY,  "memory.memsw.limit_in_bytes",    "memory.swap.max", swap},
	[CG_MEMORY_RESERVATION]    = {"memory.reservation",      true,  CG_MEMORY,  "memory.soft_limit_in_bytes",     "memory.low",      plain},
	[CG_MEMORY_KERNEL]         = {"memory.kernel",           true,  CG_MEMORY,  "memory.kmem.limit_in_bytes",     NULL,              within_limit},
	[CG_MEMORY_KERNEL_TCP]     = {"memory.kernelTCP",        true,  CG_MEMORY,  "memory.kmem.tcp.limit_in_bytes", NULL,              within_limit},
	[CG_MEMORY_SWAPPINESS]     = {"memory.swappiness",       false, CG_MEMORY,  "memory.swappiness",              NULL,              plain},
	[CG_MEMORY_OOM_KILLER_OFF] = {"memory.disableOOMKiller", false, CG_MEMORY,  "memory.oom_control",             NULL,              oom_killer},
	[CG_MEMORY_HIERARCHY]      = {"memory.useHierarchy",     false, CG_MEMORY,  NULL,                             NULL,              nothing},
	[CG_MEMORY_CHECK]          = {"memory.checkBeforeUpdate", false, CG_MEMORY, NULL,                             NULL,              nothing},
	[CG_CPU_SHARES]            = {"cpu.shares",              true,  CG_CPU,     "cpu.shares",                     "cpu.weight",      shares},
	[CG_CPU_PERIOD]            = {"cpu.period",              true,  CG_CPU,     "cpu.cfs_period_us",              "cpu.max",         period},
	[CG_CPU_QUOTA]             = {"cpu.quota",               true,  CG_CPU,     "cpu.cfs_quota_us",               "cpu.max",         quota},
	[CG_CPU_BURST]             = {"cpu.burst",               false, CG_CPU,     "cpu.cfs_burst_us",               "cpu.max.burst",   plain},
	[CG_CPU_RT_PERIOD]         = {"cpu.realtimePeriod",      true,  CG_CPU,     "cpu.rt_period_us",               NULL,              plain},
	[CG_CPU_RT_RUNTIME]        = {"cpu.realtimeRuntime",     true,  CG_CPU,     "cpu.rt_runtime_us",              NULL,              plain},
	[CG_CPU_IDLE]              = {"cpu.idle",                false, CG_CPU,     "cpu.idle",                       "cpu.idle",        plain},
	[CG_PIDS_LIMIT]            = {"pids.limit",              false, CG_PIDS,    "pids.max",                       "pids.max",        tasks},
	[CG_BLKIO_WEIGHT]          = {"blockIO.weight",          true,  CG_BLKIO,   "blkio.bfq.weight",               "io.bfq.weight",   io_weight},
	[CG_BLKIO_LEAF_WEIGHT]     = {"blockIO.leafWeight",      true,  CG_BLKIO,   "blkio.leaf_weight",              NULL,              plain},
	[CG_NET_CLASS]             = {"network.classID",         false, CG_NET_CLS, "net_cls.classid",                NULL,              plain},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(numbers) == CG_NUMBERS, "a row for each number");

const char *cg_number_name(enum cg_number which)
{
	return numbers[which].member;
}

static bool is_given(const struct cg_resources *r, enum cg_number which)
{
	return r->has[which] && !(numbers[which].zero_is_absent && r->number[which] == 0);
}

static const char *file_of(const struct cg_job *j, const struct number *row)
{
	return cg_job_is_v2(j, row->at) ? row->v2_file : row->v1_file;
}

/* -1 is v1's own word for unlimited. */
static void put_number(const struct cg_job *j, struct cg_write *w, int64_t value)
{
	if (value == -1 && cg_job_is_v2(j, w->at))
		(void)str_copy(w->text, sizeof(w->text), "max");
	else
		(void)snprintf(w->text, sizeof(w->text), "%" PRId64, value);
}

static int plain(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int r = cg_job_check(j, row->member, row->at, row->v1_file, row->v2_file, e);

	if (r == 0)
		put_number(j, cg_job_add(j, row->member, row->at, file_of(j, row)), value);
	return r;
}

static int nothing(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	(void)j;
	(void)row;
	(void)value;
	(void)e;
	return 0;
}

static int limit(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int r = plain(j, row, value, e);

	if (r < 0 || cg_job_is_v2(j, CG_MEMORY))
		return r;
	/* Buffers of sockets, a part of memory on v2, have a counter of their own. */
	if (!is_given(j->r, CG_MEMORY_KERNEL_TCP)) {
		row = &numbers[CG_MEMORY_KERNEL_TCP];
		r = plain(j, row, value, e);
		j->out[j->n - 1].may_lack = true;
	}
	/* Unlimited above the sum that was set before would be no change at all. */
	if (r == 0 && value == -1 && !is_given(j->r, CG_MEMORY_SWAP))
		r = swap(j, &numbers[CG_MEMORY_SWAP], -1, e);
	return r;
}

/* The limit that holds after all this; 0 = not known. */
static int64_t memory_limit(const struct cg_job *j)
{
	return is_given(j->r, CG_MEMORY_LIMIT) ? j->r->number[CG_MEMORY_LIMIT]
					       : j->now->memory_bytes;
}

static int swap(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int64_t memory = memory_limit(j), bytes = value;
	int r = 0;

	if (cg_job_is_v2(j, CG_MEMORY))
		r = cg_swap_of_sum(value, memory, &bytes, e);
	else if (value > 0 && value < memory)
		r = cg_swap_of_sum(value, memory, &bytes, e); /* for its error */
	if (r < 0)
		return err_wrap(e, "linux.resources.%s", row->member);
	r = plain(j, row, bytes, e);
	/* Without swap accounting none is limited, as it was asked for. */
	if (r == 0 && bytes == -1)
		j->out[j->n - 1].may_lack = true;
	return r;
}

/* Memory of the kernel counts as memory: a limit that is not lower holds by itself. */
static int within_limit(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int64_t memory = memory_limit(j);
	bool counts = row != &numbers[CG_MEMORY_KERNEL_TCP] || cg_job_is_v2(j, CG_MEMORY);

	if (counts && (value == -1 || (memory > 0 && value >= memory)))
		return 0;
	return plain(j, row, value, e);
}

static int oom_killer(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	return value == 0 && cg_job_is_v2(j, CG_MEMORY) ? 0 : plain(j, row, value, e);
}

static int shares(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	if (cg_job_is_v2(j, CG_CPU))
		value = (int64_t)cg_weight_of_shares((uint64_t)value);
	return plain(j, row, value, e);
}

/* v2 has both numbers in one file; a second that is not given stays as it is. */
static int quota(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int r = plain(j, row, value, e);

	if (r == 0 && cg_job_is_v2(j, CG_CPU) && is_given(j->r, CG_CPU_PERIOD)) {
		char *text = j->out[j->n - 1].text;
		size_t used = strlen(text);

		(void)snprintf(text + used, CG_TEXT_MAX - used, " %" PRId64,
			       j->r->number[CG_CPU_PERIOD]);
	}
	return r;
}

static int period(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	struct cg_write *w;
	int r;

	if (!cg_job_is_v2(j, CG_CPU))
		return plain(j, row, value, e);
	if (is_given(j->r, CG_CPU_QUOTA))
		return 0;
	r = plain(j, row, value, e);
	if (r == 0) {
		w = &j->out[j->n - 1];
		(void)snprintf(w->text, sizeof(w->text), "%s %" PRId64, j->now->quota, value);
	}
	return r;
}

/*
 * A limit of 0 and of 1 forbid a container's first process the same: to fork. But with 0 nobody can be born into
 * the group (CLONE_INTO_CGROUP).
 */
static int tasks(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int r = plain(j, row, value == 0 ? 1 : value, e);

	/* This file alone says so on v1 as well. */
	if (r == 0 && value == -1)
		(void)str_copy(j->out[j->n - 1].text, sizeof(j->out[0].text), "max");
	return r;
}

/* Proportional shares are BFQ's; on v2 also those of io.cost, on another scale. */
static int io_weight(struct cg_job *j, const struct number *row, int64_t value, struct err *e)
{
	int r = plain(j, row, value, e);
	struct cg_write *w;

	if (r < 0)
		return r;
	w = &j->out[j->n - 1];
	(void)str_copy(w->other_file, CG_FILE_MAX,
		       cg_job_is_v2(j, CG_BLKIO) ? "io.weight" : "blkio.weight");
	(void)snprintf(w->other_text, CG_TEXT_MAX, "%" PRIu64,
		       cg_job_is_v2(j, CG_BLKIO) ? cg_io_weight((uint64_t)value) : (uint64_t)value);
	return 0;
}

/* ---- all of it ---- */

static int emit_cpuset(struct cg_job *j, const char *member, const char *file, const char *list,
		       struct err *e)
{
	int r = list ? cg_job_check(j, member, CG_CPUSET, file, file, e) : 0;

	if (r == 0 && list)
		cg_job_add(j, member, CG_CPUSET, file)->long_text = list;
	return r;
}

size_t cg_compile_room(const struct cg_resources *r)
{
	return 2 * (CG_NUMBERS + (size_t)r->n_items) + 2;
}

int cg_compile(const struct cg_resources *resources, const struct cg_now *now, struct cg_write *out,
	       size_t *ret_n, struct err *e)
{
	struct cg_job j = {.r = resources, .now = now, .out = out};
	int r = 0;

	for (int i = 0; r == 0 && i < CG_NUMBERS; i++)
		if (is_given(resources, i))
			r = numbers[i].emit(&j, &numbers[i], resources->number[i], e);
	if (r == 0)
		r = emit_cpuset(&j, "cpu.cpus", "cpuset.cpus", resources->cpus, e);
	if (r == 0)
		r = emit_cpuset(&j, "cpu.mems", "cpuset.mems", resources->mems, e);
	for (uint32_t i = 0; r == 0 && i < resources->n_items; i++)
		r = cg_job_add_item(&j, &resources->items[i], e);
	if (r == 0)
		*ret_n = j.n;
	return r;
}

bool cg_resources_is_empty(const struct cg_resources *r)
{
	for (int i = 0; i < CG_NUMBERS; i++)
		if (is_given(r, i) && numbers[i].emit != nothing)
			return false;
	return !r->cpus && !r->mems && r->n_items == 0;
}

const char *cg_resources_first(const struct cg_resources *r)
{
	for (int i = 0; i < CG_NUMBERS; i++)
		if (is_given(r, i) && numbers[i].emit != nothing && r->number[i] != -1)
			return numbers[i].member;
	if (r->cpus || r->mems)
		return r->cpus ? "cpu.cpus" : "cpu.mems";
	return r->n_items > 0 ? cg_item_member(&r->items[0]) : NULL;
}

cg_set cg_resources_need(const struct cg_resources *r)
{
	cg_set set = r->limits_devices ? CG_BIT(CG_DEVICES) : 0;

	for (int i = 0; i < CG_NUMBERS; i++)
		if (is_given(r, i))
			set |= CG_BIT(numbers[i].at);
	if (r->cpus || r->mems)
		set |= CG_BIT(CG_CPUSET);
	for (uint32_t i = 0; i < r->n_items; i++)
		set |= cg_item_need(&r->items[i]);
	return set & ~CG_SET_REQUIRED;
}

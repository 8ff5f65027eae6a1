/* How the kernel treats a process: see include/sandbox/tune.h. libc and system calls alone. */
#include "sandbox/tune.h"

#include <errno.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/personality.h>

#include "base/mem.h"
#include "sandbox/sys.h"

static int set_scheduler(const struct sbx_scheduler *s, pid_t pid, struct err *e)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = s->policy,
		.sched_flags = s->flags,
		.sched_nice = s->nice,
		.sched_priority = s->priority,
		.sched_runtime = s->runtime_ns,
		.sched_deadline = s->deadline_ns,
		.sched_period = s->period_ns,
	};

	if (sys_sched_setattr(pid, &attr) < 0)
		return err_errno(e, "scheduler: policy %u, nice %d, priority %u", s->policy,
				 s->nice, s->priority);
	return 0;
}

int sbx_tune_process(const struct sbx_tune *t, pid_t pid, struct err *e)
{
	if (t->has_io_priority && sys_ioprio_set(pid, t->io_priority) < 0)
		return err_errno(e, "I/O priority: class %u, priority %u", t->io_priority >> 13,
				 t->io_priority & 7);
	return t->has_scheduler ? set_scheduler(&t->scheduler, pid, e) : 0;
}

static bool is_empty(const struct sbx_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->words); i++)
		if (set->words[i])
			return false;
	return true;
}

int sbx_tune_self(const struct sbx_tune *t, struct err *e)
{
	const uint64_t *nodes = is_empty(&t->memory_nodes) ? NULL : t->memory_nodes.words;

	/* The kernel takes one bit off the number it is given. */
	if (t->has_memory_policy &&
	    sys_set_mempolicy((int)t->memory_mode, nodes, nodes ? SBX_CPUS_MAX + 1 : 0) < 0)
		return err_errno(e, "memory policy 0x%x", t->memory_mode);
	if (t->has_personality && personality((unsigned long)t->personality) < 0)
		return err_errno(e, "personality 0x%llx", (unsigned long long)t->personality);
	return 0;
}

int sbx_set_cpus(pid_t pid, const struct sbx_set *cpus, struct err *e)
{
	if (sys_sched_setaffinity(pid, cpus->words, sizeof(cpus->words)) < 0)
		return err_errno(e, "CPU affinity");
	return 0;
}

int sbx_all_cpus(struct err *e)
{
	struct sbx_set all;

	memset(&all, 0xff, sizeof(all));
	return sbx_set_cpus(0, &all, e);
}

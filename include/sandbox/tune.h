/*
 * How the kernel treats a process, beside limits and rights: scheduling, I/O priority, CPUs, memory nodes,
 * personality.
 *
 * Two halves, since each needs what the other side has:
 *	sbx_tune_process()   by the starter, on the new process: only it has CAP_SYS_NICE on the host
 *	sbx_tune_self()      by the process itself, late: what a process can only set for itself
 *
 * Plain data: zero asks for nothing.
 */
#ifndef SANDBOX_TUNE_H
#define SANDBOX_TUNE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SBX_CPUS_MAX                                                                               \
	1024 /* CPUs and memory nodes alike: the largest the kernel is built for, and more */
#define SBX_SET_WORDS (SBX_CPUS_MAX / 64)

/* CPUs or memory nodes: number n is bit n % 64 of word n / 64. */
struct sbx_set {
	uint64_t words[SBX_SET_WORDS];
};

struct sbx_scheduler {
	uint32_t policy; /* SCHED_* */
	uint64_t flags;  /* SCHED_FLAG_* */
	int32_t nice;
	uint32_t priority;                           /* FIFO, RR */
	uint64_t runtime_ns, deadline_ns, period_ns; /* DEADLINE */
};

struct sbx_tune {
	bool has_scheduler, has_io_priority, has_personality, has_memory_policy;
	struct sbx_scheduler scheduler;
	uint32_t io_priority; /* class << 13 | priority, as ioprio_set(2) takes it */
	uint64_t personality; /* PER_* */
	uint32_t memory_mode; /* MPOL_*, with MPOL_F_* flags */
	struct sbx_set memory_nodes;
	/* Of processes that are added later (exec): CPUs before they join the cgroup, and after. */
	bool has_exec_initial, has_exec_final;
	struct sbx_set exec_initial, exec_final;
};

/* Scheduler and I/O priority of another process. */
int sbx_tune_process(const struct sbx_tune *t, pid_t pid, struct err *e);

/* Memory policy and personality of the caller. */
int sbx_tune_self(const struct sbx_tune *t, struct err *e);

/* Bind a process to these CPUs, as far as its cpuset has them; pid 0 is the caller. */
int sbx_set_cpus(pid_t pid, const struct sbx_set *cpus, struct err *e);

/* Free the caller of what binding to CPUs it has inherited: its cpuset alone counts. */
int sbx_all_cpus(struct err *e);

#endif

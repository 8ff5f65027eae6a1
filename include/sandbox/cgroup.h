/*
 * Control groups: limits, metering, freezing and killing of a set of processes.
 *
 * Two kinds of host are served, told apart once by cg_probe() and then nowhere else in the tree:
 *
 *   unified  every controller on cgroup v2: production hosts, and the reference
 *   hybrid   memory, cpu or pids on v1 mounts, the v2 core (cgroup.kill, cgroup.freeze,
 *            cgroup.events, cpu.stat, CLONE_INTO_CGROUP) mounted beside them
 *
 * A group is one directory in each hierarchy, all of the same name. Limits go to where the
 * controller is; freezing, killing, waiting and CPU use always go to the v2 core. A host without
 * the v2 core is refused. Needs Linux 5.19 (memory.peak); cgroup.kill came with 5.14.
 *
 * Life cycle:
 *
 *	1. cg_probe()		where the hierarchies are, and our own group in each
 *	2. cg_root_sweep()	what a killed predecessor left under our name is removed
 *	3. cg_root_create()	our subtree below our own group; never anywhere else
 *	4. cg_create()		one group each instance, then cg_limit(), cg_meter_open()
 *	5. clone3() with CLONE_INTO_CGROUP and cg_clone_fd(); hierarchies on v1 the new process joins itself, first
 *	   of all (cg_tasks_open(), sbx_join_groups())
 *	6. cg_kill(), cg_wait_empty()
 *	7. reuse from cg_limit() on, cheaper than a new one; or cg_close(), cg_remove()
 *	8. cg_root_remove(), cg_host_free()
 *
 * A container, whose commands are processes of their own, has cg_shared_create() for steps 2 to 4 and
 * cg_paths_remove() for 6 to 8, with sandbox/resources.h for all that config.json can limit.
 *
 * After the probe everything goes by directory descriptors, no path is built. Times are µs, sizes
 * bytes, deadlines absolute on CLOCK_MONOTONIC (clk_now_us()). Only functions with a deadline, and
 * cg_remove() and cg_root_sweep(), block. Names are one path component.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum cg_mode { CG_UNIFIED, CG_HYBRID };

/*
 * The v2 core, the controllers we cannot do without, and from CG_REQUIRED on those that a host may lack. A group
 * is in an optional hierarchy only if it was made to be: that costs a directory and a step of the child each.
 * devices, net_cls and net_prio exist on v1 alone; what devices does there a BPF program does on v2.
 */
enum cg_hierarchy {
	CG_CORE,
	CG_MEMORY,
	CG_CPU,
	CG_PIDS,
	CG_REQUIRED,
	CG_DEVICES = CG_REQUIRED,
	CG_CPUACCT, /* v1 alone; no limits, engines read it */
	CG_CPUSET,
	CG_BLKIO, /* v2: io */
	CG_HUGETLB,
	CG_NET_CLS,
	CG_NET_PRIO,
	CG_RDMA,
	CG_MISC, /* v2 alone, for linux.resources.unified */
	CG_HIERARCHIES
};

/* A set of hierarchies: bit h for hierarchy h. */
typedef uint32_t cg_set;
#define CG_BIT(h)       ((cg_set)1 << (h))
#define CG_SET_REQUIRED (CG_BIT(CG_REQUIRED) - 1)
#define CG_SET_ALL      (CG_BIT(CG_HIERARCHIES) - 1)

/* ---- the host ---- */

struct cg_host;

/*
 * Read /proc/self/mountinfo and /proc/self/cgroup and open our own group in each hierarchy. A host
 * that cannot serve is an error (-ENOTSUP) whose text names all that is missing. Free with
 * cg_host_free().
 */
int cg_probe(struct cg_host **ret, struct err *e);
void cg_host_free(struct cg_host *host);

enum cg_mode cg_host_mode(const struct cg_host *host);

/*
 * Absolute path of our own group in a hierarchy, borrowed from host; for messages, and for state
 * that a later process needs to find the groups again.
 */
const char *cg_host_path(const struct cg_host *host, enum cg_hierarchy h);

/* The hierarchies that this host has for us. */
cg_set cg_host_has(const struct cg_host *host);

/* ---- groups ---- */

/*
 * One group: a directory descriptor a hierarchy, -1 where it is not in one. Hierarchies mounted together
 * share one descriptor; a controller on v2 has that of CG_CORE. Plain data, owned by the caller, closed by
 * cg_close(). A group made below another is in the same hierarchies.
 */
struct cg {
	int dir[CG_HIERARCHIES];
};

#define CG_INIT                                                                                    \
	{                                                                                          \
		.dir = { [0 ... CG_HIERARCHIES - 1] = -1 }                                         \
	}

/* Close the descriptors and set them to -1; the group stays. Accepts CG_INIT and a closed one. */
void cg_close(struct cg *cg);
#define _cleanup_cg_ __attribute__((cleanup(cg_close)))

/*
 * Make our subtree `name` below our own group, with controllers enabled for its children.
 *
 * On v2 a group with processes cannot give controllers to its children, unless it is the root of
 * the machine. So this process moves itself into the leaf `name`/daemon, if it is not in the root.
 * Should other processes be in our own group, that is an error (-EBUSY): start us in a group of our
 * own, with systemd by Delegate=yes. Processes forked before stay behind: call this before the
 * first fork.
 *
 * -EEXIST: a subtree of that name is there; cg_root_sweep() comes first. One root a process.
 */
int cg_root_create(struct cg_host *host, const char *name, struct cg *ret, struct err *e);

/*
 * Undo cg_root_create(): move this process back, remove the subtree. Children must have been
 * removed (-EBUSY). Missing is success.
 */
int cg_root_remove(struct cg_host *host, const char *name, struct err *e);

/*
 * Kill every process in the subtree `name`, wait until it is empty (up to 10 s) and remove all of
 * it. For the start after a crash; refused (-EBUSY) while this process itself sits in that subtree.
 * Missing is success.
 */
int cg_root_sweep(struct cg_host *host, const char *name, struct err *e);

/*
 * Make the group `name` below parent, without limits. -EEXIST if it is there in any hierarchy:
 * whatever was made until then is removed again.
 */
int cg_create(const struct cg *parent, const char *name, struct cg *ret, struct err *e);

/* Open the existing group `name` below parent. -ENOENT if a hierarchy misses it. */
int cg_open(const struct cg *parent, const char *name, struct cg *ret, struct err *e);

/*
 * Let groups below cg have limits (v2: cgroup.subtree_control; v1 needs nothing). On v2 cg must
 * hold no process itself (-EBUSY). cg_root_create() has done it for the root.
 */
int cg_enable_children(const struct cg *cg, struct err *e);

/*
 * Remove the group `name` below parent in all hierarchies. Missing is success. If it still holds
 * processes that are about to exit, wait up to 1 s for them; -EBUSY after that, and at once if it
 * has groups below. Descriptors of it may stay open, the meter's too: they read ENODEV from then
 * on.
 */
int cg_remove(const struct cg *parent, const char *name, struct err *e);

/*
 * Groups that several programs make side by side, one container each; `needed` are optional hierarchies it
 * must be in. Where the host has all of v2 it is in all of v2.
 *
 * path is "a/b/name": below our own group. What is missing of a/b is made; `name` must not hold a process
 * (-EBUSY), and is made anew if it is there, so its limits are the kernel's defaults. Programs take turns by
 * a lock on the group below which all this happens. On v2, where we must leave our own group for this, it works
 * as cg_root_create(), for one program.
 *
 * "/a/b/name" is below the roots of the mounts, as the specification has it, if we may write there in each
 * hierarchy; else below our own group too. So a program of a systemd unit or of a login session can use it without
 * leaving its own group, and an engine finds the group where it asked for it.
 *
 * *ret_depth (may be NULL): how many groups the path names, for cg_paths_remove().
 */
int cg_shared_create(struct cg_host *host, const char *path, cg_set needed, struct cg *ret,
		     uint32_t *ret_depth, struct err *e);

/*
 * May we make such a group? -EACCES names the directory that we may not write. For those who are not root of the host:
 * before anything is made.
 */
int cg_shared_check(struct cg_host *host, const char *path, cg_set needed, struct err *e);

/* ---- groups that outlive the program that made them ---- */

/*
 * Where a group is, as absolute directories: what a state file keeps. They stay right when the program that
 * reads them is in another group than the one that made it. About 50 KB.
 */
struct cg_paths {
	char dir[CG_HIERARCHIES][PATH_MAX]; /* "" = not in this hierarchy */
	uint32_t depth;                     /* this many groups of it are ours, itself included */
};

/* The paths of an open group. */
int cg_paths_get(const struct cg *cg, uint32_t depth, struct cg_paths *ret, struct err *e);

/*
 * The key of a hierarchy in such a state, "core", "memory" ..., and back: CG_HIERARCHIES for an unknown one.
 * Write those whose dir is not "".
 */
const char *cg_hierarchy_name(enum cg_hierarchy h);
enum cg_hierarchy cg_hierarchy_by_name(const char *name);

/*
 * Open the group. -ENOENT if it is gone (from any hierarchy), -EINVAL for a path that is none or does not lie
 * on a cgroup file system: a state file is input.
 */
int cg_paths_open(const struct cg_paths *p, struct cg *ret, struct err *e);

/*
 * Kill what is in the group and below, wait until it is empty (up to 10 s), remove it with the groups that the
 * container made in it, then those of the depth - 1 above that are empty. Missing is success. host is NULL but
 * in the program that made the group: that may sit in a leaf beside it, and is moved back.
 */
int cg_paths_remove(struct cg_host *host, const struct cg_paths *p, struct err *e);

/* ---- limits ---- */

/* All limits of a group. Zero means no limit (weight and period: the kernel's default). */
struct cg_limits {
	uint64_t memory_bytes;  /* rounded down to pages by the kernel */
	uint64_t swap_bytes;    /* beside memory; v1 needs memory_bytes for it (-EINVAL) */
	bool swap_off;          /* no swap at all; swap_bytes must be 0 */
	uint64_t cpu_quota_us;  /* per period, 1000 at least */
	uint64_t cpu_period_us; /* 1000 .. 1000000; default 100000 */
	uint64_t cpu_weight;    /* 1 .. 10000; default 100. v1: shares, the same ratio */
	uint64_t pids_max;      /* tasks: processes and threads */
};

/*
 * Set all limits: whatever was set before is replaced, so a group can be reused. A limit that
 * cannot be applied is an error naming the field and the file, and limits before it stay applied.
 * Lower memory only on an empty group: below its use, v1 answers -EBUSY and v2 kills.
 */
int cg_limit(const struct cg *cg, const struct cg_limits *limits, struct err *e);

/* ---- processes ---- */

/*
 * Move the process (all its threads) into the group, in all hierarchies. -ESRCH if it is gone. The
 * kernel may wait for an RCU grace period (10 ms and more) in the first move after a pause, unless
 * a hierarchy is mounted with favordynmods; CLONE_INTO_CGROUP never does.
 */
int cg_add(const struct cg *cg, pid_t pid, struct err *e);

/*
 * The `tasks` files of the hierarchies that CLONE_INTO_CGROUP does not cover, for sbx_join_groups() in the
 * new process (sandbox/drop.h). fds has room for SBX_TASKS_MAX; *ret_n is 0 on a unified host. The caller
 * closes them.
 */
int cg_tasks_open(const struct cg *cg, int *fds, int *ret_n, struct err *e);

/* The v2 directory for clone_args.cgroup, borrowed. */
int cg_clone_fd(const struct cg *cg);

/*
 * Freeze or thaw all processes of the group and below. This asks; running processes stop within µs,
 * but only cg_wait_frozen() knows. A frozen group can be killed. A process that joins is frozen
 * too.
 */
int cg_freeze(const struct cg *cg, bool frozen, struct err *e);

/* Is it frozen, all of it, by itself or a group above? */
int cg_is_frozen(const struct cg *cg, bool *ret, struct err *e);

/*
 * All processes of the group and of those below, in no order; *ret is the caller's to free(), NULL if there
 * are none. -EFBIG over CG_PROCESSES_MAX.
 */
#define CG_PROCESSES_MAX (1u << 20)
int cg_processes(const struct cg *cg, pid_t **ret, size_t *ret_n, struct err *e);

/*
 * Make cg, on v2, the group below it (or itself) that pid is in: one whose children have controllers takes no processes,
 * but may have been left by its first. -ESRCH if pid is in none of them.
 */
int cg_go_to(struct cg *cg, pid_t pid, struct err *e);

/*
 * SIGKILL to everything in the group and below, forks in flight included. But (Linux 6.18) not to a process whose
 * first thread has exited while others run: the signal goes to that thread, and is lost. Enough where pid 1 of the
 * processes' pid namespace is among them and ours; else cg_end().
 */
int cg_kill(const struct cg *cg, struct err *e);

/*
 * Kill them and wait until all have ended, those that cgroup.kill does not reach too. -ETIMEDOUT at the deadline.
 * The group is left thawed.
 */
int cg_end(const struct cg *cg, uint64_t deadline_us, struct err *e);

/*
 * Wait until no process is in the group or below (zombies do not count) or until all of them are
 * frozen. -ETIMEDOUT at the deadline. The kernel reports changes of one group at most every 10 ms,
 * and what takes longer than some 300 µs may be seen that late: where a pidfd is at hand wait for
 * it first, then this returns at once.
 */
int cg_wait_empty(const struct cg *cg, uint64_t deadline_us, struct err *e);
int cg_wait_frozen(const struct cg *cg, uint64_t deadline_us, struct err *e);

/* ---- metering ---- */

/*
 * Descriptors to read a group's use and to freeze it. They can be sent to a process without
 * privilege, which then needs no path and no capability. The order is part of the daemon's
 * protocol: the first four suffice for billing an invocation.
 */
enum cg_meter_fd {
	CG_FD_CPU_STAT,     /* v2 cpu.stat */
	CG_FD_MEM_PEAK,     /* memory.peak or memory.max_usage_in_bytes */
	CG_FD_OOM,          /* memory.events or memory.oom_control */
	CG_FD_FREEZE,       /* cgroup.freeze */
	CG_FD_MEM_NOW,      /* memory.current or memory.usage_in_bytes */
	CG_FD_CPU_THROTTLE, /* cpu.stat of the cpu controller */
	CG_FD_PIDS_NOW,     /* pids.current */
	CG_FD_PIDS_PEAK,    /* pids.peak; -1 where the kernel has none */
	CG_METER_FDS
};

/* Owned by the caller. Any descriptor may be -1: what it would tell reads as 0. */
struct cg_meter {
	int fd[CG_METER_FDS];
	bool peak_resets; /* false: v2 before 6.12, the peak is that since the group was made */
};

#define CG_METER_INIT                                                                              \
	{                                                                                          \
		.fd = { -1, -1, -1, -1, -1, -1, -1, -1 }                                           \
	}

/*
 * Open all descriptors of a group. On v2 a reset of the peak counts for this open descriptor (and
 * copies of it sent elsewhere) alone; on v1 for the group.
 */
int cg_meter_open(const struct cg *cg, struct cg_meter *ret, struct err *e);
void cg_meter_close(struct cg_meter *m);
#define _cleanup_cg_meter_ __attribute__((cleanup(cg_meter_close)))

/* Since the group was made, but for memory_now, pids_now, and memory_peak after a reset. */
struct cg_usage {
	uint64_t cpu_us; /* user + system */
	uint64_t cpu_user_us;
	uint64_t cpu_system_us;
	uint64_t throttled_us; /* waited for because of cpu_quota_us */
	uint64_t memory_now_bytes;
	uint64_t memory_peak_bytes;
	uint64_t oom_kills; /* processes killed at the memory limit */
	uint64_t pids_now;
	uint64_t pids_peak;
};

/* Read everything. The parts cost one pread(2) each, about 1 µs. */
int cg_meter_read(const struct cg_meter *m, struct cg_usage *ret, struct err *e);

int cg_meter_cpu_us(const struct cg_meter *m, uint64_t *ret_us, struct err *e);
int cg_meter_memory_peak_bytes(const struct cg_meter *m, uint64_t *ret_bytes, struct err *e);
int cg_meter_oom_kills(const struct cg_meter *m, uint64_t *ret, struct err *e);

/* As cg_freeze(). */
int cg_meter_set_frozen(const struct cg_meter *m, bool frozen, struct err *e);

/* From now on the peak starts at what is used now. CG_E_PEAK_STAYS if the kernel cannot. */
enum cg_outcome { CG_E_PEAK_STAYS = 1 };
int cg_meter_reset_peak(const struct cg_meter *m, struct err *e);

/* ---- what a container's commands report ---- */

/*
 * Append all numbers of the group to out as one JSON object, in the shape of other runtimes' `events --stats`
 * ("data"): cpu, memory, pids, blkio, hugetlb; ns and bytes. What the host or the group does not have is left
 * out.
 */
struct buf;
int cg_stats_json(const struct cg *cg, struct buf *out, struct err *e);

/* Processes killed at the memory limit so far; right until the group is removed. */
int cg_oom_kills(const struct cg *cg, uint64_t *ret, struct err *e);

/*
 * A descriptor that becomes readable when that number may have changed, and when the group is removed: poll
 * it, drain it, then ask cg_oom_kills(), which says ENODEV or ENOENT after the removal. The caller closes it.
 */
int cg_oom_watch_open(const struct cg *cg, int *ret_fd, struct err *e);
void cg_oom_watch_drain(int fd);

#endif

/*
 * linux.resources of config.json: all that a container can be limited in. (The daemon, which needs five of these
 * numbers a thousand times a second, has struct cg_limits of cgroup.h.)
 *
 *	1. sbx_plan_from_oci() fills one from the config, sbx_resources_parse() from the text that `update` is
 *	   given; or cg_set_number() one by one
 *	2. cg_shared_create(host, path, cg_resources_need(r), &cg, ...)	(sandbox/cgroup.h)
 *	3. cg_resources_apply(&cg, r, ...), before the first process is born into the group
 *	4. for `update`: cg_resources_apply() with what is to change, and nothing else
 *
 * What is not given stays as it is; in a new group that is the kernel's default. Nothing is left out in silence:
 * what this host, this version of cgroups or this group cannot do is an error that names the member, the file and
 * errno. The meaning of every number is the specification's (1.3.0), that of cgroup v1; the table in
 * sandbox/cgroup_resources.c turns it into v2's.
 */
#ifndef SANDBOX_RESOURCES_H
#define SANDBOX_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sandbox/cgroup.h"

/* The members that are one number; true and false are 1 and 0. In bytes and µs; -1 = unlimited. */
enum cg_number {
	CG_MEMORY_LIMIT,
	CG_MEMORY_SWAP, /* memory and swap together; v2: the difference */
	CG_MEMORY_RESERVATION,
	CG_MEMORY_KERNEL, /* at least limit: contained in it; less: v1, if the kernel still can */
	CG_MEMORY_KERNEL_TCP, /* the same; absent on v1, it is limit, since v1 does not count it there */
	CG_MEMORY_SWAPPINESS,     /* v1 */
	CG_MEMORY_OOM_KILLER_OFF, /* v1 */
	CG_MEMORY_HIERARCHY,      /* every kernel's way since 5.11: nothing to do */
	CG_MEMORY_CHECK,          /* refuse a limit below what is used now; v1 always does */
	CG_CPU_SHARES,            /* v2: cg_weight_of_shares() */
	CG_CPU_PERIOD,
	CG_CPU_QUOTA,
	CG_CPU_BURST,
	CG_CPU_RT_PERIOD, /* v1 */
	CG_CPU_RT_RUNTIME,
	CG_CPU_IDLE,
	CG_PIDS_LIMIT, /* 0 is written as 1: both forbid the first process to fork, and it can be born */
	CG_BLKIO_WEIGHT,      /* 10 .. 1000 */
	CG_BLKIO_LEAF_WEIGHT, /* no kernel since 5.0: refused */
	CG_NET_CLASS,         /* v1 */
	CG_NUMBERS
};

/* The members that are lists; each element is an item. */
enum cg_item_kind {
	CG_ITEM_WEIGHT_DEVICE, /* device, value */
	CG_ITEM_LEAF_WEIGHT_DEVICE,
	CG_ITEM_READ_BPS, /* device, value; 0 = unlimited */
	CG_ITEM_WRITE_BPS,
	CG_ITEM_READ_IOPS,
	CG_ITEM_WRITE_IOPS,
	CG_ITEM_HUGEPAGE,     /* name: page size "2MB"; value */
	CG_ITEM_PRIORITY,     /* name: network interface; value */
	CG_ITEM_RDMA_HANDLES, /* name: device; value */
	CG_ITEM_RDMA_OBJECTS,
	CG_ITEM_UNIFIED, /* name: a file of the v2 group; text */
	CG_ITEM_KINDS
};

struct cg_item {
	enum cg_item_kind kind;
	uint32_t index; /* in the config's list, for errors */
	uint32_t major, minor;
	uint64_t value;
	const char *name, *text;
};

/* One rule of linux.resources.devices. */
#define CG_DEV_MKNOD 1u /* as in BPF_DEVCG_ACC_* */
#define CG_DEV_READ  2u
#define CG_DEV_WRITE 4u
#define CG_DEV_ALL   7u
#define CG_DEV_ANY   (-1)

struct cg_device {
	bool is_allowed;
	char type;            /* 'b', 'c', 'a' = both */
	int64_t major, minor; /* CG_DEV_ANY, or a number */
	uint32_t access;      /* CG_DEV_* */
};

#define CG_ITEMS_MAX   1024
#define CG_DEVICES_MAX 1024

/* Zero: nothing is limited. Pointers are borrowed, from the plan's memory or the caller's. */
struct cg_resources {
	bool has[CG_NUMBERS];
	int64_t number[CG_NUMBERS];
	const char *cpus, *mems; /* "0-3,7"; NULL = not given */
	const struct cg_item *items;
	uint32_t n_items;
	/*
	 * Devices: denied but for what the last rule that matches allows, each of the three accesses by itself.
	 * limits_devices false: devices are not looked at (`update` never does).
	 */
	bool limits_devices;
	bool devices_may_fail; /* a user namespace protects too: EPERM is no error */
	const struct cg_device *devices;
	uint32_t n_devices;
};

static inline void cg_set_number(struct cg_resources *r, enum cg_number which, int64_t value)
{
	r->has[which] = true;
	r->number[which] = value;
}

/* Does it ask for nothing but devices? */
bool cg_resources_is_empty(const struct cg_resources *r);

/* The first member that a process without a group of its own would not be held to; NULL: none. Devices aside. */
const char *cg_resources_first(const struct cg_resources *r);

/* The hierarchies in which a group must be to be limited so, as far as they are optional. */
cg_set cg_resources_need(const struct cg_resources *r);

/*
 * Limit the group. Files that bound each other (limit and swap, quota and burst, v1) are written in the order that
 * works, up or down. An error names the first member that could not be applied; others may have been.
 */
int cg_resources_apply(const struct cg *cg, const struct cg_resources *r, struct err *e);

/* ---- conversions ---- */

/* cpu.shares 2..262144 to cpu.weight 1..10000, 1024 being 100: the formula of 2025. */
uint64_t cg_weight_of_shares(uint64_t shares);

/* blkio.weight 10..1000 to io.weight 1..10000. */
uint64_t cg_io_weight(uint64_t weight);

/*
 * memory.memsw.limit_in_bytes, the sum, to memory.swap.max. memory is 0 if it is not given, -1 unlimited.
 * -EINVAL if a sum makes no sense with it. CG_E_NO_SWAP_LIMIT: leave swap as it is.
 */
enum cg_swap_outcome { CG_E_NO_SWAP_LIMIT = 1 };
int cg_swap_of_sum(int64_t sum, int64_t memory, int64_t *ret, struct err *e);

/* ---- devices ---- */

/*
 * What every container may use, after the rules of its config: null zero full random urandom tty ptmx and
 * terminals, and mknod of everything (a node alone opens nothing). Not /dev/console: in a container that is one of
 * the terminals, while the node's own number is the machine's console.
 */
extern const struct cg_device cg_default_devices[];
extern const size_t cg_n_default_devices;

/*
 * Limit the devices of the group: by devices.allow and devices.deny where that hierarchy is on v1, else, and for
 * rules that v1 cannot say ("all of major 1 but 1:11"), by a BPF program on the v2 core, which replaces the one of
 * ours that was there.
 */
int cg_devices_apply(const struct cg *cg, const struct cg_device *rules, size_t n, struct err *e);

#endif

/* The plan of a function's sandbox, and the end of every plan. */
#include "sandbox/plan.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sys.h"

#define FUNCTION_NAMESPACES                                                                        \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |                \
	 CLONE_NEWCGROUP | CLONE_NEWNET)

#define NO_SUID_DEV (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

void sbx_plan_free(struct sbx_plan *p)
{
	if (!p)
		return;
	arena_free(p->arena);
	free(p);
}

/*
 * What an instance sees beside its image and code. No /sys. The order is the order of mounting: a target
 * must exist in what is mounted above it.
 */
/* clang-format off */
static const struct sbx_mount function_mounts[] = {
	{
		.kind = SBX_MOUNT_FS, .target = "/proc", .type = "proc", .source = "proc",
		.data = "subset=pid,hidepid=invisible", .attr_set = NO_SUID_DEV | MOUNT_ATTR_NOEXEC,
	},
	{
		.kind = SBX_MOUNT_BIND, .target = "/dev", /* source: dev_root */
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	},
	{
		.kind = SBX_MOUNT_SCRATCH, .target = "/dev/shm", .mode = 01777,
		.attr_set = NO_SUID_DEV | MOUNT_ATTR_NOEXEC,
	},
	{
		.kind = SBX_MOUNT_SCRATCH, .target = "/tmp", .mode = 01777,
		.attr_set = NO_SUID_DEV,
	},
};
/* clang-format on */

/*
 * Lambda's limits: 1024 descriptors, no core files; the rest is the cgroup's.
 *
 * A limit of 0 keeps no core from a pipe (core(5)): if the host's core_pattern is one, a program of its root
 * would read what a tenant made. A limit of 1 ends that too; it is how the kernel stops such a program from
 * dumping into itself.
 */
/* clang-format off */
static const struct sbx_rlimit function_rlimits[] = {
	{RLIMIT_NOFILE,   1024,  1024 },
	{RLIMIT_CORE,     1,     1    },
	{RLIMIT_MEMLOCK,  65536, 65536},
	{RLIMIT_MSGQUEUE, 0,     0    },
	{RLIMIT_RTPRIO,   0,     0    },
	{RLIMIT_NICE,     0,     0    },
};
/* clang-format on */

void sbx_drop_for_function(const struct pol_program *filter, struct sbx_drop *d)
{
	static const char writable[][SBX_WRITABLE_PATH] = {"/tmp", "/dev"};

	memset(d, 0, sizeof(*d));
	d->uid = d->gid = SBX_FUNCTION_UID;
	d->umask = 022;
	d->n_rlimits = ARRAY_SIZE(function_rlimits);
	memcpy(d->rlimits, function_rlimits, sizeof(function_rlimits));
	d->no_new_privs = true;
	d->has_landlock = true;
	d->n_writable = ARRAY_SIZE(writable);
	memcpy(d->writable, writable, sizeof(writable));
	d->has_filter = true;
	d->filter = *filter;
}

void sbx_plan_set_ids(struct sbx_plan *p, uint32_t uid_base)
{
	struct sbx_idmap map = {.inside = 0, .outside = uid_base, .count = SBX_FUNCTION_IDS};

	p->uid_maps[0] = p->gid_maps[0] = map;
}

static int fill(struct sbx_plan *p, const struct sbx_function *f, struct err *e)
{

	p->namespaces = FUNCTION_NAMESPACES;
	p->n_uid_maps = p->n_gid_maps = 1;
	p->hostname = "function";
	p->root = (struct sbx_root){
		.lower = arena_strdup(p->arena, f->image_root),
		.stage = arena_strdup(p->arena, f->stage),
		.scratch_bytes = f->scratch_bytes,
	};
	sbx_plan_set_ids(p, f->uid_base);
	p->mounts = arena_get(p->arena, sizeof(function_mounts));
	if (!p->root.lower || !p->root.stage || !p->mounts)
		return err_set(e, ENOMEM, "plan");
	memcpy(p->mounts, function_mounts, sizeof(function_mounts));
	p->n_mounts = ARRAY_SIZE(function_mounts);
	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (p->mounts[i].kind == SBX_MOUNT_BIND &&
		    !(p->mounts[i].source = arena_strdup(p->arena, f->dev_root)))
			return err_set(e, ENOMEM, "plan");
	p->dies_with_parent = true;
	/* pid 1 keeps nothing at all: it only waits. */
	p->drop = (struct sbx_drop){
		.uid = SBX_FUNCTION_IDS - 2, /* nobody */
		.gid = SBX_FUNCTION_IDS - 2,
		.umask = 077,
		.no_new_privs = true,
		.has_filter = f->filter != NULL,
	};
	if (f->filter)
		p->drop.filter = *f->filter;
	return 0;
}

int sbx_plan_for_function(const struct sbx_function *f, struct sbx_plan **ret, struct err *e)
{
	struct sbx_plan *p;
	int r;

	if (f->uid_base == 0)
		return err_set(e, EINVAL, "uid_base: the host's root is never mapped");
	p = calloc(1, sizeof(*p));
	if (!p || !(p->arena = arena_new(SBX_PLAN_BYTES))) {
		free(p);
		return err_set(e, ENOMEM, "plan");
	}
	r = fill(p, f, e);
	if (r < 0) {
		sbx_plan_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

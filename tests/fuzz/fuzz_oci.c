/*
 * Any config.json: either an error that names the document, or a plan within its own limits, with what the
 * child relies on.
 */
#include "tests/fuzz/fuzz.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/plan_oci.h"
#include "sandbox/sys.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_oci: %s\n", #cond);                                  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check_mounts(const struct sbx_plan *p)
{
	MUST(p->n_mounts <= SBX_MOUNTS_MAX);
	for (uint32_t i = 0; i < p->n_mounts; i++) {
		const struct sbx_mount *m = &p->mounts[i];

		MUST(m->target && m->target[0] == '/' && m->target[1]);
		MUST(!(m->attr_set & m->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
		if (m->kind == SBX_MOUNT_BIND)
			MUST(m->source && m->source[0] == '/' &&
			     (m->propagation || m->rpropagation));
		else
			MUST(m->kind == SBX_MOUNT_REMOUNT || m->type);
		MUST(!m->late_readonly || m->kind == SBX_MOUNT_FS);
		MUST(!m->copies_up || m->kind == SBX_MOUNT_FS);
		MUST(m->idmapping == SBX_IDMAP_NONE || m->kind == SBX_MOUNT_BIND);
		MUST(!m->uid_maps == !m->gid_maps && m->n_uid_maps <= SBX_IDMAPS_MAX);
	}
}

static void check_devices(const struct sbx_plan *p)
{
	MUST(p->n_devices <= SBX_DEVICES_MAX);
	for (uint32_t i = 0; i < p->n_devices; i++) {
		const char *path = p->devices[i].path, *slash = strrchr(path, '/');

		MUST(path[0] == '/' && slash[1] && strcmp(slash, "/.") && strcmp(slash, "/.."));
	}
}

static void check_process(const struct sbx_plan *p)
{
	const struct sbx_drop *d = &p->drop;

	MUST(p->argv && p->argv[0] && p->argv[0][0] && p->env);
	MUST(p->cwd && p->cwd[0] == '/');
	MUST(d->n_groups <= SBX_GROUPS_MAX && d->n_rlimits <= SBX_RLIMITS_MAX);
	MUST(d->uid != UINT32_MAX && d->gid != UINT32_MAX);
	MUST(!(d->cap_effective & ~d->cap_permitted));
	MUST(!(d->cap_ambient & ~(d->cap_permitted & d->cap_inheritable)));
	for (uint32_t i = 0; i < d->n_rlimits; i++)
		MUST(d->rlimits[i].soft <= d->rlimits[i].hard);
}

static void check_spaces(const struct sbx_plan *p)
{
	MUST(p->n_joins <= SBX_JOINS_MAX && !(p->namespaces & p->joined));
	for (uint32_t i = 0; i < p->n_joins; i++)
		MUST(p->joins[i].path[0] == '/' && p->joined & p->joins[i].flag);
	for (uint32_t i = 0; i < p->n_sysctls; i++) {
		const struct sbx_sysctl *s = &p->sysctls[i];

		MUST(sbx_plan_has(p, s->flag) && s->value && strlen(s->file) < SBX_SYSCTL_BYTES);
		MUST(s->file[0] != '/' && !strstr(s->file, "/../") && !strstr(s->file, "//"));
	}
	for (uint32_t i = 0; i < p->n_net_devices; i++)
		MUST(strlen(p->net_devices[i].name) < 16 &&
		     strlen(p->net_devices[i].new_name) < 16);
	MUST(p->n_warnings <= SBX_WARNINGS_MAX);
	MUST(p->monotonic.nanosecs < 1000000000 && p->boottime.nanosecs < 1000000000);
	MUST(p->tune.scheduler.nice >= -20 && p->tune.scheduler.nice < 20);
}

static void check_paths(const char **paths, uint32_t n)
{
	MUST(n <= SBX_PATHS_MAX);
	for (uint32_t i = 0; i < n; i++)
		MUST(paths[i][0] == '/');
}

int fuzz_oci(const uint8_t *data, size_t size)
{
	struct sbx_plan *p = NULL;
	struct err e = ERR_INIT;

	if (plan_oci_parse((const char *)data, size, "/bundle", &p, &e) < 0) {
		MUST(!p && !strncmp(e.text, "config.json:", 12));
		return 0;
	}
	MUST(p->root.path && p->root.path[0] == '/');
	MUST(p->root.no_devices == sbx_plan_has(p, CLONE_NEWUSER));
	MUST(sbx_plan_has(p, CLONE_NEWNS));
	MUST(!(p->namespaces & CLONE_NEWUSER) || p->n_uid_maps);
	MUST(sbx_plan_has(p, CLONE_NEWUSER) || !p->n_uid_maps);
	check_process(p);
	check_spaces(p);
	check_mounts(p);
	check_devices(p);
	check_paths(p->masked, p->n_masked);
	check_paths(p->readonly, p->n_readonly);
	MUST(!p->cgroup_path || p->cgroup_path[0]);
	sbx_plan_free(p);
	return 0;
}

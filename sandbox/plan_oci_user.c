/*
 * config.json: what a user namespace asks of all the rest. See plan_oci.h.
 *
 * The kernel would say EINVAL to an id that is not mapped and EPERM to a file system that belongs to another
 * namespace, of which neither tells what to change.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/plan_oci.h"

static bool is_mapped(const struct sbx_idmap *maps, uint32_t n, uint64_t id)
{
	for (uint32_t i = 0; i < n; i++)
		if (id >= maps[i].inside && id - maps[i].inside < maps[i].count)
			return true;
	return n == 0; /* a joined namespace's, not said */
}

static bool is_uid(const struct sbx_plan *p, uint64_t id)
{
	return is_mapped(p->uid_maps, p->n_uid_maps, id);
}

static bool is_gid(const struct sbx_plan *p, uint64_t id)
{
	return is_mapped(p->gid_maps, p->n_gid_maps, id);
}

static int check_user(const struct sbx_plan *p, const struct node *top, struct err *e)
{
	struct node process = node_get(top, "process"), user = node_get(&process, "user"),
		    uid = node_get(&user, "uid"), gid = node_get(&user, "gid"),
		    list = node_get(&user, "additionalGids");
	const struct sbx_drop *d = &p->drop;

	if (!is_uid(p, d->uid))
		return node_fail(&uid, e, "%u is not mapped by linux.uidMappings", d->uid);
	if (!is_gid(p, d->gid))
		return node_fail(&gid, e, "%u is not mapped by linux.gidMappings", d->gid);
	for (uint32_t i = 0; i < d->n_groups; i++) {
		struct node n = node_at(&list, i);

		if (!is_gid(p, d->groups[i]))
			return node_fail(&n, e, "%u is not mapped by linux.gidMappings",
					 d->groups[i]);
	}
	return 0;
}

/* The owner that a new file system is given: "uid=0,gid=5" among its options. */
static int check_owner(const struct sbx_plan *p, const struct sbx_mount *m, const struct node *n,
		       struct err *e)
{
	static const char *const keys[] = {"uid=", "gid="};

	for (const char *at = m->data; at && *at; at += strcspn(at, ","), at += *at == ',')
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			uint64_t id;

			if (!str_has_prefix(at, keys[k]))
				continue;
			id = strtoull(at + strlen(keys[k]), NULL, 10);
			if (k == 0 ? is_uid(p, id) : is_gid(p, id))
				continue;
			return node_fail(n, e, "'%.*s' is not mapped by linux.%sMappings",
					 (int)strcspn(at, ","), at, k == 0 ? "uid" : "gid");
		}
	return 0;
}

/* File systems that show a namespace: only who owns that may mount them. */
static const struct {
	const char *type, *kind;
	uint64_t flag;
	const char *advice;
} owned[] = {
	{"sysfs",  "network", CLONE_NEWNET, ", or bind the host's /sys (rbind, ro)"},
	{"mqueue", "ipc",     CLONE_NEWIPC, ""                                     },
	{"proc",   "pid",     CLONE_NEWPID, ", or bind the host's /proc (rbind)"   },
};

static int check_mount(const struct sbx_plan *p, const struct sbx_mount *m, const struct node *n,
		       struct err *e)
{
	if (m->kind != SBX_MOUNT_FS)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (str_is(m->type, owned[i].type) && !sbx_plan_has(p, owned[i].flag))
			return node_fail(n, e,
					 "%s in a user namespace needs a namespace of type %s%s",
					 m->type, owned[i].kind, owned[i].advice);
	return check_owner(p, m, n, e);
}

int oci_in_user_namespace(struct oci *o, const struct node *top, struct err *e)
{
	const struct sbx_plan *p = o->plan;
	struct node mounts = node_get(top, "mounts");
	int r;

	if (!sbx_plan_has(p, CLONE_NEWUSER))
		return 0;
	r = check_user(p, top, e);
	for (uint32_t i = 0; r == 0 && i < p->n_mounts; i++) {
		struct node n = node_at(&mounts, i);

		r = check_mount(p, &p->mounts[i], &n, e);
	}
	return r;
}

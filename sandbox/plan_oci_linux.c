/* config.json: linux: id maps, paths. See plan_oci.h. */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "base/str.h"

#define CGROUP_PARTS_MAX  16
#define CGROUP_PATH_BYTES 1024

static int one_map(struct sbx_idmap *m, const struct node *n, struct err *e)
{
	struct node inside = node_get(n, "containerID"), outside = node_get(n, "hostID"),
		    size = node_get(n, "size");
	int r = node_need(&size, e);

	if (r == 0)
		r = node_u32(&inside, 0, UINT32_MAX - 1, &m->inside, e);
	if (r == 0)
		r = node_u32(&outside, 0, UINT32_MAX - 1, &m->outside, e);
	if (r == 0)
		r = node_u32(&size, 1, UINT32_MAX, &m->count, e);
	if (r == 0 && (m->count > UINT32_MAX - m->inside || m->count > UINT32_MAX - m->outside))
		r = node_fail(n, e, "goes beyond the last id");
	return r;
}

int oci_id_maps(const struct node *list, struct sbx_idmap *maps, struct err *e)
{
	size_t n;
	int r = node_list(list, SBX_IDMAPS_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(list, i);

		r = one_map(&maps[i], &item, e);
	}
	return r;
}

static int id_maps(const struct node *part, const char *key, struct sbx_idmap *maps, uint32_t *ret,
		   struct err *e)
{
	struct node list = node_get(part, key);
	size_t n;
	int r = node_list(&list, SBX_IDMAPS_MAX, &n, e);

	if (r == 0)
		r = oci_id_maps(&list, maps, e);
	if (r == 0)
		*ret = (uint32_t)n;
	return r;
}

/* Shared is with later copies of the root alone: it was cut off from the host's before. */
/* clang-format off */
static const struct {
	const char *word;
	uint64_t flags;
} propagations[] = {
	{"private",     0                     },
	{"rprivate",    0                     },
	{"slave",       MS_SLAVE              },
	{"rslave",      MS_SLAVE | MS_REC     },
	{"shared",      MS_SHARED             },
	{"rshared",     MS_SHARED | MS_REC    },
	{"unbindable",  MS_UNBINDABLE         },
	{"runbindable", MS_UNBINDABLE | MS_REC},
};
/* clang-format on */

static int root_propagation(struct oci *o, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "rootfsPropagation");
	const char *word = "";
	int r = node_text(&n, &word, e);

	if (r < 0 || !*word)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++) {
		if (!str_is(propagations[i].word, word))
			continue;
		o->plan->root.propagation = propagations[i].flags;
		o->plan->follows_host_mounts |= (propagations[i].flags & MS_SLAVE) != 0;
		return 0;
	}
	return node_fail(&n, e, "'%s' is not supported", word);
}

/* "//a/b/" becomes "/a/b". What a leading slash means is cg_shared_create()'s to say. */
static int cgroups_path(struct oci *o, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "cgroupsPath");
	const char *text = "";
	char path[CGROUP_PATH_BYTES], *copy;
	size_t used = 0, parts = 0;
	int r = node_text(&n, &text, e);

	if (r < 0 || !*text)
		return r;
	if (strlen(text) >= sizeof(path))
		return node_fail(&n, e, "longer than %zu bytes", sizeof(path) - 1);
	if (strchr(text, ':'))
		return node_fail(&n, e,
				 "'%s': slices of systemd are not made here; give a path like "
				 "'/a/b', and let "
				 "systemd delegate a group to us (Delegate=yes in our unit)",
				 text);
	for (const char *at = text + strspn(text, "/"); *at; parts++) {
		size_t length = strcspn(at, "/");

		if (length <= 2 && strspn(at, ".") >= length)
			return node_fail(&n, e, "'.' and '..' are not allowed");
		if (used > 0 || text[0] == '/')
			path[used++] = '/';
		memcpy(path + used, at, length);
		used += length;
		at += length;
		at += strspn(at, "/");
	}
	path[used] = '\0';
	if (parts == 0 || parts > CGROUP_PARTS_MAX)
		return node_fail(&n, e, "not 1..%d parts", CGROUP_PARTS_MAX);
	copy = oci_alloc(o, used + 1, e);
	if (!copy)
		return -e->code;
	o->plan->cgroup_path = memcpy(copy, path, used + 1);
	return 0;
}

static int paths(struct oci *o, const struct node *part, struct err *e)
{
	struct node masked = node_get(part, "maskedPaths"),
		    readonly = node_get(part, "readonlyPaths");
	struct sbx_plan *p = o->plan;
	int r = oci_paths(o, &masked, SBX_PATHS_MAX, &p->masked, &p->n_masked, e);

	return r < 0 ? r : oci_paths(o, &readonly, SBX_PATHS_MAX, &p->readonly, &p->n_readonly, e);
}

int oci_linux(struct oci *o, const struct node *part, struct err *e)
{
	struct node resources = node_get(part, "resources"), seccomp = node_get(part, "seccomp");
	struct sbx_plan *p = o->plan;
	static const char *const unsupported[] = {"intelRdt", NULL};
	int r = node_need(part, e);

	if (r == 0)
		r = node_object(part, e);
	if (r == 0)
		r = node_refuse(part, unsupported, e);
	if (r == 0)
		r = oci_namespaces(o, part, e);
	if (r == 0)
		r = id_maps(part, "uidMappings", p->uid_maps, &p->n_uid_maps, e);
	if (r == 0)
		r = id_maps(part, "gidMappings", p->gid_maps, &p->n_gid_maps, e);
	if (r == 0)
		r = root_propagation(o, part, e);
	if (r == 0)
		r = cgroups_path(o, part, e);
	if (r == 0)
		r = paths(o, part, e);
	if (r == 0)
		r = oci_seccomp(o, &seccomp, e);
	if (r == 0)
		r = oci_tune_linux(o, part, e);
	if (r == 0)
		r = oci_resources(o, &resources, e);
	return r < 0 ? r : oci_device_limits(o, &resources, e);
}

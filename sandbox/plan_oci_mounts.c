/* config.json: mounts, but for their options (plan_oci_options.c). See plan_oci.h. */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/str.h"
#include "sandbox/sys.h"

/* Host mounts that are made later appear in slaves alone; who shares is cut off by nobody (root_mount.c). */
static void follow_host(struct oci *o, const struct sbx_mount *m)
{
	if (m->kind == SBX_MOUNT_BIND && (m->propagation | m->rpropagation) & MS_SLAVE)
		o->plan->follows_host_mounts = true;
}

/*
 * The host's groups lie below /sys as mounts of their own, some of them delegated to the user who calls: read-only is
 * meant of all that comes along (CVE-2023-25809).
 */
static void close_sys(struct sbx_mount *m)
{
	bool is_sys = str_is(m->target, "/sys") || str_has_prefix(m->target, "/sys/");

	if (is_sys && m->is_recursive && m->attr_set & MOUNT_ATTR_RDONLY)
		m->rattr_set |= MOUNT_ATTR_RDONLY;
}

static int finish_bind(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	struct node source = node_get(mount, "source");
	int r = node_need(&source, e);

	close_sys(m);
	if (m->propagation == 0 && m->rpropagation == 0)
		m->rpropagation = MS_PRIVATE;
	return r < 0 ? r : oci_host_path(o, &source, &m->source, e);
}

static int finish_fs(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	struct node source = node_get(mount, "source"), type = node_get(mount, "type");
	int r = node_need(&type, e);

	if (r < 0)
		return r;
	/* A new file system has no submounts: what is said of it alone comes on top. */
	m->attr_set |= m->rattr_set & ~m->attr_clr;
	m->rattr_set = m->rattr_clr = 0;
	/* Others may be mounted in it, and devices made. */
	if (m->attr_set & MOUNT_ATTR_RDONLY && str_is(m->type, "tmpfs")) {
		m->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		m->late_readonly = true;
	}
	return oci_text(o, &source, &m->source, e);
}

/* What follows from the kind of the mount, now that all its options are known. */
static int finish(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	struct node options = node_get(mount, "options");
	bool is_tmpfs = m->kind == SBX_MOUNT_FS && m->type && str_is(m->type, "tmpfs");

	if (m->copies_up && !is_tmpfs)
		return node_fail(&options, e, "'tmpcopyup' is for a tmpfs");
	if (m->idmapping != SBX_IDMAP_NONE && m->kind != SBX_MOUNT_BIND)
		return node_fail(mount, e, "id mappings are for a bind mount");
	follow_host(o, m);
	switch (m->kind) {
	case SBX_MOUNT_BIND:
		return finish_bind(o, m, mount, e);
	case SBX_MOUNT_FS:
	case SBX_MOUNT_CGROUP:
		return finish_fs(o, m, mount, e);
	case SBX_MOUNT_REMOUNT:
	case SBX_MOUNT_SCRATCH:
		break;
	}
	return 0;
}

static int one_map(struct oci *o, const struct node *list, const struct sbx_idmap **ret,
		   uint32_t *ret_n, struct err *e)
{
	struct sbx_idmap *maps;
	size_t n;
	int r = node_list(list, SBX_IDMAPS_MAX, &n, e);

	if (r < 0 || n == 0)
		return r;
	maps = oci_alloc(o, n * sizeof(*maps), e);
	if (!maps)
		return -e->code;
	r = oci_id_maps(list, maps, e);
	if (r < 0)
		return r;
	*ret = maps;
	*ret_n = (uint32_t)n;
	return 0;
}

/* Maps may stand without the word: then they are for the mount alone. The word without maps: the sandbox's. */
static int id_maps(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	struct node uids = node_get(mount, "uidMappings"), gids = node_get(mount, "gidMappings");
	int r = one_map(o, &uids, &m->uid_maps, &m->n_uid_maps, e);

	if (r == 0)
		r = one_map(o, &gids, &m->gid_maps, &m->n_gid_maps, e);
	if (r < 0)
		return r;
	if (!m->uid_maps != !m->gid_maps)
		return node_fail(mount, e, "uidMappings and gidMappings need each other");
	if (m->uid_maps && m->idmapping == SBX_IDMAP_NONE)
		m->idmapping = SBX_IDMAP_MOUNT;
	if (m->idmapping != SBX_IDMAP_NONE && !m->uid_maps && o->plan->n_uid_maps == 0)
		return node_fail(mount, e,
				 "'idmap' needs uidMappings and gidMappings, or a user namespace");
	return 0;
}

/* The specification allows a relative destination: it begins at the root. */
static int target(struct oci *o, struct sbx_mount *m, const struct node *n, struct err *e)
{
	const char *text = NULL;
	size_t length;
	char *copy;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &text, e);
	if (r < 0)
		return r;
	text += strspn(text, "/");
	length = strlen(text);
	while (length > 0 && text[length - 1] == '/')
		length--;
	if (length == 0)
		return node_fail(n, e, "the root itself");
	copy = oci_alloc(o, length + 2, e);
	if (!copy)
		return -e->code;
	copy[0] = '/';
	memcpy(copy + 1, text, length);
	m->target = copy;
	return 0;
}

static int one_mount(struct oci *o, struct sbx_mount *m, const struct node *mount,
		     const char *label, struct err *e)
{
	struct node destination = node_get(mount, "destination"), type = node_get(mount, "type");
	int r = node_need(mount, e);

	if (r == 0)
		r = node_object(mount, e);
	if (r == 0)
		r = target(o, m, &destination, e);
	if (r == 0)
		r = oci_text(o, &type, &m->type, e);
	if (r == 0)
		r = oci_mount_options(o, m, mount, label, e);
	if (r == 0)
		r = id_maps(o, m, mount, e);
	return r < 0 ? r : finish(o, m, mount, e);
}

/* It will stand in quotes among options. */
static int mount_label(const struct node *part, const char **ret, struct err *e)
{
	struct node n = node_get(part, "mountLabel");
	const char *label = "";
	int r = node_text(&n, &label, e);

	if (r == 0 && strpbrk(label, "\"\n"))
		r = node_fail(&n, e, "not a label");
	if (r == 0 && *label)
		*ret = label;
	return r;
}

int oci_mounts(struct oci *o, const struct node *mounts, const struct node *part, struct err *e)
{
	const char *label = NULL;
	size_t n;
	int r = node_list(mounts, SBX_MOUNTS_MAX, &n, e);

	if (r == 0)
		r = mount_label(part, &label, e);
	if (r < 0)
		return r;
	o->plan->mounts = oci_alloc(o, (n + 1) * sizeof(*o->plan->mounts), e);
	if (!o->plan->mounts)
		return -e->code;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(mounts, i);

		r = one_mount(o, &o->plan->mounts[i], &item, label, e);
	}
	if (r == 0)
		o->plan->n_mounts = (uint32_t)n;
	return r;
}

/*
 * config.json: linux.namespaces, and what is set inside of them: timeOffsets, sysctl, netDevices. See
 * plan_oci.h.
 *
 * What a path leads to is looked at when the plan is executed (spaces.c): here nothing touches the host.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define NAMESPACES_MAX  32
#define SYSCTLS_MAX     256
#define NET_DEVICES_MAX 64

/* clang-format off */
static const struct oci_word kinds[] = {
	{"cgroup",  CLONE_NEWCGROUP},
	{"ipc",     CLONE_NEWIPC   },
	{"mount",   CLONE_NEWNS    },
	{"network", CLONE_NEWNET   },
	{"pid",     CLONE_NEWPID   },
	{"time",    CLONE_NEWTIME  },
	{"user",    CLONE_NEWUSER  },
	{"uts",     CLONE_NEWUTS   },
};
/* clang-format on */

/* ---- namespaces ---- */

const char *oci_namespace_word(size_t i)
{
	return i < ARRAY_SIZE(kinds) ? kinds[i].word : NULL;
}

static int kind_of(const struct node *type, uint64_t *ret, struct err *e)
{
	const char *name = NULL;
	int r = node_need(type, e);

	if (r == 0)
		r = node_text(type, &name, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
		if (str_is(kinds[i].word, name)) {
			*ret = kinds[i].value;
			return 0;
		}
	return r < 0 ? r : node_fail(type, e, "'%s' is no kind of namespace", name);
}

static int add_join(struct oci *o, const struct node *path, uint64_t flag, struct err *e)
{
	struct sbx_plan *p = o->plan;
	struct sbx_join *join = &p->joins[p->n_joins++];
	int r = oci_text(o, path, &join->path, e);

	if (r == 0 && join->path[0] != '/')
		r = node_fail(path, e, "not an absolute path");
	join->flag = flag;
	p->joined |= flag;
	return r;
}

static int one_namespace(struct oci *o, const struct node *n, struct err *e)
{
	struct node type = node_get(n, "type"), path = node_get(n, "path");
	uint64_t flag = 0;
	int r = kind_of(&type, &flag, e);

	if (r < 0)
		return r;
	if (sbx_plan_has(o->plan, flag))
		return node_fail(&type, e, "'%s' is given twice", json_string_value(type.json));
	if (!node_is_empty(&path))
		return add_join(o, &path, flag, e);
	o->plan->namespaces |= flag;
	return 0;
}

int oci_namespaces(struct oci *o, const struct node *part, struct err *e)
{
	struct node list = node_get(part, "namespaces");
	size_t n;
	int r = node_list(&list, NAMESPACES_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = one_namespace(o, &item, e);
	}
	return r;
}

/* ---- time ---- */

static int offset(struct sbx_time_offset *ret, const struct node *offsets, const char *clock,
		  struct err *e)
{
	struct node n = node_get(offsets, clock), secs = node_get(&n, "secs"),
		    nanosecs = node_get(&n, "nanosecs");
	int r = node_object(&n, e);

	if (r == 0)
		r = node_number(&secs, -NODE_NUMBER_MAX, NODE_NUMBER_MAX, &ret->secs, e);
	return r < 0 ? r : node_u32(&nanosecs, 0, 999999999, &ret->nanosecs, e);
}

static int time_offsets(struct sbx_plan *p, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "timeOffsets");
	const char *key;
	json_t *value;
	int r = node_object(&n, e);

	if (r < 0 || node_is_empty(&n))
		return r;
	if (!(p->namespaces & CLONE_NEWTIME))
		return node_fail(&n, e, "needs a new namespace of type time");
	json_object_foreach((json_t *)n.json, key, value)
	{
		struct node clock = node_get(&n, key);

		if (!str_is(key, "monotonic") && !str_is(key, "boottime"))
			return node_fail(&clock, e, "no clock that can have an offset");
	}
	p->has_time_offsets = true;
	r = offset(&p->monotonic, &n, "monotonic", e);
	return r < 0 ? r : offset(&p->boottime, &n, "boottime", e);
}

static int each_member(struct oci *o, const struct node *n,
		       int (*one)(struct oci *, const struct node *, struct err *), struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)n->json, key, value)
	{
		struct node item = node_get(n, key);

		if (one(o, &item, e) < 0)
			return -e->code;
	}
	return 0;
}

/* ---- sysctl ---- */

/* The kernel's own keeps no list of what belongs to a namespace; this is runc's. '/' at the end: all below. */
/* clang-format off */
static const struct {
	const char *file;
	uint64_t flag;
	const char *kind;
} sysctl_files[] = {
	{"net/",                   CLONE_NEWNET, "network"},
	{"fs/mqueue/",             CLONE_NEWIPC, "ipc"    },
	{"kernel/msgmax",          CLONE_NEWIPC, "ipc"    },
	{"kernel/msgmnb",          CLONE_NEWIPC, "ipc"    },
	{"kernel/msgmni",          CLONE_NEWIPC, "ipc"    },
	{"kernel/sem",             CLONE_NEWIPC, "ipc"    },
	{"kernel/shmall",          CLONE_NEWIPC, "ipc"    },
	{"kernel/shmmax",          CLONE_NEWIPC, "ipc"    },
	{"kernel/shmmni",          CLONE_NEWIPC, "ipc"    },
	{"kernel/shm_rmid_forced", CLONE_NEWIPC, "ipc"    },
	{"kernel/domainname",      CLONE_NEWUTS, "uts"    },
};
/* clang-format on */

/* "net.ipv4.conf.eth0/1.mtu" and "net/ipv4/conf/eth0.1/mtu" are one: the first separator says which way. */
static bool sysctl_file(const char *name, char out[SBX_SYSCTL_BYTES])
{
	bool has_dots = name[strcspn(name, "./")] == '.';
	size_t n = strlen(name), part = 0;

	if (n == 0 || n >= SBX_SYSCTL_BYTES)
		return false;
	for (size_t i = 0; i <= n; i++) {
		out[i] = name[i];
		if (has_dots && (name[i] == '.' || name[i] == '/'))
			out[i] = name[i] == '.' ? '/' : '.';
		if (out[i] != '/' && out[i])
			continue;
		if (i == part || (i - part <= 2 && strspn(out + part, ".") >= i - part))
			return false;
		part = i + 1;
	}
	return true;
}

static bool covers(const char *rule, const char *file)
{
	return str_has_suffix(rule, "/") ? str_has_prefix(file, rule) : str_is(rule, file);
}

static int sysctl_flag(const struct sbx_plan *p, const struct node *n, const char *file,
		       uint64_t *ret, struct err *e)
{
	if (str_is(file, "kernel/hostname") || (p->domainname && str_is(file, "kernel/domainname")))
		return node_fail(n, e, "conflicts with the member '%s' of the config", file + 7);
	for (size_t i = 0; i < ARRAY_SIZE(sysctl_files); i++) {
		if (!covers(sysctl_files[i].file, file))
			continue;
		if (!sbx_plan_has(p, sysctl_files[i].flag))
			return node_fail(n, e, "needs a namespace of type %s",
					 sysctl_files[i].kind);
		*ret = sysctl_files[i].flag;
		return 0;
	}
	return node_fail(n, e, "is not in a separate kernel namespace");
}

static int one_sysctl(struct oci *o, const struct node *n, struct err *e)
{
	struct sbx_sysctl *s = &o->plan->sysctls[o->plan->n_sysctls++];
	char file[SBX_SYSCTL_BYTES], *copy;
	int r = node_need(n, e);

	if (r == 0 && !sysctl_file(n->key, file))
		r = node_fail(n, e, "no name of a sysctl");
	if (r == 0)
		r = sysctl_flag(o->plan, n, file, &s->flag, e);
	if (r == 0)
		r = oci_text(o, n, &s->value, e);
	copy = r < 0 ? NULL : oci_alloc(o, strlen(file) + 1, e);
	if (!copy)
		return -e->code;
	s->file = strcpy(copy, file); /* fits: allocated so */
	return 0;
}

static int sysctls(struct oci *o, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "sysctl");
	struct sbx_plan *p = o->plan;
	size_t count = json_object_size(n.json);
	int r = node_object(&n, e);

	if (r < 0 || count == 0)
		return r;
	if (count > SYSCTLS_MAX)
		return node_fail(&n, e, "more than %d", SYSCTLS_MAX);
	p->sysctls = oci_alloc(o, count * sizeof(*p->sysctls), e);
	if (!p->sysctls)
		return -e->code;
	return each_member(o, &n, one_sysctl, e);
}

/* ---- network devices ---- */

/* What the kernel takes for a name (dev_valid_name()), and what cannot be a template ("eth%d"). */
static bool is_device_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < IFNAMSIZ && !str_is(name, ".") && !str_is(name, "..") &&
	       strcspn(name, "/:% \t\n\v\f\r") == n;
}

static int one_device(struct oci *o, const struct node *n, struct err *e)
{
	struct node name = node_get(n, "name");
	struct sbx_plan *p = o->plan;
	struct sbx_net_device *d = &p->net_devices[p->n_net_devices];
	const struct node old = {.json = json_null(), .up = n->up, .key = n->key};
	const char *text = n->key;
	char *copy = oci_alloc(o, strlen(text) + 1, e);
	int r = copy ? node_object(n, e) : -e->code;

	if (r == 0 && !is_device_name(text))
		r = node_fail(&old, e, "no name of a network device");
	if (r < 0)
		return r;
	d->name = d->new_name = strcpy(copy, text); /* fits: allocated so */
	if (!node_is_empty(&name))
		r = oci_text(o, &name, &d->new_name, e);
	if (r == 0 && !is_device_name(d->new_name))
		r = node_fail(&name, e, "'%s' is no name of a network device", d->new_name);
	for (uint32_t i = 0; r == 0 && i < p->n_net_devices; i++)
		if (str_is(p->net_devices[i].new_name, d->new_name))
			r = node_fail(&name, e, "'%s' is given twice", d->new_name);
	p->n_net_devices++;
	return r;
}

static int net_devices(struct oci *o, const struct node *part, struct err *e)
{
	struct node n = node_get(part, "netDevices");
	struct sbx_plan *p = o->plan;
	size_t count = json_object_size(n.json);
	int r = node_object(&n, e);

	if (r < 0 || count == 0)
		return r;
	if (!sbx_plan_has(p, CLONE_NEWNET))
		return node_fail(&n, e, "needs a namespace of type network");
	if (count > NET_DEVICES_MAX)
		return node_fail(&n, e, "more than %d", NET_DEVICES_MAX);
	p->net_devices = oci_alloc(o, count * sizeof(*p->net_devices), e);
	if (!p->net_devices)
		return -e->code;
	return each_member(o, &n, one_device, e);
}

int oci_in_namespaces(struct oci *o, const struct node *part, struct err *e)
{
	int r = time_offsets(o->plan, part, e);

	if (r == 0)
		r = sysctls(o, part, e);
	return r < 0 ? r : net_devices(o, part, e);
}

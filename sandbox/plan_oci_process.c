/* config.json: process. See plan_oci.h. */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/caps.h"

#define ENV_MAX       4096
#define CAPS_LIST_MAX CAPS_MAX
#define ID_MAX        (UINT32_MAX - 1) /* (uid_t)-1 means "leave it" to the kernel */
#define UMASK_DEFAULT 022              /* the specification has none; runc's and crun's */
#define OOM_SCORE_MAX 1000

/* Where HOME goes: NULL if the config gives it; an empty one counts as none, as it does for runc. */
static const char **home_slot(const char **env, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (str_has_prefix(env[i], "HOME="))
			return env[i][strlen("HOME=")] ? NULL : &env[i];
	return &env[n];
}

/* The copy ends with NULL, and has a slot before for the HOME that the config does not give. */
static int environment(struct oci *o, const struct node *env, struct err *e)
{
	const char **texts = NULL, **copy;
	uint32_t n = 0;
	int r = oci_texts(o, env, ENV_MAX, &texts, &n, e);

	if (r < 0)
		return r;
	copy = oci_alloc(o, (n + 2) * sizeof(*copy), e);
	if (!copy)
		return -e->code;
	if (n > 0)
		memcpy(copy, texts, n * sizeof(*copy));
	o->plan->env = copy;
	o->plan->home = home_slot(copy, n);
	return 0;
}

static int arguments(struct oci *o, const struct node *process, struct err *e)
{
	struct node args = node_get(process, "args"), env = node_get(process, "env"),
		    cwd = node_get(process, "cwd");
	uint32_t n_args = 0;
	int r = node_need(&args, e);

	if (r == 0)
		r = oci_texts(o, &args, SBX_ARGS_MAX, &o->plan->argv, &n_args, e);
	if (r == 0 && (n_args == 0 || !*o->plan->argv[0]))
		r = node_fail(&args, e, "no program is named");
	if (r == 0)
		r = environment(o, &env, e);
	if (r == 0)
		r = node_need(&cwd, e);
	if (r == 0)
		r = oci_text(o, &cwd, &o->plan->cwd, e);
	if (r == 0 && o->plan->cwd[0] != '/')
		r = node_fail(&cwd, e, "not an absolute path");
	return r;
}

static int groups(struct oci *o, const struct node *user, struct err *e)
{
	struct node list = node_get(user, "additionalGids");
	struct sbx_drop *d = &o->plan->drop;
	size_t n;
	int r = node_list(&list, SBX_GROUPS_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = node_need(&item, e);
		if (r == 0)
			r = node_u32(&item, 0, ID_MAX, &d->groups[d->n_groups++], e);
	}
	return r;
}

static int user(struct oci *o, const struct node *process, struct err *e)
{
	struct node n = node_get(process, "user"), uid = node_get(&n, "uid"),
		    gid = node_get(&n, "gid"), mask = node_get(&n, "umask");
	struct sbx_drop *d = &o->plan->drop;
	int r = node_object(&n, e);

	d->umask = UMASK_DEFAULT;
	if (r == 0)
		r = node_u32(&uid, 0, ID_MAX, &d->uid, e);
	if (r == 0)
		r = node_u32(&gid, 0, ID_MAX, &d->gid, e);
	if (r == 0)
		r = node_u32(&mask, 0, 0777, &d->umask, e);
	return r < 0 ? r : groups(o, &n, e);
}

static int capability_set(struct oci *o, const struct node *caps, const char *key, uint64_t *ret,
			  struct err *e)
{
	struct node list = node_get(caps, key);
	size_t n;
	int r = node_list(&list, CAPS_LIST_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);
		struct err unknown = ERR_INIT;
		const char *name = "";
		uint64_t bit = 0;

		r = node_text(&item, &name, e);
		/* "MUST be logged as a warning", says the specification, and not fail. */
		if (r == 0 && caps_from_name(name, &bit, &unknown) < 0)
			oci_warn(o, "process.capabilities.%s: %s: left out", key, unknown.text);
		*ret |= bit;
	}
	return r;
}

static int capabilities(struct oci *o, const struct node *process, struct err *e)
{
	struct node caps = node_get(process, "capabilities");
	struct sbx_drop *d = &o->plan->drop;
	const struct {
		const char *key;
		uint64_t *mask;
	} sets[] = {
		{"bounding",    &d->cap_bounding   },
                {"permitted",   &d->cap_permitted  },
		{"effective",   &d->cap_effective  },
                {"inheritable", &d->cap_inheritable},
		{"ambient",     &d->cap_ambient    },
	};
	int r = node_object(&caps, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++)
		r = capability_set(o, &caps, sets[i].key, sets[i].mask, e);
	if (r == 0 && d->cap_effective & ~d->cap_permitted)
		r = node_fail(&caps, e, "effective ones must be permitted");
	/*
	 * The kernel raises only what is permitted and inheritable. `runc spec` writes ambient ones that
	 * are not inheritable, and runc and crun start such bundles without them.
	 */
	d->cap_ambient &= d->cap_permitted & d->cap_inheritable;
	return r;
}

static const struct {
	const char *name;
	uint32_t resource;
} rlimit_names[] = {
	{"RLIMIT_AS",         RLIMIT_AS        },
	{"RLIMIT_CORE",       RLIMIT_CORE      },
	{"RLIMIT_CPU",        RLIMIT_CPU       },
	{"RLIMIT_DATA",       RLIMIT_DATA      },
	{"RLIMIT_FSIZE",      RLIMIT_FSIZE     },
	{"RLIMIT_LOCKS",      RLIMIT_LOCKS     },
	{"RLIMIT_MEMLOCK",    RLIMIT_MEMLOCK   },
	{"RLIMIT_MSGQUEUE",   RLIMIT_MSGQUEUE  },
	{"RLIMIT_NICE",       RLIMIT_NICE      },
	{"RLIMIT_NOFILE",     RLIMIT_NOFILE    },
	{"RLIMIT_NPROC",      RLIMIT_NPROC     },
	{"RLIMIT_RSS",        RLIMIT_RSS       },
	{"RLIMIT_RTPRIO",     RLIMIT_RTPRIO    },
	{"RLIMIT_RTTIME",     RLIMIT_RTTIME    },
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK",      RLIMIT_STACK     },
};

_Static_assert(ARRAY_SIZE(rlimit_names) <= SBX_RLIMITS_MAX, "a plan holds all of them");

static int rlimit_type(const struct oci *o, const struct node *n, uint32_t *ret, struct err *e)
{
	const struct sbx_drop *d = &o->plan->drop;
	const char *name = NULL;
	size_t i = 0;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &name, e);
	if (r < 0)
		return r;
	while (i < ARRAY_SIZE(rlimit_names) && !str_is(rlimit_names[i].name, name))
		i++;
	if (i == ARRAY_SIZE(rlimit_names))
		return node_fail(n, e, "'%s' is no limit", name);
	for (uint32_t k = 0; k < d->n_rlimits; k++)
		if (d->rlimits[k].resource == rlimit_names[i].resource)
			return node_fail(n, e, "%s is given twice", name);
	*ret = rlimit_names[i].resource;
	return 0;
}

static int rlimits(struct oci *o, const struct node *process, struct err *e)
{
	struct node list = node_get(process, "rlimits");
	struct sbx_drop *d = &o->plan->drop;
	size_t n;
	int r = node_list(&list, SBX_RLIMITS_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i), type = node_get(&item, "type"),
			    soft = node_get(&item, "soft"), hard = node_get(&item, "hard");
		struct sbx_rlimit l = {0};

		r = rlimit_type(o, &type, &l.resource, e);
		if (r == 0)
			r = node_need(&soft, e);
		if (r == 0)
			r = node_need(&hard, e);
		if (r == 0)
			r = node_u64(&soft, &l.soft, e);
		if (r == 0)
			r = node_u64(&hard, &l.hard, e);
		if (r == 0 && l.soft > l.hard)
			r = node_fail(&item, e, "soft is over hard");
		d->rlimits[d->n_rlimits++] = l;
	}
	return r;
}

static int oom_score(struct oci *o, const struct node *process, struct err *e)
{
	struct node n = node_get(process, "oomScoreAdj");
	int64_t value = 0;
	int r = node_number(&n, -OOM_SCORE_MAX, OOM_SCORE_MAX, &value, e);

	o->plan->oom_score_adj = (int32_t)value;
	o->plan->has_oom_score_adj = n.json != NULL;
	return r;
}

static int console_side(const struct node *size, const char *key, uint16_t *ret, struct err *e)
{
	struct node n = node_get(size, key);
	uint32_t value = 0;
	int r = node_u32(&n, 0, UINT16_MAX, &value, e);

	*ret = (uint16_t)value;
	return r;
}

/* The size of a terminal that is not wanted is ignored, as the specification says. */
static int terminal(struct oci *o, const struct node *process, struct err *e)
{
	struct node n = node_get(process, "terminal"), size = node_get(process, "consoleSize");
	struct sbx_terminal *t = &o->plan->terminal;
	int r = node_bool(&n, &t->is_wanted, e);

	if (r < 0 || !t->is_wanted)
		return r;
	r = node_object(&size, e);
	if (r == 0)
		r = console_side(&size, "height", &t->rows, e);
	return r < 0 ? r : console_side(&size, "width", &t->columns, e);
}

static int labels(struct oci *o, const struct node *process, struct err *e)
{
	const char **to[] = {&o->plan->apparmor, &o->plan->selinux};
	static const char *const keys[] = {"apparmorProfile", "selinuxLabel"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		struct node n = node_get(process, keys[i]);

		r = node_is_empty(&n) ? 0 : oci_text(o, &n, to[i], e);
	}
	return r;
}

int oci_process(struct oci *o, const struct node *process, struct err *e)
{
	struct node no_new_privs = node_get(process, "noNewPrivileges");
	int r = node_need(process, e);

	if (r == 0)
		r = node_object(process, e);
	if (r == 0)
		r = arguments(o, process, e);
	if (r == 0)
		r = terminal(o, process, e);
	if (r == 0)
		r = user(o, process, e);
	if (r == 0)
		r = capabilities(o, process, e);
	if (r == 0)
		r = rlimits(o, process, e);
	if (r == 0)
		r = node_bool(&no_new_privs, &o->plan->drop.no_new_privs, e);
	if (r == 0)
		r = oci_tune_process(o, process, e);
	if (r == 0)
		r = labels(o, process, e);
	return r < 0 ? r : oom_score(o, process, e);
}

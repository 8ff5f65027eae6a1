/* Parsers of the kernel's cgroup files: see cgroup_parse.h. */
#include "sandbox/cgroup_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* clang-format off */
static const struct {
	const char *v1, *v2;
} names[] = {
	[CG_CORE]     = {"core",     NULL},
	[CG_MEMORY]   = {"memory",   "memory"},
	[CG_CPU]      = {"cpu",      "cpu"},
	[CG_PIDS]     = {"pids",     "pids"},
	[CG_DEVICES]  = {"devices",  NULL},
	[CG_CPUACCT]  = {"cpuacct",  NULL},
	[CG_CPUSET]   = {"cpuset",   "cpuset"},
	[CG_BLKIO]    = {"blkio",    "io"},
	[CG_HUGETLB]  = {"hugetlb",  "hugetlb"},
	[CG_NET_CLS]  = {"net_cls",  NULL},
	[CG_NET_PRIO] = {"net_prio", NULL},
	[CG_RDMA]     = {"rdma",     "rdma"},
	[CG_MISC]     = {"misc",     "misc"},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(names) == CG_HIERARCHIES, "names for each hierarchy");

const char *cg_hierarchy_name(enum cg_hierarchy h)
{
	return names[h].v1;
}

const char *cg_v2_name(enum cg_hierarchy h)
{
	return names[h].v2;
}

enum cg_hierarchy cg_hierarchy_by_name(const char *name)
{
	int h = CG_CORE;

	while (h < CG_HIERARCHIES && !str_is(names[h].v1, name))
		h++;
	return (enum cg_hierarchy)h;
}

bool cg_has_word(const char *text, char sep, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += n)
		if ((at == text || at[-1] == sep) &&
		    (at[n] == sep || at[n] == '\0' || at[n] == '\n'))
			return true;
	return false;
}

bool cg_flat_value(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);
	unsigned long long value;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != ' ')
			continue;
		if (line[n + 1] < '0' || line[n + 1] > '9' || sscanf(line + n, "%llu", &value) != 1)
			return false;
		*ret = value;
		return true;
	}
	return false;
}

/* ---- /proc/self/cgroup ---- */

struct own {
	const char *path[CG_HIERARCHIES];     /* borrowed from the text; NULL = not listed */
	const char *together[CG_HIERARCHIES]; /* all controllers of that hierarchy: "cpu,cpuacct" */
};

/* "4:memory:/a/b", "5:cpu,cpuacct:/", "0::/a" */
static void parse_own_line(char *line, struct own *own)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return;
	*path++ = '\0';
	controllers++;
	if (*controllers == '\0')
		own->path[CG_CORE] = path;
	for (int h = CG_CORE + 1; h < CG_HIERARCHIES; h++)
		if (cg_has_word(controllers, ',', names[h].v1)) {
			own->path[h] = path;
			own->together[h] = controllers;
		}
}

static void parse_own(char *self_cgroup, struct own *own)
{
	char *save;

	for (char *line = strtok_r(self_cgroup, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_own_line(line, own);
}

/* ---- /proc/self/mountinfo ---- */

struct mount {
	char *root, *point; /* unescaped in place */
	const char *type, *options;
};

/* The kernel writes blank, tab, newline and backslash of a path as \ooo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* Fields: id parent major:minor root point options [tags...] - type source superblock-options */
static bool parse_mount(char *line, struct mount *ret)
{
	enum { ROOT = 3, POINT = 4, FIXED = 6, TYPE = 0, SUPER = 2, TAIL = 3 };
	char *tail = strstr(line, " - ");
	char *head_save, *tail_save, *head_field[FIXED], *tail_field[TAIL];

	if (!tail)
		return false;
	*tail = '\0';
	tail += 3;
	for (int i = 0; i < FIXED; i++)
		if (!(head_field[i] = strtok_r(i ? NULL : line, " ", &head_save)))
			return false;
	for (int i = 0; i < TAIL; i++)
		if (!(tail_field[i] = strtok_r(i ? NULL : tail, " ", &tail_save)))
			return false;
	unescape(head_field[ROOT]);
	unescape(head_field[POINT]);
	*ret = (struct mount){
		.root = head_field[ROOT],
		.point = head_field[POINT],
		.type = tail_field[TYPE],
		.options = tail_field[SUPER],
	};
	return true;
}

/*
 * Our group's directory as this mount shows it. False if the mount shows another part of the
 * hierarchy (a bind mount of a container), or our group is outside of our cgroup namespace
 * ("/../..").
 */
static bool place(const struct mount *m, const char *own, char out[PATH_MAX])
{
	size_t n = str_is(m->root, "/") ? 0 : strlen(m->root);
	const char *below = own + n;

	if (strncmp(own, m->root, n) != 0 || (*below != '/' && *below != '\0'))
		return false;
	if (str_is(below, "/.."))
		return false;
	if (str_has_prefix(below, "/../"))
		return false;
	if (str_is(below, "/"))
		below = "";
	return snprintf(out, PATH_MAX, "%s%s", m->point, below) < PATH_MAX;
}

static void use_mount(const struct mount *m, const struct own *own, struct cg_layout *layout)
{
	char path[PATH_MAX];

	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		bool is_there = h == CG_CORE ? str_is(m->type, "cgroup2")
					     : str_is(m->type, "cgroup") &&
						       cg_has_word(m->options, ',', names[h].v1);

		/* The first mount that serves wins: a later one is a copy in somebody's root. */
		if (!is_there || !own->path[h] || layout->path[h][0] != '\0' ||
		    !place(m, own->path[h], path))
			continue;
		memcpy(layout->path[h], path, sizeof(path));
		(void)str_copy(layout->top[h], sizeof(layout->top[h]), m->point);
	}
}

static void make_empty(struct cg_layout *layout)
{
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		layout->path[h][0] = layout->top[h][0] = '\0';
}

int cg_layout_parse(char *mountinfo, char *self_cgroup, struct cg_layout *ret, struct err *e)
{
	struct own own = {.path = {NULL}};
	struct mount m;
	char *line, *save;

	make_empty(ret);
	parse_own(self_cgroup, &own);
	for (line = strtok_r(mountinfo, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (parse_mount(line, &m))
			use_mount(&m, &own, ret);
	if (ret->path[CG_CORE][0] == '\0')
		return err_set(
			e, ENOTSUP,
			"cgroups: no cgroup2 mount shows our own group%s; mount it (mount -t "
			"cgroup2 none DIR), or boot with systemd.unified_cgroup_hierarchy=1",
			own.path[CG_CORE] ? "" : " (this kernel has no cgroup v2)");
	return 0;
}

/* ---- the usual places ---- */

#define USUAL_TOP "/sys/fs/cgroup"

static bool usual_dir(enum cg_hierarchy h, const struct own *own,
		      bool (*is_top)(const char *, bool), char top[PATH_MAX])
{
	if (h != CG_CORE)
		return snprintf(top, PATH_MAX, USUAL_TOP "/%s", own->together[h]) < PATH_MAX &&
		       is_top(top, false);
	(void)str_copy(top, PATH_MAX, USUAL_TOP);
	if (is_top(top, true))
		return true;
	(void)str_copy(top, PATH_MAX, USUAL_TOP "/unified");
	return is_top(top, true);
}

bool cg_layout_usual(char *self_cgroup, bool (*is_top)(const char *dir, bool is_v2),
		     struct cg_layout *ret)
{
	struct own own = {.path = {NULL}};

	make_empty(ret);
	parse_own(self_cgroup, &own);
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		struct mount m = {.root = (char[]){"/"}, .point = ret->top[h]};

		if (!own.path[h] && h != CG_CORE)
			continue;
		if (!own.path[h] || !usual_dir(h, &own, is_top, ret->top[h]) ||
		    !place(&m, own.path[h], ret->path[h]))
			return false;
	}
	return true;
}

int cg_layout_resolve(struct cg_layout *layout, const char *controllers, struct err *e)
{
	const char *core = layout->path[CG_CORE];
	char missing[64] = "";

	for (int h = CG_CORE + 1; h < CG_HIERARCHIES; h++) {
		const char *name = names[h].v2;
		size_t used = strlen(missing);

		if (layout->path[h][0] != '\0' || !name)
			continue;
		if (cg_has_word(controllers, ' ', name)) {
			memcpy(layout->path[h], core, sizeof(layout->path[h]));
			memcpy(layout->top[h], layout->top[CG_CORE], sizeof(layout->top[h]));
		} else if (h < CG_REQUIRED)
			(void)snprintf(missing + used, sizeof(missing) - used, " %s", name);
	}
	if (missing[0] != '\0')
		return err_set(
			e, ENOTSUP,
			"cgroups: no controller for%s: neither on a v1 mount nor given to our "
			"group '%s' (cgroup.controllers there: '%s')",
			missing, core, controllers);
	return 0;
}

enum cg_mode cg_layout_mode(const struct cg_layout *layout)
{
	for (int h = CG_CORE + 1; h < CG_REQUIRED; h++)
		if (!str_is(layout->path[h], layout->path[CG_CORE]))
			return CG_HYBRID;
	return CG_UNIFIED;
}

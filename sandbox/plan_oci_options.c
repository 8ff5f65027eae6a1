/*
 * config.json: the options of a mount. See plan_oci.h.
 *
 * Every option word of the specification is a row of one table; what is no word of it is the file system's
 * own and handed on. Of words that contradict each other the last counts.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/sys.h"

#define OPTIONS_MAX      64
#define OPTION_BYTES_MAX 4095 /* of one mount, as the kernel takes them */

enum action {
	ACT_ATTR,        /* set and clear attributes */
	ACT_RATTR,       /* the same of submounts too */
	ACT_PROPAGATION, /* set: MS_* */
	ACT_BIND,        /* set: recursive */
	ACT_IDMAP,       /* set: enum sbx_idmapping */
	ACT_REMOUNT,
	ACT_COPYUP,
	ACT_SUPER,     /* of the file system itself: handed on by fsconfig(2) */
	ACT_SUPER_OFF, /* the same, and what a bind mount has anyway */
	ACT_NOTHING,   /* what it asks for is so anyway */
};

static const struct option {
	const char *word;
	enum action action;
	uint64_t set, clr;
} options[] = {
	{"async",          ACT_SUPER_OFF,   0,                      0                     },
	{"atime",          ACT_ATTR,        0,                      MOUNT_ATTR__ATIME     },
	{"bind",           ACT_BIND,        0,                      0                     },
	{"defaults",       ACT_NOTHING,     0,                      0                     },
	{"dev",            ACT_ATTR,        0,                      MOUNT_ATTR_NODEV      },
	{"diratime",       ACT_ATTR,        0,                      MOUNT_ATTR_NODIRATIME },
	{"dirsync",        ACT_SUPER,       0,                      0                     },
	{"exec",           ACT_ATTR,        0,                      MOUNT_ATTR_NOEXEC     },
	{"idmap",          ACT_IDMAP,       SBX_IDMAP_MOUNT,        0                     },
	{"iversion",       ACT_SUPER,       0,                      0                     },
	{"lazytime",       ACT_SUPER,       0,                      0                     },
	{"loud",           ACT_NOTHING,     0,                      0                     },
	{"mand",           ACT_SUPER,       0,                      0                     },
	{"noatime",        ACT_ATTR,        MOUNT_ATTR_NOATIME,     MOUNT_ATTR__ATIME     },
	{"nodev",          ACT_ATTR,        MOUNT_ATTR_NODEV,       0                     },
	{"nodiratime",     ACT_ATTR,        MOUNT_ATTR_NODIRATIME,  0                     },
	{"noexec",         ACT_ATTR,        MOUNT_ATTR_NOEXEC,      0                     },
	{"noiversion",     ACT_NOTHING,     0,                      0                     },
	{"nolazytime",     ACT_SUPER_OFF,   0,                      0                     },
	{"nomand",         ACT_SUPER_OFF,   0,                      0                     },
	{"norelatime",     ACT_NOTHING,     0,                      0                     }, /* relatime is the kernel's default then */
	{"nostrictatime",  ACT_ATTR,        0,                      MOUNT_ATTR__ATIME     },
	{"nosuid",         ACT_ATTR,        MOUNT_ATTR_NOSUID,      0                     },
	{"nosymfollow",    ACT_ATTR,        MOUNT_ATTR_NOSYMFOLLOW, 0                     },
	{"private",        ACT_PROPAGATION, MS_PRIVATE,             0                     },
	{"ratime",         ACT_RATTR,       0,                      MOUNT_ATTR__ATIME     },
	{"rbind",          ACT_BIND,        1,                      0                     },
	{"rdev",           ACT_RATTR,       0,                      MOUNT_ATTR_NODEV      },
	{"rdiratime",      ACT_RATTR,       0,                      MOUNT_ATTR_NODIRATIME },
	{"relatime",       ACT_ATTR,        0,                      MOUNT_ATTR__ATIME     },
	{"remount",        ACT_REMOUNT,     0,                      0                     },
	{"rexec",          ACT_RATTR,       0,                      MOUNT_ATTR_NOEXEC     },
	{"ridmap",         ACT_IDMAP,       SBX_IDMAP_TREE,         0                     },
	{"rnoatime",       ACT_RATTR,       MOUNT_ATTR_NOATIME,     MOUNT_ATTR__ATIME     },
	{"rnodev",         ACT_RATTR,       MOUNT_ATTR_NODEV,       0                     },
	{"rnodiratime",    ACT_RATTR,       MOUNT_ATTR_NODIRATIME,  0                     },
	{"rnoexec",        ACT_RATTR,       MOUNT_ATTR_NOEXEC,      0                     },
	{"rnorelatime",    ACT_NOTHING,     0,                      0                     },
	{"rnostrictatime", ACT_RATTR,       0,                      MOUNT_ATTR__ATIME     },
	{"rnosuid",        ACT_RATTR,       MOUNT_ATTR_NOSUID,      0                     },
	{"rnosymfollow",   ACT_RATTR,       MOUNT_ATTR_NOSYMFOLLOW, 0                     },
	{"ro",             ACT_ATTR,        MOUNT_ATTR_RDONLY,      0                     },
	{"rprivate",       ACT_PROPAGATION, MS_PRIVATE | MS_REC,    0                     },
	{"rrelatime",      ACT_RATTR,       0,                      MOUNT_ATTR__ATIME     },
	{"rro",            ACT_RATTR,       MOUNT_ATTR_RDONLY,      0                     },
	{"rrw",            ACT_RATTR,       0,                      MOUNT_ATTR_RDONLY     },
	{"rshared",        ACT_PROPAGATION, MS_SHARED | MS_REC,     0                     },
	{"rslave",         ACT_PROPAGATION, MS_SLAVE | MS_REC,      0                     },
	{"rstrictatime",   ACT_RATTR,       MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME     },
	{"rsuid",          ACT_RATTR,       0,                      MOUNT_ATTR_NOSUID     },
	{"rsymfollow",     ACT_RATTR,       0,                      MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable",    ACT_PROPAGATION, MS_UNBINDABLE | MS_REC, 0                     },
	{"rw",             ACT_ATTR,        0,                      MOUNT_ATTR_RDONLY     },
	{"shared",         ACT_PROPAGATION, MS_SHARED,              0                     },
	{"silent",         ACT_NOTHING,     0,                      0                     },
	{"slave",          ACT_PROPAGATION, MS_SLAVE,               0                     },
	{"strictatime",    ACT_ATTR,        MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME     },
	{"suid",           ACT_ATTR,        0,                      MOUNT_ATTR_NOSUID     },
	{"symfollow",      ACT_ATTR,        0,                      MOUNT_ATTR_NOSYMFOLLOW},
	{"sync",           ACT_SUPER,       0,                      0                     },
	{"tmpcopyup",      ACT_COPYUP,      0,                      0                     },
	{"unbindable",     ACT_PROPAGATION, MS_UNBINDABLE,          0                     },
};

/* The file systems a config may ask for by type; any other is the kernel's to judge. */
static const struct {
	const char *type;
	enum sbx_mount_kind kind;
} special[] = {
	{"bind",    SBX_MOUNT_BIND  },
	{"cgroup",  SBX_MOUNT_CGROUP},
	{"cgroup2", SBX_MOUNT_CGROUP},
};

static const struct option *find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (str_is(options[i].word, word))
			return &options[i];
	return NULL;
}

const char *oci_mount_word(size_t i)
{
	return i < ARRAY_SIZE(options) ? options[i].word : NULL;
}

/* One word into attributes, of which a later one overrides an earlier. */
static void apply(uint64_t *set, uint64_t *clr, const struct option *o)
{
	*set = (*set & ~o->clr) | o->set;
	*clr = (*clr & ~o->set) | o->clr;
}

static int super(const struct sbx_mount *m, const struct node *n, const char *word,
		 struct buf *data, struct err *e)
{
	if (m->kind == SBX_MOUNT_BIND || m->is_bind)
		return node_fail(n, e, "'%s' is no option of a bind mount", word);
	if (!*word)
		return node_fail(n, e, "an empty option");
	buf_printf(data, "%s%s", data->len > 0 ? "," : "", word);
	return buf_failed(data) ? node_fail(n, e, "options of over %d bytes", OPTION_BYTES_MAX) : 0;
}

/* A recursive word says it all; one for the mount alone is on top of what was said of the tree. */
static void propagate(struct sbx_mount *m, uint64_t flags)
{
	if (flags & MS_REC)
		m->rpropagation = flags & ~(uint64_t)MS_REC;
	m->propagation = flags & MS_REC ? 0 : flags;
}

static int one_option(struct sbx_mount *m, const struct node *n, struct buf *data, struct err *e)
{
	const char *word = "";
	const struct option *o;
	int r = node_text(n, &word, e);

	if (r < 0)
		return r;
	o = find(word);
	switch (o ? o->action : ACT_SUPER) {
	case ACT_ATTR:
		apply(&m->attr_set, &m->attr_clr, o);
		return 0;
	case ACT_RATTR:
		apply(&m->rattr_set, &m->rattr_clr, o);
		return 0;
	case ACT_PROPAGATION:
		propagate(m, o->set);
		return 0;
	case ACT_IDMAP:
		m->idmapping = (enum sbx_idmapping)o->set;
		return 0;
	case ACT_COPYUP:
		m->copies_up = true;
		return 0;
	case ACT_BIND:
	case ACT_REMOUNT:
	case ACT_NOTHING:
		return 0;
	case ACT_SUPER_OFF:
		if (m->kind == SBX_MOUNT_BIND || m->is_bind)
			return 0;
		break;
	case ACT_SUPER:
		break;
	}
	return super(m, n, word, data, e);
}

/* What a mount is follows from its type and some of its words, whatever their order. */
static int choose_kind(struct sbx_mount *m, const struct node *list, size_t n, struct err *e)
{
	bool is_remount = false;

	for (size_t i = 0; m->type && i < ARRAY_SIZE(special); i++)
		if (str_is(special[i].type, m->type))
			m->kind = special[i].kind;
	for (size_t i = 0; i < n; i++) {
		struct node item = node_at(list, i);
		const char *word = "";
		const struct option *o;
		int r = node_text(&item, &word, e);

		if (r < 0)
			return r;
		o = find(word);
		if (o && o->action == ACT_BIND) {
			m->kind = SBX_MOUNT_BIND;
			m->is_recursive = m->is_recursive || o->set;
		}
		is_remount = is_remount || (o && o->action == ACT_REMOUNT);
	}
	if (is_remount) {
		m->is_bind = m->kind == SBX_MOUNT_BIND;
		m->kind = SBX_MOUNT_REMOUNT;
	}
	return 0;
}

/* An SELinux label has commas: it goes in quotes. */
static int add_label(struct sbx_mount *m, const struct node *mount, const char *label,
		     struct buf *data, struct err *e)
{
	static const char *const unlabelled[] = {"proc", "sysfs", "mqueue"};

	if (!label || m->kind != SBX_MOUNT_FS)
		return 0;
	for (size_t i = 0; m->type && i < ARRAY_SIZE(unlabelled); i++)
		if (str_is(m->type, unlabelled[i]))
			return 0;
	buf_printf(data, "%scontext=\"%s\"", data->len > 0 ? "," : "", label);
	return buf_failed(data) ? node_fail(mount, e, "options of over %d bytes", OPTION_BYTES_MAX)
				: 0;
}

static bool says_mode(const char *data)
{
	for (; data; data = strchr(data, ','), data = data ? data + 1 : NULL)
		if (str_has_prefix(data, "mode="))
			return true;
	return false;
}

int oci_mount_options(struct oci *o, struct sbx_mount *m, const struct node *mount,
		      const char *label, struct err *e)
{
	struct node list = node_get(mount, "options");
	_cleanup_buf_ struct buf data;
	char *copy;
	size_t n;
	int r = node_list(&list, OPTIONS_MAX, &n, e);

	buf_init(&data, OPTION_BYTES_MAX);
	if (r == 0)
		r = choose_kind(m, &list, n, e);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = node_need(&item, e);
		if (r == 0)
			r = one_option(m, &item, &data, e);
	}
	if (r == 0)
		r = add_label(m, mount, label, &data, e);
	m->keeps_mode = m->kind == SBX_MOUNT_FS && m->type && str_is(m->type, "tmpfs") &&
			!(data.len > 0 && says_mode(data.data));
	if (r < 0 || data.len == 0)
		return r;
	copy = oci_alloc(o, data.len + 1, e);
	if (!copy)
		return -e->code;
	m->data = memcpy(copy, data.data, data.len + 1);
	return 0;
}

/*
 * config.json: mounts. See plan_oci.h.
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

#define OPTIONS_MAX	 64
#define OPTION_BYTES_MAX 4095 /* of one mount, as the kernel takes them */

enum action {
	ACT_ATTR,	 /* set and clear attributes */
	ACT_RATTR,	 /* the same of submounts too */
	ACT_PROPAGATION, /* set: MS_* */
	ACT_BIND,	 /* set: recursive */
	ACT_SUPER,	 /* of the file system itself: handed on by fsconfig(2) */
	ACT_NOTHING,	 /* what it asks for is so anyway */
	ACT_REFUSED,
};

static const struct option {
	const char *word;
	enum action action;
	uint64_t set, clr;
} options[] = {
	{"async",	  ACT_SUPER,	     0,			0			 },
	{"atime",	  ACT_ATTR,	    0,		       MOUNT_ATTR__ATIME	},
	{"bind",		 ACT_BIND,	   0,		      0		       },
	{"defaults",	     ACT_NOTHING,	  0,			     0		      },
	{"dev",		ACT_ATTR,	  0,			     MOUNT_ATTR_NODEV	     },
	{"diratime",	     ACT_ATTR,	       0,			  MOUNT_ATTR_NODIRATIME },
	{"dirsync",	    ACT_SUPER,       0,			  0			   },
	{"exec",		 ACT_ATTR,	   0,		      MOUNT_ATTR_NOEXEC     },
	{"idmap",	  ACT_REFUSED,     0,			  0			   },
	{"iversion",	     ACT_SUPER,	0,			   0			    },
	{"lazytime",	     ACT_SUPER,	0,			   0			    },
	{"loud",		 ACT_NOTHING,     0,			 0			  },
	{"mand",		 ACT_SUPER,	    0,		       0			},
	{"noatime",	    ACT_ATTR,	      MOUNT_ATTR_NOATIME,	  MOUNT_ATTR__ATIME	   },
	{"nodev",	  ACT_ATTR,	    MOUNT_ATTR_NODEV,	      0		       },
	{"nodiratime",     ACT_ATTR,	 MOUNT_ATTR_NODIRATIME,	0			 },
	{"noexec",	   ACT_ATTR,	     MOUNT_ATTR_NOEXEC,	0			 },
	{"noiversion",     ACT_SUPER,	  0,			     0		      },
	{"nolazytime",     ACT_SUPER,	  0,			     0		      },
	{"nomand",	   ACT_SUPER,	      0,			 0			  },
	{"norelatime",     ACT_NOTHING,	    0,		       0			}, /* relatime is the kernel's default then */
	{"nostrictatime",  ACT_ATTR,	    0,		       MOUNT_ATTR__ATIME	},
	{"nosuid",	   ACT_ATTR,	     MOUNT_ATTR_NOSUID,	0			 },
	{"nosymfollow",	ACT_ATTR,	  MOUNT_ATTR_NOSYMFOLLOW, 0			   },
	{"private",	    ACT_PROPAGATION, MS_PRIVATE,		 0			  },
	{"ratime",	   ACT_RATTR,	      0,			 MOUNT_ATTR__ATIME	  },
	{"rbind",	  ACT_BIND,	    1,		       0			},
	{"rdev",		 ACT_RATTR,	    0,		       MOUNT_ATTR_NODEV      },
	{"rdiratime",      ACT_RATTR,	 0,			    MOUNT_ATTR_NODIRATIME },
	{"relatime",	     ACT_ATTR,	       0,			  MOUNT_ATTR__ATIME	   },
	{"remount",	    ACT_REFUSED,	 0,			    0		     },
	{"rexec",	  ACT_RATTR,	     0,			MOUNT_ATTR_NOEXEC	 },
	{"ridmap",	   ACT_REFUSED,	0,			   0			    },
	{"rnoatime",	     ACT_RATTR,	MOUNT_ATTR_NOATIME,	    MOUNT_ATTR__ATIME     },
	{"rnodev",	   ACT_RATTR,	      MOUNT_ATTR_NODEV,	0			 },
	{"rnodiratime",	ACT_RATTR,	   MOUNT_ATTR_NODIRATIME,  0			   },
	{"rnoexec",	    ACT_RATTR,       MOUNT_ATTR_NOEXEC,	  0			   },
	{"rnorelatime",	ACT_NOTHING,     0,			0			 },
	{"rnostrictatime", ACT_RATTR,	      0,			 MOUNT_ATTR__ATIME	  },
	{"rnosuid",	    ACT_RATTR,       MOUNT_ATTR_NOSUID,	  0			   },
	{"rnosymfollow",	 ACT_RATTR,	    MOUNT_ATTR_NOSYMFOLLOW, 0		     },
	{"ro",	       ACT_ATTR,	 MOUNT_ATTR_RDONLY,	    0		     },
	{"rprivate",	     ACT_PROPAGATION, MS_PRIVATE | MS_REC,	   0			    },
	{"rrelatime",      ACT_RATTR,	 0,			    MOUNT_ATTR__ATIME     },
	{"rro",		ACT_RATTR,	   MOUNT_ATTR_RDONLY,      0		       },
	{"rrw",		ACT_RATTR,	   0,		      MOUNT_ATTR_RDONLY     },
	{"rshared",	    ACT_PROPAGATION, MS_SHARED | MS_REC,	 0			  },
	{"rslave",	   ACT_PROPAGATION, MS_SLAVE | MS_REC,      0			},
	{"rstrictatime",	 ACT_RATTR,	    MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME     },
	{"rsuid",	  ACT_RATTR,	     0,			MOUNT_ATTR_NOSUID	 },
	{"rsymfollow",     ACT_RATTR,	  0,			     MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable",	ACT_PROPAGATION, MS_UNBINDABLE | MS_REC, 0			  },
	{"rw",	       ACT_ATTR,	 0,			    MOUNT_ATTR_RDONLY     },
	{"shared",	   ACT_PROPAGATION, MS_SHARED,	       0			},
	{"silent",	   ACT_NOTHING,	0,			   0			    },
	{"slave",	  ACT_PROPAGATION, MS_SLAVE,		     0		      },
	{"strictatime",	ACT_ATTR,	  MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME	   },
	{"suid",		 ACT_ATTR,	   0,		      MOUNT_ATTR_NOSUID     },
	{"symfollow",      ACT_ATTR,	0,			   MOUNT_ATTR_NOSYMFOLLOW},
	{"sync",		 ACT_SUPER,	    0,		       0			},
	{"tmpcopyup",      ACT_REFUSED,	   0,		      0		       },
	{"unbindable",     ACT_PROPAGATION, MS_UNBINDABLE,	       0			},
};

/* The file systems a config may ask for by type; any other is the kernel's to judge. */
static const struct {
	const char *type;
	enum sbx_mount_kind kind;
} special[] = {
	{"bind",	 SBX_MOUNT_BIND  },
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
	for (size_t at = 0; at < ARRAY_SIZE(options); at++)
		if (options[at].action != ACT_REFUSED && i-- == 0)
			return options[at].word;
	return NULL;
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
	if (m->kind == SBX_MOUNT_BIND)
		return node_fail(n, e, "'%s' is no option of a bind mount", word);
	if (!*word)
		return node_fail(n, e, "an empty option");
	buf_printf(data, "%s%s", data->len > 0 ? "," : "", word);
	return buf_failed(data) ? node_fail(n, e, "options of over %d bytes", OPTION_BYTES_MAX) : 0;
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
		m->propagation = o->set;
		return 0;
	case ACT_BIND:
	case ACT_NOTHING:
		return 0;
	case ACT_SUPER:
		return super(m, n, word, data, e);
	case ACT_REFUSED:
		break;
	}
	return node_fail(n, e, "'%s' is not supported", word);
}

/* A mount is a bind mount by its type or by an option, whatever the order. */
static int choose_kind(struct sbx_mount *m, const struct node *list, size_t n, struct err *e)
{
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
	}
	return 0;
}

static int all_options(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
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
	if (r < 0 || data.len == 0)
		return r;
	copy = oci_alloc(o, data.len + 1, e);
	if (!copy)
		return -e->code;
	m->data = memcpy(copy, data.data, data.len + 1);
	return 0;
}

/* What follows from the kind of the mount, now that all its options are known. */
static int finish(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	struct node source = node_get(mount, "source"), type = node_get(mount, "type");
	int r;

	if (m->propagation & (MS_SLAVE | MS_SHARED))
		o->plan->follows_host_mounts = true;
	if (m->kind == SBX_MOUNT_BIND) {
		r = node_need(&source, e);
		if (m->propagation == 0)
			m->propagation = MS_PRIVATE | MS_REC;
		return r < 0 ? r : oci_host_path(o, &source, &m->source, e);
	}
	if (!m->type)
		return node_need(&type, e);
	/* A new file system has no submounts. */
	m->attr_set |= m->rattr_set;
	m->rattr_set = m->rattr_clr = 0;
	/* Others may be mounted in it, and devices made. */
	if (m->attr_set & MOUNT_ATTR_RDONLY && str_is(m->type, "tmpfs")) {
		m->attr_set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		m->late_readonly = true;
	}
	return oci_text(o, &source, &m->source, e);
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

static int one_mount(struct oci *o, struct sbx_mount *m, const struct node *mount, struct err *e)
{
	static const char *const unsupported[] = {"uidMappings", "gidMappings", NULL};
	struct node destination = node_get(mount, "destination"), type = node_get(mount, "type");
	int r = node_need(mount, e);

	if (r == 0)
		r = node_object(mount, e);
	if (r == 0)
		r = node_refuse(mount, unsupported, e);
	if (r == 0)
		r = target(o, m, &destination, e);
	if (r == 0)
		r = oci_text(o, &type, &m->type, e);
	if (r == 0)
		r = all_options(o, m, mount, e);
	return r < 0 ? r : finish(o, m, mount, e);
}

int oci_mounts(struct oci *o, const struct node *mounts, struct err *e)
{
	size_t n;
	int r = node_list(mounts, SBX_MOUNTS_MAX, &n, e);

	if (r < 0)
		return r;
	o->plan->mounts = oci_alloc(o, (n + 1) * sizeof(*o->plan->mounts), e);
	if (!o->plan->mounts)
		return -e->code;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(mounts, i);

		r = one_mount(o, &o->plan->mounts[i], &item, e);
	}
	if (r == 0)
		o->plan->n_mounts = (uint32_t)n;
	return r;
}

/*
 * The plan of a sandbox: everything its start needs, checked and compiled beforehand.
 *
 * Life cycle
 *   1. compile: sbx_plan_from_oci(), sbx_plan_for_exec() or sbx_plan_for_function() check every value and fill a
 *      plan. An invalid input dies here, with a message that names the field. Nothing has been created.
 *   2. execute, any number of times: sbx_start() or sbx_exec() (sandbox/sandbox.h).
 *   3. sbx_plan_free().
 *
 * A plan is data: nothing in it refers to the config it came from, and execution never changes it.
 * Strings live in the plan's own memory.
 */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "sandbox/cgroup.h"
#include "sandbox/drop.h"
#include "sandbox/resources.h"
#include "sandbox/tune.h"

#define SBX_MOUNTS_MAX   256
#define SBX_PATHS_MAX    256 /* masked or read-only paths */
#define SBX_DEVICES_MAX  256 /* the default ones among them */
#define SBX_ARGS_MAX     4096
#define SBX_IDMAPS_MAX   32
#define SBX_PLAN_BYTES   (8u << 20) /* all strings and arrays of a plan together */
#define SBX_WARNINGS_MAX 16
#define SBX_JOINS_MAX    8   /* one of each kind */
#define SBX_SYSCTL_BYTES 256 /* of a name, with its end */

struct sbx_idmap {
	uint32_t inside, outside, count;
};

enum sbx_mount_kind {
	SBX_MOUNT_FS,   /* a new file system: type, source, data */
	SBX_MOUNT_BIND, /* the tree at source on the host, cloned */
	SBX_MOUNT_CGROUP, /* cgroup2, its root the sandbox's own group, with cgroup namespace or without */
	SBX_MOUNT_SCRATCH, /* a fresh directory in the root's scratch space, mode as given */
	SBX_MOUNT_REMOUNT, /* what an earlier row mounted at target, changed: attributes are exactly attr_set */
};

/* Does a bind mount show other owners than the disk has (mount_setattr(2), MOUNT_ATTR_IDMAP)? */
enum sbx_idmapping { SBX_IDMAP_NONE, SBX_IDMAP_MOUNT, SBX_IDMAP_TREE /* submounts too */ };

struct sbx_mount {
	enum sbx_mount_kind kind;
	const char *target; /* inside the new root; created when missing */
	const char *source; /* BIND: host path; FS: as the file system wants it, or NULL */
	const char *type;   /* FS */
	const char *data;   /* FS: "k=v,flag", or NULL */
	uint64_t attr_set;  /* MOUNT_ATTR_* of mount_setattr(2) */
	uint64_t attr_clr;
	uint64_t rattr_set; /* BIND: the same for it and all submounts, applied before attr_* */
	uint64_t rattr_clr;
	/* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0: first of it and all submounts, then its own. */
	uint64_t rpropagation, propagation;
	uint32_t mode; /* SCRATCH: of the directory */
	/* BIND. Without maps of its own it gets those of the sandbox's user namespace. */
	enum sbx_idmapping idmapping;
	const struct sbx_idmap *uid_maps, *gid_maps;
	uint32_t n_uid_maps, n_gid_maps;
	bool is_recursive; /* BIND: submounts too */
	bool is_bind;      /* REMOUNT: of the mount alone, its file system keeps its options */
	bool copies_up;    /* FS: begins with a copy of what it hides */
	bool keeps_mode; /* FS: its top has the mode of the directory it hides, if there was one */
	bool late_readonly; /* read-only once everything below it has been mounted and made */
};

/*
 * A device in the finished root. Its node is made on a file system of the sandbox's own, never in the root's;
 * where nobody may make nodes (user namespaces), the host's node of that path is bound: with its owner and mode.
 */
struct sbx_device {
	const char *path; /* inside the root */
	uint32_t mode;    /* S_IFCHR, S_IFBLK or S_IFIFO, and permissions */
	uint32_t major, minor;
	uint32_t uid, gid; /* inside */
	bool is_default;   /* nobody asked for it: a file that is in its place will be covered */
};

/* The root: a directory as it is, or a read-only layer under a size-limited tmpfs. */
struct sbx_root {
	const char *path;  /* bind this directory; or NULL: overlay */
	const char *lower; /* overlay: host path of the read-only layer */
	const char *
		stage; /* overlay: an empty host directory; covered in the child's own namespace only */
	uint64_t scratch_bytes; /* size of the tmpfs that holds upper and scratch mounts */
	bool is_readonly;       /* the finished root, without submounts */
	bool no_devices;        /* path: device nodes that lie in it cannot be opened */
	/* Of the finished root, maybe | MS_REC; 0: private. Shared: with none but its own later copies. */
	uint64_t propagation;
};

/* The process gets a pty of the container's own. Rows and columns 0: the kernel's default. */
struct sbx_terminal {
	bool is_wanted;
	uint16_t rows, columns;
};

/* Who answers the calls that a filter passes on (SCMP_ACT_NOTIFY). */
struct sbx_listener {
	const char *path;     /* a stream socket on the host that is told of it; NULL = nobody */
	const char *metadata; /* for its eyes only; or NULL */
};

/*
 * Programs of whoever runs the container, started at points of its life with its state as JSON on stdin
 * (runtime-spec, "POSIX-platform Hooks"). Those of the container's namespaces are started by the child.
 */
enum sbx_hook_kind {
	SBX_HOOK_PRESTART,         /* ours: when all is mounted, before the root is entered */
	SBX_HOOK_CREATE_RUNTIME,   /* ours: then */
	SBX_HOOK_CREATE_CONTAINER, /* the container's: then */
	SBX_HOOK_START_CONTAINER,  /* the container's, in its root: before its program */
	SBX_HOOK_POSTSTART,        /* ours: after its program was executed */
	SBX_HOOK_POSTSTOP,         /* ours: when all is gone */
	SBX_HOOK_KINDS
};

#define SBX_HOOKS_MAX 64 /* of a kind */

struct sbx_hook {
	const char *path;   /* absolute */
	const char **argv;  /* NULL-terminated */
	const char **env;   /* the same, all it gets; NULL: see hook.h */
	uint32_t timeout_s; /* 0: none */
};

struct sbx_hooks {
	struct sbx_hook *hooks;
	uint32_t n;
};

/* A namespace that exists. */
struct sbx_join {
	uint64_t flag;    /* CLONE_NEW* */
	const char *path; /* on the host */
};

/* A file below /proc/sys, and what is written into it. */
struct sbx_sysctl {
	const char *file; /* "net/ipv4/ip_forward" */
	const char *value;
	uint64_t flag; /* CLONE_NEW*: the namespace it belongs to */
};

/* A device of the starter's network namespace that moves into the sandbox's. */
struct sbx_net_device {
	const char *name, *new_name; /* alike: keep */
};

struct sbx_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

struct sbx_plan {
	uint64_t namespaces; /* CLONE_NEW* to create */
	uint64_t joined;     /* CLONE_NEW* of joins; none is in both */
	struct sbx_join joins[SBX_JOINS_MAX];
	uint32_t n_joins;
	struct sbx_sysctl *sysctls;
	uint32_t n_sysctls;
	struct sbx_net_device *net_devices;
	uint32_t n_net_devices;
	bool has_time_offsets; /* of a new time namespace */
	struct sbx_time_offset monotonic, boottime;
	struct sbx_idmap uid_maps[SBX_IDMAPS_MAX], gid_maps[SBX_IDMAPS_MAX];
	uint32_t n_uid_maps, n_gid_maps;
	const char *hostname, *domainname;
	/* Mounts made on the host later may appear in bind mounts that are slaves; never the reverse. */
	bool follows_host_mounts;
	struct sbx_root root;
	struct sbx_mount *mounts;
	uint32_t n_mounts;
	const char **masked, **readonly; /* paths inside the root */
	uint32_t n_masked, n_readonly;
	struct sbx_device *devices;
	uint32_t n_devices;
	/* /dev is the sandbox's own and gets its links; else the config bound one, to which nothing is added. */
	bool has_own_dev;
	struct cg_resources resources; /* applied to the group by the starter */
	const char *cgroup_path; /* as cg_shared_create() takes it; NULL: the starter chooses */
	int32_t oom_score_adj;
	bool has_oom_score_adj;
	/* The process. argv NULL: the child becomes the sandbox's pid 1, which only reaps. */
	const char **argv, **env; /* NULL-terminated */
	const char **
		home; /* the slot in env for HOME, found in the root's /etc/passwd; NULL: env has one */
	const char *cwd; /* made in the root when missing */
	struct sbx_tune tune;
	const char *apparmor, *selinux; /* profile, label; NULL: none */
	struct sbx_terminal terminal;
	bool has_new_keyring;  /* a session keyring of its own, empty */
	bool dies_with_parent; /* SIGKILL when the starter ends (prctl(2), PR_SET_PDEATHSIG) */
	struct sbx_drop drop;
	struct sbx_listener listener; /* of drop.filter */
	const char *seccomp_skipped;  /* " a b": calls in its rules that libseccomp does not know */
	struct sbx_hooks hooks[SBX_HOOK_KINDS];
	const char *oci_version;                /* of the config */
	const char **annotations;               /* name, value, name, value ... */
	uint32_t n_annotations;                 /* pairs */
	const char *warnings[SBX_WARNINGS_MAX]; /* to be told, without failing */
	uint32_t n_warnings;
	struct arena *arena; /* owns all of the above that is behind a pointer */
};

/* Is it in a namespace of this kind (CLONE_NEW*) that the config names, new or joined? */
static inline bool sbx_plan_has(const struct sbx_plan *p, uint64_t flag)
{
	return (p->namespaces | p->joined) & flag;
}

/*
 * Leave out of a plan the capabilities that this process does not have and so cannot give, with a warning: the
 * specification wants no failure. In a user namespace they are others, which nobody lacks.
 */
int sbx_plan_grant(struct sbx_plan *p, struct err *e);

/* An OCI bundle: DIR/config.json. Members that are not honoured are refused by name. */
int sbx_plan_from_oci(const char *bundle_dir, struct sbx_plan **ret, struct err *e);

/* What is asked for a further process. NULL, false and no items: what the config says, but see terminal. */
struct sbx_wish {
	/*
	 * A process object as text. What it does not have is the config's, except for args, env, terminal and
	 * consoleSize. What follows comes on top of it.
	 */
	const char *process;
	struct opt_rest argv;
	struct opt_list env; /* NAME=VALUE, in place of the value that NAME has */
	const char *cwd;
	const char *user;       /* UID or UID:GID */
	struct opt_list groups; /* more supplementary ones */
	struct opt_list caps;   /* more permitted, effective and bounding ones */
	const char *apparmor, *label;
	bool terminal; /* without it and process there is none, whatever the config says */
	bool no_new_privs;
};

/*
 * config is the text of a container's config.json. The plan has all of it; sbx_exec() uses the process. Its
 * arguments must be given by process or argv. cache_root as in sbx_plan_from_oci_at(); or NULL.
 */
int sbx_plan_for_exec(const char *cache_root, const char *config, const char *bundle,
		      const struct sbx_wish *w, struct sbx_plan **ret, struct err *e);

/*
 * The same for linux.resources alone, as `update` reads it: what is not in it stays as it is, devices are not
 * looked at. Texts and lists are in the arena, which must outlive *ret.
 */
struct arena;
int sbx_resources_parse(const char *text, size_t n, struct arena *arena, struct cg_resources *ret,
			struct err *e);

/* What the daemon knows of an instance's sandbox. */
struct sbx_function {
	const char *image_root;           /* host path: the mounted image */
	const char *dev_root;             /* host path: the prepared /dev (sbx_dev_fill()) */
	const char *stage;                /* host path: an empty directory */
	uint32_t uid_base;                /* first of SBX_FUNCTION_IDS host ids */
	uint64_t scratch_bytes;           /* /tmp, /dev/shm and all other writes together */
	const struct pol_program *filter; /* of pid 1 */
};

#define SBX_FUNCTION_IDS 65536u
#define SBX_FUNCTION_UID 1000u /* the user inside */

int sbx_plan_for_function(const struct sbx_function *f, struct sbx_plan **ret, struct err *e);

/* The part of such a plan that differs between instances of one image. */
void sbx_plan_set_ids(struct sbx_plan *p, uint32_t uid_base);

/* What the function's process gives up: shared by all instances, sent to zygotes. */
void sbx_drop_for_function(const struct pol_program *filter, struct sbx_drop *ret);

void sbx_plan_free(struct sbx_plan *p); /* NULL is fine */

#endif

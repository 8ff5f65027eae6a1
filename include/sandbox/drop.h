/*
 * The child half that a process applies to itself: join a sandbox, receive code, give everything up.
 *
 * Linked against libc alone: the same object serves the CLI, the launcher and the guest extension inside
 * python3. Nothing here allocates, takes a lock or reads a file it was not handed; all of it may run right
 * after clone3(). The caller must be single-threaded.
 *
 *	sbx_join()    enter the namespaces of a sandbox whose pid 1 is waiting
 *	sbx_attach()  mount a tree that arrived as a descriptor
 *	sbx_drop()    rlimits, ids, capabilities, no_new_privs, landlock, seccomp: in that order, last
 */
#ifndef SANDBOX_DROP_H
#define SANDBOX_DROP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "policy/policy.h"

#define SBX_RLIMITS_MAX   16
#define SBX_GROUPS_MAX    64
#define SBX_WRITABLE_MAX  8
#define SBX_WRITABLE_PATH 256

struct sbx_rlimit {
	uint32_t resource; /* RLIMIT_* */
	uint64_t soft, hard;
};

/* What a process gives up. Plain data without pointers: it is sent to zygotes as it is. */
struct sbx_drop {
	uint32_t uid, gid;
	uint32_t n_groups;
	uint32_t groups[SBX_GROUPS_MAX];
	uint32_t umask;
	uint32_t n_rlimits;
	struct sbx_rlimit rlimits[SBX_RLIMITS_MAX];
	/* Capability masks, bit n = capability n. All zero for functions. */
	uint64_t cap_bounding, cap_permitted, cap_effective, cap_inheritable, cap_ambient;
	bool no_new_privs;
	/*
	 * Landlock: read and execute everywhere, write only below these paths; with ABI >= 6 also no
	 * signals and no abstract sockets across the sandbox's border. Where the kernel has no
	 * landlock the step does nothing (a named fallback in docs/SECURITY.md).
	 */
	bool has_landlock;
	uint32_t n_writable;
	char writable[SBX_WRITABLE_MAX][SBX_WRITABLE_PATH];
	bool has_filter;
	uint32_t filter_flags; /* SECCOMP_FILTER_FLAG_* */
	struct pol_program filter;
};

/*
 * Enter the user, mount, ipc, uts and cgroup namespaces of the process behind pidfd (needs
 * CAP_SYS_ADMIN and CAP_SYS_PTRACE; the pid namespace is entered by being forked into it, the network
 * namespace was the forker's). Root and working directory become the sandbox's.
 */
int sbx_join(int pidfd, struct err *e);

/* Attach a detached mount (open_tree(2), fsmount(2)) at an absolute path of the current root. */
int sbx_attach(int mount_fd, const char *target, struct err *e);

/* Run the table of steps. After success nothing is left to lose. The error names the failing step. */
int sbx_drop(const struct sbx_drop *d, struct err *e);

/*
 * The same with what only the process itself knows. For a filter that has a listener (filter_flags with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER), which sbx_drop() refuses: as soon as it is in force, tell() takes the listener.
 * Calls may wait for it from then on.
 */
struct sbx_dropping {
	bool keeps_groups; /* those it has, where !sbx_may_set_groups() */
	int (*tell)(void *arg, int fd, struct err *e);
	void *arg;
};
int sbx_drop_with(const struct sbx_drop *d, const struct sbx_dropping *own, struct err *e);

/*
 * Ahead of the drop, by who still has steps to do that need capabilities (a mask): those, and what d keeps, are all
 * that is left, for good: the bounding set is that of d already.
 */
int sbx_drop_ahead(const struct sbx_drop *d, uint64_t needed, struct err *e);

/* False in a user namespace in which setgroups(2) is denied (user_namespaces(7)). */
bool sbx_may_set_groups(void);

/*
 * The last rows alone: no_new_privs, landlock, seccomp. For a program of ours that was started without
 * privileges and confines itself once it has opened what it needs.
 */
int sbx_confine(const struct sbx_drop *d, struct err *e);

/*
 * Join v1 control groups by the descriptors of their `tasks` files (cg_tasks_open()), as the first thing a
 * new process does. Moving oneself, alone, costs some 35 µs; being moved by another process waits for an
 * RCU grace period, 10 ms and more (the kernel locks out forks of whole thread groups, but not for "0").
 */
#define SBX_TASKS_MAX 11 /* all hierarchies but the v2 core (cgroup.h); a zygote's child: three */
int sbx_join_groups(const int *tasks, int n, struct err *e);

/* Close all descriptors above `highest` (close_range(2)). */
int sbx_close_above(int highest, struct err *e);

#endif

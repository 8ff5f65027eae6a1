/*
 * What a process applies to itself: join, attach, drop. See include/sandbox/drop.h.
 *
 * The order of the drop is the table at the end and is reviewed there. Each row relies on the ones above:
 * ids need CAP_SETUID, the bounding set needs CAP_SETPCAP, landlock and seccomp need no_new_privs once the
 * capabilities are gone.
 */
#include "sandbox/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/landlock.h"
#include "sandbox/sys.h"

#define CAP_NUMBERS 64

int sbx_join(int pidfd, struct err *e)
{
	/* One call: the kernel installs the user namespace first and all or nothing (5.8). */
	if (setns(pidfd,
		  CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return err_errno(e, "join namespaces");
	return 0;
}

int sbx_join_groups(const int *tasks, int n, struct err *e)
{
	for (int i = 0; i < n; i++)
		if (write(tasks[i], "0", 1) != 1)
			return err_errno(e, "join control group %d of %d", i + 1, n);
	return 0;
}

int sbx_attach(int mount_fd, const char *target, struct err *e)
{
	if (sys_move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno(e, "attach mount at '%s'", target);
	return 0;
}

int sbx_close_above(int highest, struct err *e)
{
	if (sys_close_range((unsigned int)highest + 1, ~0u, 0) < 0)
		return err_errno(e, "close descriptors above %d", highest);
	return 0;
}

static const char *limit_name(uint32_t resource)
{
	static const char *const names[] = {
		[RLIMIT_AS] = "RLIMIT_AS",
		[RLIMIT_CORE] = "RLIMIT_CORE",
		[RLIMIT_CPU] = "RLIMIT_CPU",
		[RLIMIT_DATA] = "RLIMIT_DATA",
		[RLIMIT_FSIZE] = "RLIMIT_FSIZE",
		[RLIMIT_LOCKS] = "RLIMIT_LOCKS",
		[RLIMIT_MEMLOCK] = "RLIMIT_MEMLOCK",
		[RLIMIT_MSGQUEUE] = "RLIMIT_MSGQUEUE",
		[RLIMIT_NICE] = "RLIMIT_NICE",
		[RLIMIT_NOFILE] = "RLIMIT_NOFILE",
		[RLIMIT_NPROC] = "RLIMIT_NPROC",
		[RLIMIT_RSS] = "RLIMIT_RSS",
		[RLIMIT_RTPRIO] = "RLIMIT_RTPRIO",
		[RLIMIT_RTTIME] = "RLIMIT_RTTIME",
		[RLIMIT_SIGPENDING] = "RLIMIT_SIGPENDING",
		[RLIMIT_STACK] = "RLIMIT_STACK",
	};

	return resource < sizeof(names) / sizeof(names[0]) && names[resource] ? names[resource]
									      : "a limit";
}

static int step_rlimits(const struct sbx_drop *d, struct err *e)
{
	for (uint32_t i = 0; i < d->n_rlimits; i++) {
		const struct sbx_rlimit *l = &d->rlimits[i];
		struct rlimit rl = {.rlim_cur = l->soft, .rlim_max = l->hard};

		if (setrlimit((int)l->resource, &rl) < 0)
			return err_errno(
				e, "%s to %llu/%llu%s", limit_name(l->resource),
				(unsigned long long)l->soft, (unsigned long long)l->hard,
				errno == EPERM
					? " (over our own hard limit, needs CAP_SYS_RESOURCE)"
					: "");
	}
	return 0;
}

static int step_umask(const struct sbx_drop *d, struct err *e)
{
	(void)e;
	umask(d->umask);
	return 0;
}

static int step_bounding(const struct sbx_drop *d, struct err *e)
{
	for (int cap = 0; cap < CAP_NUMBERS; cap++) {
		if (d->cap_bounding >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL && cap > 0)
			return 0; /* past the last capability this kernel knows */
		return err_errno(e, "drop capability %d from the bounding set", cap);
	}
	return 0;
}

/* The permitted set, which is all effective in a process of ours; empty if it cannot be told. */
static uint64_t own_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

int sbx_drop_ahead(const struct sbx_drop *d, uint64_t needed, struct err *e)
{
	uint64_t left = own_capabilities() & (needed | d->cap_permitted | d->cap_inheritable);

	if (step_bounding(d, e) < 0)
		return -e->code;
	if (sys_capset(left, left, 0) < 0)
		return err_errno(e, "capset 0x%llx", (unsigned long long)left);
	return 0;
}

/*
 * Asked for more groups than there can be, the kernel says EPERM first, and EINVAL to those who may. With
 * CAP_SETGID EPERM has one reason: setgroups is denied in our user namespace.
 */
bool sbx_may_set_groups(void)
{
	return syscall(SYS_setgroups, (size_t)NGROUPS_MAX + 1, NULL) == 0 || errno != EPERM ||
	       !(own_capabilities() >> CAP_SETGID & 1);
}

/* The raw calls: libc's wrappers would want to tell other threads, and there are none. */
static int step_ids(const struct sbx_drop *d, const struct sbx_dropping *own, struct err *e)
{
	/* What is inheritable can only be had from what is permitted when it is set. */
	if ((d->cap_permitted | d->cap_inheritable) && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_errno(e, "keep capabilities over setuid");
	if (!own->keeps_groups && syscall(SYS_setgroups, (size_t)d->n_groups, d->groups) < 0)
		return err_errno(e, "set %u supplementary groups", d->n_groups);
	if (syscall(SYS_setresgid, d->gid, d->gid, d->gid) < 0)
		return err_errno(e, "set gid %u", d->gid);
	if (syscall(SYS_setresuid, d->uid, d->uid, d->uid) < 0)
		return err_errno(e, "set uid %u", d->uid);
	return 0;
}

static int step_capabilities(const struct sbx_drop *d, struct err *e)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_errno(e, "clear the ambient set");
	if (sys_capset(d->cap_effective, d->cap_permitted, d->cap_inheritable) < 0)
		return err_errno(e, "capset effective 0x%llx permitted 0x%llx inheritable 0x%llx",
				 (unsigned long long)d->cap_effective,
				 (unsigned long long)d->cap_permitted,
				 (unsigned long long)d->cap_inheritable);
	for (int cap = 0; cap < CAP_NUMBERS; cap++)
		if (d->cap_ambient >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_errno(e, "raise ambient capability %d", cap);
	return 0;
}

static int step_no_new_privs(const struct sbx_drop *d, struct err *e)
{
	if (d->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno(e, "prctl");
	return 0;
}

static int step_landlock(const struct sbx_drop *d, struct err *e)
{
	return d->has_landlock ? landlock_confine(d->writable, d->n_writable, e) : 0;
}

static int install_filter(const struct sbx_drop *d, const struct sbx_dropping *own, struct err *e)
{
	bool has_listener = d->filter_flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
	struct sock_fprog prog = {.len = d->filter.n_insns,
				  .filter = (struct sock_filter *)d->filter.insns};

	int fd;

	if (has_listener && !own->tell)
		return err_set(e, EINVAL, "nobody takes the listener");
	fd = sys_seccomp_filter(d->filter_flags, &prog);
	if (fd < 0)
		return err_errno(e, "install filter of %u instructions, flags 0x%x",
				 d->filter.n_insns, d->filter_flags);
	return has_listener ? own->tell(own->arg, fd, e) : 0;
}

/* Without no_new_privs the filter needs CAP_SYS_ADMIN, so it must go in before that is lost. */
static int step_early_seccomp(const struct sbx_drop *d, const struct sbx_dropping *own,
			      struct err *e)
{
	return d->has_filter && !d->no_new_privs ? install_filter(d, own, e) : 0;
}

static int step_seccomp(const struct sbx_drop *d, const struct sbx_dropping *own, struct err *e)
{
	return d->has_filter && d->no_new_privs ? install_filter(d, own, e) : 0;
}

/* A row has one of the two functions. */
/* clang-format off */
static const struct {
	const char *name;
	int (*run)(const struct sbx_drop *, struct err *);
	int (*run_with)(const struct sbx_drop *, const struct sbx_dropping *, struct err *);
	bool needs_privilege; /* not part of sbx_confine() */
} steps[] = {
	{"rlimits",               step_rlimits,      NULL,               true },
	{"umask",                 step_umask,        NULL,               true },
	{"bounding set",          step_bounding,     NULL,               true },
	{"seccomp before setuid", NULL,              step_early_seccomp, true },
	{"ids",                   NULL,              step_ids,           true },
	{"capabilities",          step_capabilities, NULL,               true },
	{"no new privileges",     step_no_new_privs, NULL,               false},
	{"landlock",              step_landlock,     NULL,               false},
	{"seccomp",               NULL,              step_seccomp,       false},
};
/* clang-format on */

static int run_steps(const struct sbx_drop *d, const struct sbx_dropping *own, bool with_privileged,
		     struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (steps[i].needs_privilege && !with_privileged)
			continue;
		if ((steps[i].run ? steps[i].run(d, e) : steps[i].run_with(d, own, e)) < 0)
			return err_wrap(e, "%s", steps[i].name);
	}
	return 0;
}

int sbx_drop(const struct sbx_drop *d, struct err *e)
{
	return run_steps(d, &(struct sbx_dropping){0}, true, e);
}

int sbx_drop_with(const struct sbx_drop *d, const struct sbx_dropping *own, struct err *e)
{
	return run_steps(d, own, true, e);
}

int sbx_confine(const struct sbx_drop *d, struct err *e)
{
	return run_steps(d, &(struct sbx_dropping){0}, false, e);
}

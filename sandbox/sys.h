/*
 * System calls that libc (glibc 2.36) does not wrap, and nothing else. Each returns what the kernel
 * returns by libc's convention: -1 and errno on failure. Constants come from the kernel's UAPI; those newer
 * than Debian 12's headers (6.1) are defined here with the version that brought them.
 */
#ifndef SANDBOX_SYS_H
#define SANDBOX_SYS_H

#include <linux/mount.h>
#include <stdint.h>
#include <sys/types.h>

struct clone_args;
struct sched_attr;
struct sock_fprog;

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* 5.7 */
#endif

pid_t sys_clone3(const struct clone_args *args, size_t size);

/*
 * fork(2) with a pidfd of the child, by clone(2): filters know it, while clone3(2) is refused by many. None of
 * libc's fork handlers run.
 */
pid_t sys_fork(int *ret_pidfd);

/*
 * Call run(arg) in a process of its own, which shares our memory and descriptors but neither namespaces nor root and
 * directory: a function call elsewhere, for what enters a namespace that it could not leave again. It has 64 KiB of
 * stack, and we wait. -1: it did not run, or not to its end.
 */
int sys_call_apart(void (*run)(void *arg), void *arg);
int sys_pivot_root(const char *new_root, const char *put_old);

int sys_open_tree(int dirfd, const char *path, unsigned int flags);
int sys_move_mount(int from, const char *from_path, int to, const char *to_path,
		   unsigned int flags);
int sys_mount_setattr(int dirfd, const char *path, unsigned int flags,
		      const struct mount_attr *attr);
int sys_fsopen(const char *type, unsigned int flags);
int sys_fsconfig(int fs, unsigned int cmd, const char *key, const void *value, int aux);
int sys_fspick(int dirfd, const char *path, unsigned int flags);
int sys_fsmount(int fs, unsigned int flags, unsigned int attrs);

/* openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: path is looked up as if dirfd were "/". */
int sys_open_in_root(int dirfd, const char *path, uint64_t flags);

/* openat2(2) that follows no link and crosses no mount: for procfs and sysfs beneath a verified dirfd. */
int sys_open_plain(int dirfd, const char *path, uint64_t flags);

int sys_landlock_create_ruleset(const void *attr, size_t size, uint32_t flags);
int sys_landlock_add_rule(int ruleset, int type, const void *attr, uint32_t flags);
int sys_landlock_restrict_self(int ruleset, uint32_t flags);

int sys_seccomp_filter(uint32_t flags, const struct sock_fprog *prog);
/* A new, empty session keyring. */
int sys_new_session_keyring(void);
int sys_close_range(unsigned int first, unsigned int last, unsigned int flags);

int sys_sched_setattr(pid_t pid, const struct sched_attr *attr);
int sys_sched_setaffinity(pid_t pid, const uint64_t *mask,
			  size_t bytes); /* libc's needs a cpu_set_t */
int sys_ioprio_set(pid_t pid, uint32_t priority);
int sys_set_mempolicy(int mode, const uint64_t *nodes, unsigned long n_bits);

/* capset(2) for the calling thread with 64-bit masks. */
int sys_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);

#endif

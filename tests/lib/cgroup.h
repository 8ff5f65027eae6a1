/*
 * What the cgroup tests share: one root group for the program, one group "t" for each test. What a
 * failed test leaves is killed and removed by the next one's setup, or at the end of the program.
 *
 *	tcase_add_unchecked_fixture(t, cgt_open_root, cgt_close_root);
 *	tcase_add_checked_fixture(t, cgt_open_group, cgt_close_group);
 */
#ifndef TESTS_CGROUP_H
#define TESTS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/cgroup.h"

#define CGT_MIB         (UINT64_C(1) << 20)
#define CGT_PATIENCE_US UINT64_C(60000000) /* nothing waits longer: User-Mode Linux is slow */

/* A test that needs a second root appends this to cgt_root_name; it is swept at the end. */
#define CGT_LEFT "-left"

extern struct cg_host *cgt_host;
extern struct cg cgt_root;  /* our own group/cgt_root_name */
extern struct cg cgt_group; /* cgt_root/t */
extern char cgt_root_name[32];

void cgt_open_root(void);
void cgt_close_root(void);
void cgt_open_group(void);
void cgt_close_group(void);

/* Kill, wait, remove the group `name` below cgt_root; missing is fine. */
void cgt_remove_group(const char *name);

/* Is `name` below cgt_root in this hierarchy; below our own group in any? */
bool cgt_exists(enum cg_hierarchy h, const char *name);
bool cgt_own_has(const char *name);

struct cgt_child {
	pid_t pid;
	int pidfd;
};

/*
 * A child born in the group, which runs fn only when it is in all hierarchies. Its exit status is
 * fn's result.
 */
struct cgt_child cgt_spawn(const struct cg *group, int (*fn)(void *), void *arg);

/* The status of waitpid(2); the child must end by itself or have been killed. */
int cgt_reap(struct cgt_child *c);

/* Kill cgt_group; the child must have died of it. */
void cgt_kill_and_reap(struct cgt_child *c);

/* What a child may run: wait for ever; touch *(uint64_t *)arg bytes; count in *(uint64_t *)arg. */
int cgt_pause(void *arg);
int cgt_touch(void *arg);
int cgt_count(void *arg);

/* A zeroed page that children share; wait until a child changed the number there. */
void *cgt_shared_page(void);
void cgt_wait_for_change(const volatile uint64_t *counter);

#endif

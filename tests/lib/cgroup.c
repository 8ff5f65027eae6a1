/* Fixtures and children of the cgroup tests: see cgroup.h. */
#include "tests/lib/cgroup.h"

#include "tests/lib/harness.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"

struct cg_host *cgt_host;
struct cg cgt_root = CG_INIT;
struct cg cgt_group = CG_INIT;
char cgt_root_name[32];
static struct err cgt_setup_error;

/* ---- fixtures ---- */

void cgt_remove_group(const char *name)
{
	_cleanup_cg_ struct cg old = CG_INIT;
	struct err e = ERR_INIT;

	if (cg_open(&cgt_root, name, &old, &e) == 0) {
		(void)cg_kill(&old, &e);
		(void)cg_wait_empty(&old, clk_now_us() + CGT_PATIENCE_US, &e);
	}
	ck_ok(cg_remove(&cgt_root, name, &e), &e);
}

void cgt_open_root(void)
{
	snprintf(cgt_root_name, sizeof(cgt_root_name), "test-cgroup-%d", (int)getpid());
	if (cg_probe(&cgt_host, &cgt_setup_error) == 0)
		(void)cg_root_create(cgt_host, cgt_root_name, &cgt_root, &cgt_setup_error);
}

void cgt_close_root(void)
{
	struct err e = ERR_INIT;
	char left[64];

	snprintf(left, sizeof(left), "%s" CGT_LEFT, cgt_root_name);
	if (cgt_host)
		(void)cg_root_sweep(cgt_host, left, &e);
	if (cgt_root.dir[CG_CORE] >= 0) {
		cgt_remove_group("t");
		cg_close(&cgt_root);
		ck_ok(cg_root_remove(cgt_host, cgt_root_name, &e), &e);
	}
	cg_host_free(cgt_host);
}

void cgt_open_group(void)
{
	struct err e = ERR_INIT;

	ck_assert_msg(cgt_root.dir[CG_CORE] >= 0, "setup: %s", cgt_setup_error.text);
	cgt_remove_group("t");
	ck_ok(cg_create(&cgt_root, "t", &cgt_group, &e), &e);
}

void cgt_close_group(void)
{
	cgt_remove_group("t");
	cg_close(&cgt_group);
}

/* ---- children ---- */

struct cgt_child cgt_spawn(const struct cg *group, int (*fn)(void *), void *arg)
{
	struct cgt_child c = {.pidfd = -1};
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
		.pidfd = (uintptr_t)&c.pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cg_clone_fd(group),
	};
	struct err e = ERR_INIT;
	int gate[2];
	char byte;

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	c.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	ck_assert_msg(c.pid >= 0, "clone3: %m");
	if (c.pid == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 1)
			_exit(99);
		_exit(fn(arg));
	}
	ck_ok(cg_add(group, c.pid, &e), &e);
	ck_assert_int_eq(write(gate[1], "g", 1), 1);
	close(gate[0]);
	close(gate[1]);
	return c;
}

int cgt_reap(struct cgt_child *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
	int status;

	ck_assert_int_eq(poll(&p, 1, (int)(CGT_PATIENCE_US / CLK_US_PER_MS)), 1);
	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	fd_close(&c->pidfd);
	return status;
}

void cgt_kill_and_reap(struct cgt_child *c)
{
	struct err e = ERR_INIT;
	int status;

	ck_ok(cg_kill(&cgt_group, &e), &e);
	status = cgt_reap(c);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_ok(cg_wait_empty(&cgt_group, clk_now_us() + CGT_PATIENCE_US, &e), &e);
}

int cgt_pause(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return 0;
}

int cgt_touch(void *arg)
{
	uint64_t bytes = *(uint64_t *)arg;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 2;
	for (uint64_t i = 0; i < bytes; i += 4096)
		p[i] = 1;
	return 0;
}

int cgt_count(void *arg)
{
	volatile uint64_t *counter = arg;

	for (;;)
		(*counter)++;
	return 0;
}

void *cgt_shared_page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

void cgt_wait_for_change(const volatile uint64_t *counter)
{
	uint64_t deadline = clk_now_us() + CGT_PATIENCE_US, old = *counter;

	while (*counter == old) {
		ck_assert_msg(clk_now_us() < deadline, "the child does not run");
		sched_yield();
	}
}

bool cgt_exists(enum cg_hierarchy h, const char *name)
{
	return faccessat(cgt_root.dir[h], name, F_OK, 0) == 0;
}

bool cgt_own_has(const char *name)
{
	for (int h = CG_CORE; h < CG_REQUIRED; h++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s", cg_host_path(cgt_host, h), name);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

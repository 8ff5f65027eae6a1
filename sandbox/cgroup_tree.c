/* A group and all that is below it, whoever made it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cgroup_host.h"

#define GRACE_US         (50 * CLK_US_PER_MS) /* for what cgroup.kill reaches */
#define FREEZE_US        (2 * CLK_US_PER_SEC)
#define FOUND            1
#define PROCESSES_ROUNDS 5

static int remove_group(int parent, const char *name, void *arg, struct err *e)
{
	(void)arg;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, "cgroup '%s': rmdir", name);
	return 0;
}

int cg_tree_remove(int parent, const char *name, struct err *e)
{
	return cg_walk(parent, name, remove_group, NULL, e);
}

/* ---- processes ---- */

/* Call use(pid) for each process of one group. A group that is gone has none. */
static int each_process(int parent, const char *name, int (*use)(void *arg, int pid, struct err *e),
			void *arg, struct err *e)
{
	_cleanup_fd_ int group = -1;
	int fd, pid, r = file_open_dir(parent, name, &group, e);
	FILE *procs;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	procs = fd < 0 ? NULL : fdopen(fd, "r");
	if (!procs) {
		r = err_errno(e, "open 'cgroup.procs'");
		fd_close(&fd);
		return r;
	}
	while (r == 0 && fscanf(procs, "%d", &pid) == 1)
		r = pid > 0 ? use(arg, pid, e) : 0; /* 0: of a pid namespace that we do not see */
	(void)fclose(procs);
	return r;
}

static int move_one(void *arg, int pid, struct err *e)
{
	const int *core = arg;
	struct err gone = ERR_INIT;
	char text[16];

	(void)e;
	(void)snprintf(text, sizeof(text), "%d", pid);
	/* One that ended meanwhile is as good; one that stays is met again by rmdir. */
	(void)file_write(*core, "cgroup.procs", text, &gone);
	return 0;
}

static int move_all(int parent, const char *name, void *arg, struct err *e)
{
	return each_process(parent, name, move_one, arg, e);
}

/*
 * There one write kills them all. They are there already, but for one whose parent died between clone3() and
 * its own joining.
 */
int cg_tree_collect(int parent, const char *name, int core, struct err *e)
{
	return cg_walk(parent, name, move_all, &core, e);
}

struct pids {
	pid_t *list;
	size_t n, room;
};

static int note_one(void *arg, int pid, struct err *e)
{
	struct pids *p = arg;

	if (p->n == CG_PROCESSES_MAX)
		return err_set(e, EFBIG, "cgroup: over %u processes", CG_PROCESSES_MAX);
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		pid_t *list = realloc(p->list, room * sizeof(*list));

		if (!list)
			return err_set(e, ENOMEM, "cgroup: out of memory");
		p->list = list;
		p->room = room;
	}
	p->list[p->n++] = pid;
	return 0;
}

static int note_all(int parent, const char *name, void *arg, struct err *e)
{
	return each_process(parent, name, note_one, arg, e);
}

int cg_processes(const struct cg *cg, pid_t **ret, size_t *ret_n, struct err *e)
{
	struct pids p = {NULL, 0, 0};
	int r = -ENOENT;

	/* -ENOENT: a group went away while the walk was in it. */
	for (int i = 0; r == -ENOENT && i < PROCESSES_ROUNDS; i++) {
		p.n = 0;
		r = cg_walk(cg->dir[CG_CORE], ".", note_all, &p, e);
	}
	if (r < 0) {
		free(p.list);
		return r;
	}
	*ret = p.list;
	*ret_n = p.n;
	return 0;
}

struct search {
	pid_t wanted;
	int found; /* the group's directory; -1 = not yet */
};

static int match(void *arg, int pid, struct err *e)
{
	(void)e;
	return pid == ((const struct search *)arg)->wanted ? FOUND : 0;
}

static int search_group(int parent, const char *name, void *arg, struct err *e)
{
	struct search *s = arg;
	int r = s->found < 0 ? each_process(parent, name, match, s, e) : 0;

	return r == FOUND ? file_open_dir(parent, name, &s->found, e) : r;
}

int cg_go_to(struct cg *cg, pid_t pid, struct err *e)
{
	struct search s = {.wanted = pid, .found = -1};
	int core = cg->dir[CG_CORE], r = cg_walk(core, ".", search_group, &s, e);

	if (r < 0 || s.found < 0) {
		fd_close(&s.found);
		return r < 0 ? r : err_set(e, ESRCH, "cgroup: process %d is not in it", (int)pid);
	}
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		if (cg->dir[h] == core)
			cg->dir[h] = s.found;
	fd_close(&core);
	return 0;
}

/* ---- ending ---- */

/*
 * By number, and that is safe: what is left now did not end by cgroup.kill, and being frozen does nothing by itself.
 * Frozen or not in time, the signal is sent.
 */
static int kill_each(const struct cg *cg, struct err *e)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct err late = ERR_INIT;
	size_t n = 0;
	int r = cg_freeze(cg, true, e);

	if (r == 0)
		(void)cg_wait_frozen(cg, clk_now_us() + FREEZE_US, &late);
	if (r == 0)
		r = cg_processes(cg, &pids, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (kill(pids[i], SIGKILL) < 0 && errno != ESRCH)
			r = err_errno(e, "kill process %d", (int)pids[i]);
	return r;
}

int cg_end(const struct cg *cg, uint64_t deadline_us, struct err *e)
{
	struct err late = ERR_INIT;
	int r = cg_kill(cg, e);

	if (r < 0)
		return r;
	r = cg_wait_empty(cg, clk_now_us() + GRACE_US, e);
	if (r != -ETIMEDOUT)
		return r;
	r = kill_each(cg, e);
	if (r == 0)
		r = cg_wait_empty(cg, deadline_us, e);
	(void)cg_freeze(cg, false, &late); /* whatever happened */
	return r;
}

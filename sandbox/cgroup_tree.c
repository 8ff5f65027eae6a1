/* A group and all that is below it, whoever made it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define DEPTH_MAX 64

/* What walk() does with the directory `name` in parent; arg is its own argument. */
typedef int visit_fn(int parent, const char *name, void *arg, struct err *e);

/* Children first. A directory that went away meanwhile is fine. */
static int walk(int parent, const char *name, int depth, visit_fn *visit, void *arg, struct err *e)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		r = errno == ENOENT ? 0 : err_errno(e, "open '%s'", name);
		fd_close(&fd);
		return r;
	}
	if (depth > DEPTH_MAX)
		r = err_set(e, ELOOP, "groups nested deeper than %d", DEPTH_MAX);
	while (r == 0 && (d = readdir(dir)))
		if (d->d_type == DT_DIR && !str_is(d->d_name, ".") && !str_is(d->d_name, ".."))
			r = walk(dirfd(dir), d->d_name, depth + 1, visit, arg, e);
	(void)closedir(dir);
	return r < 0 ? r : visit(parent, name, arg, e);
}

static int remove_group(int parent, const char *name, void *arg, struct err *e)
{
	(void)arg;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_errno(e, "cgroup '%s': rmdir", name);
	return 0;
}

int cg_tree_remove(int parent, const char *name, struct err *e)
{
	return walk(parent, name, 0, remove_group, NULL, e);
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
		r = use(arg, pid, e);
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
	return walk(parent, name, 0, move_all, &core, e);
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
	int r = walk(cg->dir[CG_CORE], ".", 0, note_all, &p, e);

	if (r < 0) {
		free(p.list);
		return r;
	}
	*ret = p.list;
	*ret_n = p.n;
	return 0;
}

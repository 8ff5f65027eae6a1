/* The group below a container's that `exec` puts its process in: see target.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/cli/target.h"

#define WORD_MAX 64

/* In runc's words. */
static int refuse(int code, int h, const char *path, struct err *e)
{
	if (code == -EXDEV)
		return err_set(e, EINVAL, "%s is not a sub cgroup path", path);
	if (code == -ENOENT)
		return err_set(e, ENOENT,
			       "group in '%s': adding pid to /%s/cgroup.procs: no such file or "
			       "directory",
			       cg_hierarchy_name(h), path);
	return err_wrap(e, "group in '%s'", cg_hierarchy_name(h));
}

/* Neither ".." nor a link leads out: the container, where it may write, chooses what is below. */
static int descend(struct cg *cg, int h, const char *path, struct err *e)
{
	int fd = -1, old, r;

	path += strspn(path, "/");
	r = file_open_beneath(cg->dir[h], *path ? path : ".", O_RDONLY | O_DIRECTORY, 0, &fd, e);
	if (r < 0)
		return refuse(r, h, path, e);
	old = cg->dir[h];
	for (int k = 0; k < CG_HIERARCHIES; k++)
		if (cg->dir[k] == old)
			cg->dir[k] = fd; /* controllers on v2 share one */
	fd_close(&old);
	return 0;
}

static int descend_in_all(struct cg *cg, const char *path, struct err *e)
{
	const struct cg before = *cg;
	int r = 0;

	for (int h = 0; r == 0 && h < CG_HIERARCHIES; h++)
		if (cg->dir[h] >= 0 && cg->dir[h] == before.dir[h])
			r = descend(cg, h, path, e);
	return r;
}

/* "cpu,pids" */
static int descend_in(struct cg *cg, const char *names, const char *end, const char *path,
		      struct err *e)
{
	char name[WORD_MAX];
	int r = 0;

	for (const char *at = names; r == 0 && at <= end;) {
		size_t n = strcspn(at, ",:");
		enum cg_hierarchy h = CG_HIERARCHIES;

		(void)snprintf(name, sizeof(name), "%.*s", (int)n, at);
		if (n < sizeof(name))
			h = cg_hierarchy_by_name(name);
		if (h == CG_CORE || h == CG_HIERARCHIES || cg->dir[h] < 0)
			return err_set(e, EINVAL,
				       "unknown controller '%s': the container has no group of it",
				       name);
		r = descend(cg, h, path, e);
		at += n + 1;
	}
	return r;
}

int target_descend(struct cg *cg, const struct opt_list *words, struct err *e)
{
	for (size_t i = 0; i < words->n; i++) {
		const char *word = words->items[i], *colon = strchr(word, ':');
		int r = colon ? descend_in(cg, word, colon - 1, colon + 1, e)
			      : descend_in_all(cg, word, e);

		if (r < 0)
			return err_wrap(e, "--cgroup '%s'", word);
	}
	return 0;
}

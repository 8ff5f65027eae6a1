/*
 * A walk over a group and all that is below it. Who makes groups inside may nest them as deep as he likes: neither
 * descriptors nor the stack grow with the depth, only memory does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

/* One directory on the way down: what is in it, and up to where that was walked. */
struct level {
	char **names;
	size_t n, at;
};

struct walk {
	struct level *levels;
	size_t depth, room;
	int dir; /* of the last level */
};

static void pop(struct walk *w)
{
	struct level *l = &w->levels[--w->depth];

	while (l->n > 0)
		free(l->names[--l->n]);
	free(l->names);
}

static int note_name(struct level *l, const char *name, struct err *e)
{
	/* Powers of two are where the list is full. */
	if ((l->n & (l->n - 1)) == 0) {
		char **more = reallocarray(l->names, l->n ? l->n * 2 : 1, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "cgroup: out of memory");
		l->names = more;
	}
	l->names[l->n] = strdup(name);
	return l->names[l->n++] ? 0 : err_set(e, ENOMEM, "cgroup: out of memory");
}

static int list(int fd, struct level *l, struct err *e)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		err_errno(e, "cgroup: read a directory");
		fd_close(&fd);
		return -e->code;
	}
	while (r == 0 && (d = readdir(dir)))
		if (d->d_type == DT_DIR && !str_is(d->d_name, ".") && !str_is(d->d_name, ".."))
			r = note_name(l, d->d_name, e);
	(void)closedir(dir);
	return r;
}

static int push(struct walk *w, struct err *e)
{
	int fd;

	if (w->depth == w->room) {
		size_t room = w->room ? w->room * 2 : 8;
		struct level *more = reallocarray(w->levels, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "cgroup: out of memory");
		w->levels = more;
		w->room = room;
	}
	w->levels[w->depth++] = (struct level){NULL, 0, 0};
	fd = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) /* gone meanwhile: nothing is in it */
		return errno == ENOENT ? 0 : err_errno(e, "cgroup: open a directory");
	return list(fd, &w->levels[w->depth - 1], e);
}

/* From w->dir to another; one that is gone is -ENOENT. */
static int go(struct walk *w, const char *name, struct err *e)
{
	int fd = openat(w->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open '%s'", name);
	fd_close(&w->dir);
	w->dir = fd;
	return 0;
}

/* The next directory down, or if there is none the visit of this one and up. */
static int step(struct walk *w, cg_visit_fn *visit, void *arg, struct err *e)
{
	struct level *l = &w->levels[w->depth - 1];
	int r;

	if (l->at < l->n) {
		r = go(w, l->names[l->at], e);
		if (r == 0)
			return push(w, e);
		l->at++;
		return r == -ENOENT ? 0 : r;
	}
	pop(w);
	if (w->depth == 0)
		return 0;
	l = &w->levels[w->depth - 1];
	r = go(w, "..", e);
	return r < 0 ? r : visit(w->dir, l->names[l->at++], arg, e);
}

int cg_walk(int parent, const char *name, cg_visit_fn *visit, void *arg, struct err *e)
{
	struct walk w = {
		.dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
	};
	int r;

	if (w.dir < 0)
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", name);
	r = push(&w, e);
	while (r == 0 && w.depth > 0)
		r = step(&w, visit, arg, e);
	while (w.depth > 0)
		pop(&w);
	free(w.levels);
	fd_close(&w.dir);
	return r < 0 ? r : visit(parent, name, arg, e);
}

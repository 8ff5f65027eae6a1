/*
 * Where to mount: a path inside a root that may be hostile, and may change meanwhile.
 *
 * What is there is opened by one openat2(2) with the root as "/". Where something is missing the kernel cannot
 * help: so the path is then walked part by part, links read by us, with each lookup again beginning at the root.
 * The text we walked is only a guess at what is there now, and the worst a race makes of it is another place inside.
 */
#include "sandbox/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sys.h"

#define LINKS_MAX 40 /* as the kernel: MAXSYMLINKS */
#define TRIES_MAX 16 /* at one part that somebody makes and removes */

struct walk {
	int root;
	bool is_dir;   /* what to make at the end */
	bool may_link; /* follow links */
	int n_links;
	char done[PATH_MAX]; /* real directories, "a/b"; "" is the root */
	char rest[PATH_MAX]; /* still to go */
};

/* The next part of rest, cut off it. False at the end. */
static bool next_part(struct walk *w, char name[NAME_MAX + 1], struct err *e)
{
	char *at = w->rest + strspn(w->rest, "/");
	size_t n = strcspn(at, "/");

	if (n == 0 || n > NAME_MAX) {
		if (n > 0)
			err_set(e, ENAMETOOLONG, "a name of %zu bytes", n);
		return false;
	}
	memcpy(name, at, n);
	name[n] = '\0';
	at += n;
	at += strspn(at, "/");
	memmove(w->rest, at, strlen(at) + 1);
	return true;
}

static void go_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	*(slash ? slash : w->done) = '\0';
}

static int go_down(struct walk *w, const char *name, struct err *e)
{
	size_t used = strlen(w->done), n = strlen(name);

	if (used + n + 2 > sizeof(w->done))
		return err_set(e, ENAMETOOLONG, "a path of over %d bytes", PATH_MAX);
	if (used > 0)
		w->done[used++] = '/';
	memcpy(w->done + used, name, n + 1);
	return 0;
}

/* fd is a link: what it says comes before the rest. done is where the link lies. */
static int follow(struct walk *w, int fd, struct err *e)
{
	char to[PATH_MAX];
	ssize_t n = readlinkat(fd, "", to, sizeof(to) - 1);
	size_t left = strlen(w->rest);

	if (n <= 0)
		return err_errno(e, "read a link");
	if (++w->n_links > LINKS_MAX)
		return err_set(e, ELOOP, "over %d links", LINKS_MAX);
	if ((size_t)n + left + 2 > sizeof(w->rest))
		return err_set(e, ENAMETOOLONG, "a path of over %d bytes", PATH_MAX);
	if (to[0] == '/')
		w->done[0] = '\0';
	memmove(w->rest + n + 1, w->rest, left + 1);
	memcpy(w->rest, to, (size_t)n);
	w->rest[n] = '/';
	return 0;
}

static int make(struct walk *w, const char *name, struct err *e)
{
	_cleanup_fd_ int parent = -1, file = -1;

	parent = sys_open_in_root(w->root, w->done[0] ? w->done : ".", O_PATH | O_DIRECTORY);
	if (parent < 0)
		return err_errno(e, "open '/%s' in the root", w->done);
	if (w->is_dir || w->rest[0]) {
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return err_errno(e, "mkdir '%s'", name);
		return 0;
	}
	file = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
	if (file < 0 && errno != EEXIST)
		return err_errno(e, "create '%s'", name);
	return 0;
}

/* The part itself, made if it is missing: somebody may be faster, or slower. */
static int open_part(struct walk *w, const char *name, int *ret, struct err *e)
{
	char path[PATH_MAX + NAME_MAX + 1]; /* done, a slash, and the name */
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s%s%s", w->done, w->done[0] ? "/" : "", name);
	for (int i = 0; r == 0 && i < TRIES_MAX; i++) {
		int fd = sys_open_in_root(w->root, path, O_PATH | O_NOFOLLOW);

		if (fd >= 0) {
			*ret = fd;
			return 0;
		}
		r = errno == ENOENT ? make(w, name, e)
				    : err_errno(e, "open '/%s' in the root", path);
	}
	return r < 0 ? r : err_set(e, EBUSY, "'/%s' comes and goes", path);
}

static int one_part(struct walk *w, const char *name, int *at, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int r;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0) {
		go_up(w);
		fd_close(at);
		return 0;
	}
	r = open_part(w, name, &fd, e);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_errno(e, "look at '%s'", name);
	if (S_ISLNK(st.st_mode)) {
		fd_close(at);
		return w->may_link ? follow(w, fd, e)
				   : err_set(e, ELOOP, "'/%s%s%s' is a link", w->done,
					     w->done[0] ? "/" : "", name);
	}
	fd_close(at);
	*at = fd_steal(&fd);
	return go_down(w, name, e);
}

static int walk(struct walk *w, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int at = -1;
	char name[NAME_MAX + 1];
	struct err bad = ERR_INIT;
	int r = 0;

	while (r == 0 && next_part(w, name, &bad))
		r = one_part(w, name, &at, e);
	if (r == 0 && bad.code != 0) {
		*e = bad;
		r = -bad.code;
	}
	if (r == 0 && at < 0) { /* it ended by going up */
		at = sys_open_in_root(w->root, w->done[0] ? w->done : ".", O_PATH);
		if (at < 0)
			return err_errno(e, "open '/%s' in the root", w->done);
	}
	if (r == 0)
		*ret_fd = fd_steal(&at);
	return r;
}

static int start(struct walk *w, const char *target, int *ret_fd, struct err *e)
{
	size_t n = strlen(target);

	if (n >= sizeof(w->rest))
		return err_set(e, ENAMETOOLONG, "mount target of %zu bytes", n);
	memcpy(w->rest, target, n + 1);
	return walk(w, ret_fd, e);
}

int mnt_target(int root, const char *target, bool is_dir, int *ret_fd, struct err *e)
{
	struct walk w = {.root = root, .is_dir = is_dir, .may_link = true};
	int fd = sys_open_in_root(root, target, O_PATH);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno != ENOENT)
		return err_errno(e, "open '%s' in the root", target);
	return start(&w, target, ret_fd, e);
}

int mnt_target_plain(int root, const char *target, int *ret_fd, struct err *e)
{
	struct walk w = {.root = root, .is_dir = true};

	return start(&w, target, ret_fd, e);
}

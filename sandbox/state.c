/* ROOT/ID: the directory, its lock, its files, and what has become of the process. See state.h. */
#include "sandbox/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_STATE      "state.json"
#define FILE_EXIT       "exit.json"
#define FILE_NEW        ".new" /* appended while a file is being written */
#define EXIT_BYTES      4096
#define LOCK_TIMEOUT_US (10 * CLK_US_PER_SEC)
#define LOCK_PAUSE_NS   2000000

void state_fini(struct state *s)
{
	fd_close(&s->dir);
	arena_free(s->arena);
	*s = (struct state)STATE_INIT;
}

int state_check_id(const char *id, struct err *e)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.");

	if (n == 0 || n > STATE_ID_MAX || id[n] || str_is(id, ".") || str_is(id, ".."))
		return err_set(e, EINVAL, "container ID '%s': not 1..%d letters, digits and '_+-.'",
			       id, STATE_ID_MAX);
	return 0;
}

/* ---- the directory and its lock ---- */

/* Between our open and our lock its holder may have removed it: then the lock is on nothing. */
static bool is_still_there(int root, const char *id, int fd)
{
	struct stat a, b;

	return fstatat(root, id, &a, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &b) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Whoever owns it can have us kill and remove whatever he writes into it. */
static int check_owner(int dir, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return err_errno(e, "state: look at '%s'", path);
	if (st.st_uid != geteuid())
		return err_set(e, EPERM, "state: '%s' belongs to user %u, we are %u", path,
			       st.st_uid, geteuid());
	return 0;
}

/* -ENOENT: there are no containers. */
static int open_root(const char *root, int *ret, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (!*root)
		return err_set(e, EINVAL,
			       "state: no directory for it: set XDG_RUNTIME_DIR, or give --root "
			       "before the command");
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, "state: open '%s'", root);
	r = check_owner(fd, root, e);
	if (r == 0)
		*ret = fd_steal(&fd);
	return r;
}

static int open_dir(int root, const char *id, int *ret, struct err *e)
{
	int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "container '%s' does not exist", id);
	if (fd < 0)
		return err_errno(e, "state: open '%s'", id);
	*ret = fd;
	return check_owner(fd, id, e);
}

static int take_lock(int dir, const char *id, struct err *e)
{
	uint64_t deadline_us = clk_now_us() + LOCK_TIMEOUT_US;
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	/* The kernel's own waiting knows no deadline but by a signal, and those are the container's. */
	while (flock(dir, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(e, "state: lock '%s'", id);
		if (clk_now_us() > deadline_us)
			return err_set(e, EBUSY, "container '%s': another command works on it", id);
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int read_state(int *dir, const char *id, struct state *s, struct err *e)
{
	_cleanup_free_ char *text = malloc(STATE_BYTES);
	int r = text ? file_read(*dir, FILE_STATE, text, STATE_BYTES, e)
		     : err_set(e, ENOMEM, "state: out of memory");

	if (r == 0)
		r = state_parse(text, strlen(text), s, e);
	if (r == 0 && !str_is(s->id, id)) {
		state_fini(s);
		r = err_set(e, EINVAL, "state.json: tells of another container");
	}
	if (r < 0)
		return r == -ENOENT ? r : err_wrap(e, "container '%s'", id);
	s->dir = fd_steal(dir);
	return 0;
}

int state_find(const char *root, const char *id, bool is_locked, struct state *s, struct err *e)
{
	_cleanup_fd_ int top = -1, dir = -1;
	int r = state_check_id(id, e);

	if (r < 0)
		return r;
	r = open_root(root, &top, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "container '%s' does not exist", id);
	if (r < 0)
		return r;
	do {
		fd_close(&dir);
		r = open_dir(top, id, &dir, e);
		if (r == 0 && is_locked)
			r = take_lock(dir, id, e);
		if (r < 0)
			return r;
	} while (is_locked && !is_still_there(top, id, dir));
	r = read_state(&dir, id, s, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "container '%s' does not exist", id);
	s->is_locked = is_locked;
	return r;
}

/* ---- claiming ---- */

static int start_empty(int *dir, const char *id, struct state *s, struct err *e)
{
	struct state new = {.dir = -1, .is_locked = true};

	new.arena = arena_new(4u * STATE_BYTES);
	new.id = new.arena ? arena_strdup(new.arena, id) : NULL;
	if (!new.id) {
		state_fini(&new);
		return err_set(e, ENOMEM, "state: out of memory");
	}
	new.dir = fd_steal(dir);
	*s = new;
	return 0;
}

/* Nobody has the lock of this old directory. Is it a container, or what is left of a killed runtime? */
static int judge(int *dir, const char *id, struct state *s, struct err *e)
{
	enum state_status status = STATE_STOPPED;
	bool is_leftover;
	int r = read_state(dir, id, s, e);

	if (r == -ENOENT) /* killed before the first word: there is no group either */
		return start_empty(dir, id, s, e);
	if (r < 0)
		return r;
	s->is_locked = true;
	r = state_status(s, &status, e);
	is_leftover = !s->is_complete || (s->is_attached && status == STATE_STOPPED &&
					  faccessat(s->dir, FILE_EXIT, F_OK, 0) < 0);
	if (r == 0 && is_leftover)
		return STATE_E_LEFTOVER;
	state_fini(s);
	return r < 0 ? r : err_set(e, EEXIST, "container with given ID already exists: '%s'", id);
}

int state_claim(const char *root, const char *id, struct state *s, struct err *e)
{
	_cleanup_fd_ int top = -1, dir = -1;
	bool is_new;
	int r = state_check_id(id, e);

	if (r == 0 && *root && file_make_dirs(AT_FDCWD, root, 0711, e) < 0)
		r = err_wrap(e, "state");
	if (r == 0)
		r = open_root(root, &top, e);
	if (r < 0)
		return r;
	do {
		fd_close(&dir);
		is_new = mkdirat(top, id, 0700) == 0;
		if (!is_new && errno != EEXIST)
			return err_errno(e, "state: mkdir '%s/%s'", root, id);
		dir = openat(top, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 && errno != ENOENT)
			return err_errno(e, "state: open '%s/%s'", root, id);
		if (dir >= 0 && flock(dir, LOCK_EX | LOCK_NB) < 0)
			return err_set(e, EEXIST, "container with given ID already exists: '%s'",
				       id);
	} while (dir < 0 || !is_still_there(top, id, dir));
	return is_new ? start_empty(&dir, id, s, e) : judge(&dir, id, s, e);
}

/* The files go, the directory and with it the lock stay. */
int state_reset(const char *id, struct state *s, struct err *e)
{
	static const char *const files[] = {
		FILE_STATE,        FILE_STATE FILE_NEW, FILE_EXIT,         FILE_EXIT FILE_NEW,
		STATE_FILE_CONFIG, STATE_FILE_START,    STATE_FILE_ANSWER,
	};
	_cleanup_fd_ int dir = -1;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unlinkat(s->dir, files[i], 0) < 0 && errno != ENOENT)
			return err_errno(e, "state: unlink '%s'", files[i]);
	dir = fd_steal(&s->dir);
	state_fini(s);
	return start_empty(&dir, id, s, e);
}

int state_remove(const char *root, const struct state *s, struct err *e)
{
	_cleanup_fd_ int top = -1;
	int r = file_open_dir(AT_FDCWD, root, &top, e);

	if (r == 0)
		r = file_remove_tree(top, s->id, e);
	return r < 0 ? err_wrap(e, "state") : 0;
}

/* ---- files ---- */

/*
 * All or nothing for readers, by rename; not for a machine that crashes: after that no process is left to be
 * known, so nothing is synced.
 */
static int replace(int dir, const char *name, const struct buf *text, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char new[32];
	int r;

	(void)snprintf(new, sizeof(new), "%s" FILE_NEW, name);
	fd = openat(dir, new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "state: create '%s'", new);
	r = file_write_all(fd, text->data, text->len, e);
	if (r == 0 && renameat(dir, new, dir, name) < 0)
		r = err_errno(e, "state: rename to '%s'", name);
	return r;
}

int state_save(const struct state *s, struct err *e)
{
	_cleanup_buf_ struct buf text;
	int r;

	buf_init(&text, STATE_BYTES - 1);
	r = state_format(s, &text, e);
	return r < 0 ? r : replace(s->dir, FILE_STATE, &text, e);
}

int state_save_exit(int dir, const struct state_exit *x, struct err *e)
{
	_cleanup_buf_ struct buf text;
	int r;

	buf_init(&text, EXIT_BYTES);
	r = state_format_exit(x, &text, e);
	return r < 0 ? r : replace(dir, FILE_EXIT, &text, e);
}

int state_load_exit(int dir, struct state_exit *ret, struct err *e)
{
	struct err reason = ERR_INIT;
	char text[EXIT_BYTES];
	int r = file_read(dir, FILE_EXIT, text, sizeof(text), &reason);

	if (r == -ENOENT) {
		*ret = (struct state_exit){.is_known = false};
		return 0;
	}
	if (r < 0) {
		*e = reason;
		return r;
	}
	return state_parse_exit(text, strlen(text), ret, e);
}

/* ---- all of them ---- */

void state_list_free(char **ids)
{
	for (char **id = ids; id && *id; id++)
		free(*id);
	free(ids);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_container(int root, const char *name)
{
	char path[STATE_ID_MAX + 16];
	struct err lost = ERR_INIT;

	(void)snprintf(path, sizeof(path), "%.255s/" FILE_STATE, name);
	return state_check_id(name, &lost) == 0 && faccessat(root, path, F_OK, 0) == 0;
}

static int collect(DIR *d, char ***ids, size_t *n, struct err *e)
{
	for (const char *name; (name = file_next_name(d));) {
		char **more;

		if (!is_container(dirfd(d), name))
			continue;
		if (*n == STATE_CONTAINERS_MAX)
			return err_set(e, E2BIG, "more than %d containers", STATE_CONTAINERS_MAX);
		more = reallocarray(*ids, *n + 2, sizeof(**ids));
		if (!more)
			return err_set(e, ENOMEM, "state: out of memory");
		*ids = more;
		more[*n] = strdup(name);
		if (!more[*n])
			return err_set(e, ENOMEM, "state: out of memory");
		more[++*n] = NULL;
	}
	return 0;
}

int state_list(const char *root, char ***ret, struct err *e)
{
	_cleanup_dir_ DIR *d = NULL;
	char **ids = calloc(1, sizeof(*ids));
	size_t n = 0;
	_cleanup_fd_ int top = -1;
	int r = ids ? open_root(root, &top, e) : err_set(e, ENOMEM, "state: out of memory");

	if (r == 0)
		r = file_list(top, ".", &d, e);
	if (r == 0)
		r = collect(d, &ids, &n, e);
	if (r < 0 && r != -ENOENT) {
		state_list_free(ids);
		return r;
	}
	qsort(ids, n, sizeof(*ids), compare);
	*ret = ids;
	return 0;
}

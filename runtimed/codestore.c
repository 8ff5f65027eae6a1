/* The code store: see codestore.h. */
#include "runtimed/codestore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/codestore_tree.h"
#include "runtimed/module.h"
#include "sandbox/mount.h"

#define DIR_NAME   "code"
#define NEW_PREFIX ".new-"
#define OLD_PREFIX ".old-"
#define NAME_SIZE  (2 * LAUNCH_SHA256_LEN + 1)

struct code {
	uint8_t sha256[LAUNCH_SHA256_LEN];
	struct codestore_info info;
};

struct codestore {
	int dir;
	uint64_t bytes_max, counted_bytes;
	struct code *codes; /* in no order; a search is 10 µs at worst */
	size_t n_codes, n_room;
	uint64_t first_old,
		next_old; /* .old-<first> .. .old-<next - 1> wait for codestore_tidy() */
};

static uint64_t cost_of(const struct codestore_info *info)
{
	return info->unpacked_bytes + info->n_entries * CODESTORE_ENTRY_BYTES;
}

static struct code *find(const struct codestore *cs, const uint8_t *sha256)
{
	for (size_t i = 0; i < cs->n_codes; i++)
		if (memcmp(cs->codes[i].sha256, sha256, LAUNCH_SHA256_LEN) == 0)
			return &cs->codes[i];
	return NULL;
}

/* Room for one more row, so that adding it later cannot fail. */
static int reserve(struct codestore *cs, struct err *e)
{
	size_t n = cs->n_room ? 2 * cs->n_room : 64;
	struct code *more;

	if (cs->n_codes < cs->n_room)
		return 0;
	if (cs->n_codes >= CODESTORE_CODES_MAX)
		return err_set(e, ENOSPC, "the code store holds %d packages", CODESTORE_CODES_MAX);
	more = reallocarray(cs->codes, n, sizeof(*more));
	if (!more)
		return err_set(e, ENOMEM, "code store: out of memory");
	cs->codes = more;
	cs->n_room = n;
	return 0;
}

static void add(struct codestore *cs, const uint8_t *sha256, const struct codestore_info *info)
{
	struct code *c = &cs->codes[cs->n_codes++];

	memcpy(c->sha256, sha256, LAUNCH_SHA256_LEN);
	c->info = *info;
	cs->counted_bytes += cost_of(info);
}

static void job_name(uint64_t job, char out[NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, NEW_PREFIX "%" PRIu64, job);
}

/* Move a directory to where codestore_tidy() finds it. A missing one is fine. */
static int drop(struct codestore *cs, const char *name, struct err *e)
{
	char old[NAME_SIZE];

	(void)snprintf(old, sizeof(old), OLD_PREFIX "%" PRIu64, cs->next_old);
	if (renameat2(cs->dir, name, cs->dir, old, RENAME_NOREPLACE) == 0)
		cs->next_old++;
	else if (errno != ENOENT)
		return err_errno(e, "code store: drop '%s'", name);
	return 0;
}

/* One entry found at start: measured if it is a package, removed if it is a leftover of ours. */
static int admit(struct codestore *cs, const char *name, struct err *e)
{
	uint8_t sha256[LAUNCH_SHA256_LEN];
	struct codestore_info info = {0};
	int r;

	if (str_has_prefix(name, NEW_PREFIX) || str_has_prefix(name, OLD_PREFIX))
		return file_remove_tree(cs->dir, name, e);
	if (!str_unhex(name, sha256, sizeof(sha256)))
		return 0; /* not ours: left alone */
	r = codestore_measure(cs->dir, name, &info, e);
	if (r == 0)
		r = reserve(cs, e);
	if (r == 0)
		add(cs, sha256, &info);
	return r;
}

static int admit_all(struct codestore *cs, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	int r = file_list(cs->dir, ".", &list, e);

	while (r == 0 && (name = file_next_name(list)))
		r = admit(cs, name, e);
	return r;
}

int codestore_open(int state_dir, uint64_t bytes_max, struct codestore **ret, struct err *e)
{
	struct codestore *cs = calloc(1, sizeof(*cs));
	int r;

	if (!cs)
		return err_set(e, ENOMEM, "code store: out of memory");
	cs->dir = -1;
	cs->bytes_max = bytes_max ? bytes_max : CODESTORE_BYTES_MAX;
	r = file_make_dirs(state_dir, DIR_NAME, 0700, e);
	if (r == 0)
		r = file_open_dir(state_dir, DIR_NAME, &cs->dir, e);
	/* Whoever made it: no other user reads tenants' code, nor walks to it. */
	if (r == 0 && (fchown(cs->dir, geteuid(), getegid()) < 0 || fchmod(cs->dir, 0700) < 0))
		r = err_errno(e, "own '%s'", DIR_NAME);
	if (r == 0)
		r = admit_all(cs, e);
	if (r < 0) {
		codestore_close(cs);
		return err_wrap(e, "code store");
	}
	*ret = cs;
	return 0;
}

void codestore_close(struct codestore *cs)
{
	if (!cs)
		return;
	fd_close(&cs->dir);
	free(cs->codes);
	free(cs);
}

bool codestore_has(const struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN],
		   struct codestore_info *ret_info)
{
	const struct code *c = find(cs, sha256);

	if (c && ret_info)
		*ret_info = c->info;
	return c != NULL;
}

static int open_code(const struct codestore *cs, const uint8_t *sha256, int *ret_fd, struct err *e)
{
	char hex[NAME_SIZE];
	int fd;

	str_hex(sha256, LAUNCH_SHA256_LEN, hex);
	fd = openat(cs->dir, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "code %s is not installed", hex);
	if (fd < 0)
		return err_errno(e, "code store: open '%s'", hex);
	*ret_fd = fd;
	return 0;
}

int codestore_find_module(const struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN],
			  const char *module, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r = open_code(cs, sha256, &fd, e);

	return r < 0 ? r : module_find(fd, module, e);
}

static int check_room(const struct codestore *cs, uint64_t more_bytes, struct err *e)
{
	struct statvfs fs;

	if (cs->counted_bytes + more_bytes > cs->bytes_max)
		return err_set(e, ENOSPC,
			       "code store is full: %" PRIu64 " bytes, %" PRIu64
			       " more do not fit into the %" PRIu64 " allowed",
			       cs->counted_bytes, more_bytes, cs->bytes_max);
	if (fstatvfs(cs->dir, &fs) < 0)
		return err_errno(e, "code store: statvfs");
	if ((uint64_t)fs.f_bavail * fs.f_frsize < CODESTORE_RESERVE_BYTES)
		return err_set(e, ENOSPC,
			       "code store: its disk is full, %" PRIu64 " bytes are free",
			       (uint64_t)fs.f_bavail * fs.f_frsize);
	return 0;
}

int codestore_begin(struct codestore *cs, uint64_t job, uint32_t uid, int *ret_dirfd, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char name[NAME_SIZE];
	int r = check_room(cs, 1, e);

	if (r < 0)
		return r;
	job_name(job, name);
	if (mkdirat(cs->dir, name, 0700) < 0)
		return err_errno(e, "code store: mkdir '%s'", name);
	fd = openat(cs->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, uid) < 0) {
		r = err_errno(e, "code store: make '%s'", name);
		(void)unlinkat(cs->dir, name, AT_REMOVEDIR); /* the first error is the one */
		return r;
	}
	*ret_dirfd = fd_steal(&fd);
	return 0;
}

/* The worker's directory becomes root's, then the package's, by one rename. */
static int install(struct codestore *cs, const char *name, const char *hex, struct err *e)
{
	struct err also = ERR_INIT;
	_cleanup_fd_ int fd =
		openat(cs->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "code store: open '%s'", name);
	if (fchown(fd, geteuid(), getegid()) < 0 || fchmod(fd, 0755) < 0 || fsync(fd) < 0)
		return err_errno(e, "code store: own '%s'", name);
	if (renameat2(cs->dir, name, cs->dir, hex, RENAME_NOREPLACE) < 0)
		return err_errno(e, "code store: rename '%s' to '%s'", name, hex);
	if (fsync(cs->dir) == 0)
		return 0;
	(void)err_errno(e, "code store: sync");
	(void)drop(cs, hex, &also); /* the first error is the one to report */
	return -e->code;
}

int codestore_commit(struct codestore *cs, uint64_t job, const uint8_t sha256[LAUNCH_SHA256_LEN],
		     const struct codestore_info *info, struct err *e)
{
	struct err also = ERR_INIT;
	char name[NAME_SIZE], hex[NAME_SIZE];
	int r;

	if (codestore_has(cs, sha256, NULL))
		return codestore_abort(cs, job, e);
	job_name(job, name);
	str_hex(sha256, LAUNCH_SHA256_LEN, hex);
	r = check_room(cs, cost_of(info), e);
	if (r == 0)
		r = reserve(cs, e);
	if (r == 0)
		r = install(cs, name, hex, e);
	if (r == 0)
		add(cs, sha256, info);
	else
		(void)codestore_abort(cs, job, &also); /* the first error is the one to report */
	return r;
}

int codestore_abort(struct codestore *cs, uint64_t job, struct err *e)
{
	char name[NAME_SIZE];

	job_name(job, name);
	return drop(cs, name, e);
}

int codestore_mount(struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN], int *ret_mount,
		    struct err *e)
{
	static const uint64_t attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	_cleanup_fd_ int dir = -1, mount = -1;
	int r = open_code(cs, sha256, &dir, e);

	if (r == 0)
		r = mnt_clone(dir, "", false, &mount, e);
	if (r == 0)
		r = mnt_set(mount, attrs, 0, MS_PRIVATE, false, e);
	if (r == 0)
		*ret_mount = fd_steal(&mount);
	return r;
}

int codestore_forget(struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN], struct err *e)
{
	struct code *c = find(cs, sha256);
	char hex[NAME_SIZE];
	int r;

	str_hex(sha256, LAUNCH_SHA256_LEN, hex);
	r = drop(cs, hex, e);
	if (r == 0 && c) {
		cs->counted_bytes -= cost_of(&c->info);
		*c = cs->codes[--cs->n_codes];
	}
	return r;
}

int codestore_tidy(struct codestore *cs, unsigned n_max, struct err *e)
{
	unsigned n_left = n_max;
	char old[NAME_SIZE];
	int r = 0;

	while (r == 0 && cs->first_old < cs->next_old) {
		(void)snprintf(old, sizeof(old), OLD_PREFIX "%" PRIu64, cs->first_old);
		r = codestore_remove_some(cs->dir, old, &n_left, e);
		/* A tree that cannot be removed is left to the next start: it must not block others. */
		if (r <= 0)
			cs->first_old++;
	}
	return r < 0 ? err_wrap(e, "code store") : r;
}

void codestore_get_usage(const struct codestore *cs, struct codestore_usage *ret)
{
	*ret = (struct codestore_usage){.n_codes = cs->n_codes,
					.counted_bytes = cs->counted_bytes,
					.bytes_max = cs->bytes_max};
}

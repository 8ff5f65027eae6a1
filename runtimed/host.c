/* The launcher's world: see host.h. Opened by a table of steps, closed in reverse. */
#include "runtimed/host.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store.h"
#include "runtimed/imgmount.h"
#include "runtimed/profile.h"
#include "runtimed/unpack.h"
#include "sandbox/mount.h"
#include "sandbox/sandbox.h"

/* FNV-1a: a short name that differs for two daemons with different run directories. */
static uint32_t hash32(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

/* The core and the instances are other users: all that is above a directory must let them through. */
static int check_reach(const char *key, const char *dir, struct err *e)
{
	char path[PATH_MAX], *last;
	struct stat st;

	if (!realpath(dir, path))
		return err_errno(e, "%s: '%s'", key, dir);
	for (;;) {
		if (stat(path, &st) < 0)
			return err_errno(e, "%s: '%s'", key, path);
		if (!(st.st_mode & S_IXOTH))
			return err_set(e, EACCES,
				       "%s: '%s' has mode %04o: the daemon's unprivileged half and "
				       "the functions cannot pass it; chmod o+x, or another place",
				       key, path, st.st_mode & 07777);
		if (str_is(path, "/"))
			return 0;
		last = strrchr(path, '/');
		last[last == path ? 1 : 0] = '\0';
	}
}

static int open_dirs(struct host *h, struct err *e)
{
	int r = file_make_dirs(AT_FDCWD, h->cfg->state_dir, 0755, e);

	if (r == 0)
		r = file_make_dirs(AT_FDCWD, h->cfg->run_dir, 0755, e);
	if (r == 0)
		r = check_reach("state_dir", h->cfg->state_dir, e);
	if (r == 0)
		r = check_reach("run_dir", h->cfg->run_dir, e);
	if (r == 0)
		r = file_open_dir(AT_FDCWD, h->cfg->state_dir, &h->state, e);
	if (r == 0)
		r = file_open_dir(AT_FDCWD, h->cfg->run_dir, &h->run, e);
	return r;
}

/*
 * A lock of the process (fcntl(2)), not of the open file as flock(2): that would live on for a moment in the
 * children of a daemon that was killed, and keep the next one from starting.
 */
static int take_lock(struct host *h, struct err *e)
{
	_cleanup_fd_ int fd = openat(h->run, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fd < 0)
		return err_errno(e, "create '%s/lock'", h->cfg->run_dir);
	if (fcntl(fd, F_SETLK, &lock) < 0)
		return errno == EAGAIN || errno == EACCES
			       ? err_set(e, EBUSY, "another daemon runs on '%s'", h->cfg->run_dir)
			       : err_errno(e, "lock '%s/lock'", h->cfg->run_dir);
	h->lock = fd_steal(&fd); /* only now: whoever has it clears RUN at the end */
	return 0;
}

/* All instances together leave the host a quarter of its process numbers, whatever each may have. */
static int limit_all(struct host *h, struct err *e)
{
	struct cg_limits limits = {0};
	char text[32];
	uint64_t pid_max = 0;
	int r = file_read(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text), e);

	if (r == 0)
		r = str_to_u64(text, 1, UINT32_MAX, "kernel.pid_max", &pid_max, e);
	limits.pids_max = pid_max / 4 * 3;
	return r < 0 ? r : cg_limit(&h->group, &limits, e);
}

static int open_groups(struct host *h, struct err *e)
{
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	int r = cg_probe(&h->cgroups, e);

	if (r < 0)
		return r;
	(void)snprintf(h->group_name, sizeof(h->group_name), "runtimed.%08" PRIx32,
		       hash32(h->cfg->run_dir));
	r = cg_root_sweep(h->cgroups, h->group_name, e);
	if (r == 0)
		r = file_replace(h->run, "cgroup", h->group_name, strlen(h->group_name), 0644, e);
	if (r == 0)
		r = cg_root_create(h->cgroups, h->group_name, &h->group, e);
	if (r < 0)
		return r;
	h->has_group = true;
	r = limit_all(h, e);
	if (r == 0)
		r = cg_create(&h->group, "zygote", &h->zygotes, e);
	if (r == 0)
		r = cg_meter_open(&h->zygotes, &meter, e);
	h->peak_resets = meter.peak_resets;
	return r;
}

static int own_mounts(struct host *h, struct err *e)
{
	(void)h;
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(e, "new mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(e, "make mounts private");
	return 0;
}

/* Attach at RUN/name, made when missing, and give its path. */
static int attach_in_run(struct host *h, int mnt, const char *name, char *path, struct err *e)
{
	_cleanup_fd_ int at = -1;
	int r = file_make_dirs(h->run, name, 0755, e);

	if (r == 0)
		r = file_open_dir(h->run, name, &at, e);
	if (r == 0)
		r = mnt_attach(mnt, at, name, e);
	if (r == 0)
		(void)snprintf(path, HOST_PATH_MAX, "%s/%s", h->cfg->run_dir, name);
	return r;
}

static int open_null(struct host *h, struct err *e)
{
	h->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	return h->null < 0 ? err_errno(e, "open '/dev/null'") : 0;
}

static int prepare_dev(struct host *h, struct err *e)
{
	_cleanup_fd_ int mnt = -1;
	int r = mnt_new("tmpfs", "dev", "mode=0755,size=64k", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
			&mnt, e);

	if (r == 0)
		r = sbx_dev_fill(mnt, e);
	if (r == 0)
		r = mnt_set(mnt, MOUNT_ATTR_RDONLY, 0, 0, false, e);
	if (r == 0)
		r = attach_in_run(h, mnt, "dev", h->dev_path, e);
	if (r == 0)
		r = file_make_dirs(h->run, "stage", 0755, e);
	if (r == 0)
		(void)snprintf(h->stage_path, sizeof(h->stage_path), "%s/stage", h->cfg->run_dir);
	return r;
}

static int add_image(struct host *h, struct img_store *store, const struct img *img, struct err *e)
{
	struct launch_image *to = &h->images[h->n_images];
	_cleanup_fd_ int mnt = -1;
	char name[32];
	int r = img_verify(store, img, e);

	if (r == 0)
		r = imgmount(store, img, &mnt, e);
	(void)snprintf(name, sizeof(name), "img/%" PRIu32, h->n_images);
	if (r == 0)
		r = attach_in_run(h, mnt, name, h->image_path[h->n_images], e);
	if (r < 0)
		return err_wrap(e, "image '%s'", img->name);
	if (!str_copy(to->name, sizeof(to->name), img->name) ||
	    !str_copy(h->python[h->n_images], sizeof(h->python[0]), img->python) ||
	    !str_unhex(img->digest, to->digest, sizeof(to->digest)))
		return err_set(e, EINVAL, "image '%s': bad manifest", img->name);
	to->packed_bytes = img->packed_bytes;
	to->unpacked_bytes = img->unpacked_bytes;
	h->n_images++;
	return 0;
}

static int mount_images(struct host *h, struct err *e)
{
	_cleanup_img_store_ struct img_store *store = NULL;
	struct img list[LAUNCH_IMAGES_MAX];
	size_t n = 0;
	int r = img_store_open(h->cfg->images_dir, &store, e);

	if (r == 0)
		r = img_store_list(store, list, ARRAY_SIZE(list), &n, e);
	if (r == 0 && n == 0)
		r = err_set(e, ENOENT, "no image in '%s': run 'make image'", h->cfg->images_dir);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_image(h, store, &list[i], e);
	return r;
}

/* The core: an id without any privilege; it may write its own directory and nothing else. */
static int core_limits(struct host *h, struct err *e)
{
	struct sbx_drop *d = h->core_drop;
	int n = snprintf(d->writable[0], sizeof(d->writable[0]), "%s/core", h->cfg->state_dir);

	if (n < 0 || (size_t)n >= sizeof(d->writable[0]))
		return err_set(e, ENAMETOOLONG, "state directory of %d bytes", n);
	d->uid = d->gid = (uint32_t)h->cfg->core_uid;
	d->umask = 077;
	d->no_new_privs = true;
	d->has_landlock = true;
	d->n_writable = 1;
	d->has_filter = true;
	return profile_load(h->cfg, "core", &d->filter, e);
}

static int compile_policies(struct host *h, struct err *e)
{
	_cleanup_free_ struct pol_program *python = calloc(1, sizeof(*python));
	int r;

	h->init_filter = calloc(1, sizeof(*h->init_filter));
	h->function_drop = calloc(1, sizeof(*h->function_drop));
	h->unpack_drop = calloc(1, sizeof(*h->unpack_drop));
	h->core_drop = calloc(1, sizeof(*h->core_drop));
	if (!python || !h->init_filter || !h->function_drop || !h->unpack_drop || !h->core_drop)
		return err_set(e, ENOMEM, "policies");
	unpack_drop_init(h->unpack_drop, (uint32_t)h->cfg->core_uid + 1);
	h->unpack_drop->has_filter = true;
	r = profile_load(h->cfg, "python", python, e);
	if (r == 0)
		r = profile_load(h->cfg, "init", h->init_filter, e);
	if (r == 0)
		r = profile_load(h->cfg, "unpack", &h->unpack_drop->filter, e);
	if (r == 0)
		r = core_limits(h, e);
	if (r == 0)
		sbx_drop_for_function(python, h->function_drop);
	return r;
}

/*
 * The mount namespace comes first: a directory opened before belongs to another one and takes no mount.
 */
/* clang-format off */
static const struct {
	const char *name;
	int (*run)(struct host *, struct err *);
} steps[] = {
	{"mount namespace", own_mounts      },
	{"directories",     open_dirs       },
	{"lock",            take_lock       },
	{"policies",        compile_policies},
	{"cgroups",         open_groups     },
	{"devices",         prepare_dev     },
	{"null device",     open_null       },
	{"images",          mount_images    },
};
/* clang-format on */

int host_open(struct host *h, const struct config *cfg, struct err *e)
{
	*h = (struct host){.cfg = cfg,
			   .state = -1,
			   .run = -1,
			   .lock = -1,
			   .null = -1,
			   .group = CG_INIT,
			   .zygotes = CG_INIT};
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (steps[i].run(h, e) < 0)
			return err_wrap(e, "%s", steps[i].name);
	return 0;
}

/* Mounts first: what stays mounted cannot be removed. All failures are told, none stops the rest. */
static void clear_run(struct host *h)
{
	static const char *const names[] = {"img",  "dev",           "stage", "cgroup",
					    "port", "runtimed.sock", "lock"};
	struct err e = ERR_INIT;

	for (uint32_t i = 0; i < h->n_images; i++)
		if (umount2(h->image_path[i], MNT_DETACH) < 0)
			log_line(LOG_WARN, "unmount '%s': %m", h->image_path[i]);
	if (h->dev_path[0] && umount2(h->dev_path, MNT_DETACH) < 0)
		log_line(LOG_WARN, "unmount '%s': %m", h->dev_path);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (file_remove_tree(h->run, names[i], &e) < 0)
			log_err(&e);
}

void host_close(struct host *h)
{
	struct err e = ERR_INIT;

	cg_close(&h->zygotes);
	if (h->has_group && cg_remove(&h->group, "zygote", &e) < 0)
		log_err(&e);
	cg_close(&h->group);
	if (h->has_group && cg_root_remove(h->cgroups, h->group_name, &e) < 0)
		log_err(&e);
	cg_host_free(h->cgroups);
	if (h->lock >= 0)
		clear_run(h);
	fd_close(&h->lock);
	fd_close(&h->null);
	fd_close(&h->run);
	fd_close(&h->state);
	free(h->init_filter);
	free(h->function_drop);
	free(h->unpack_drop);
	free(h->core_drop);
}

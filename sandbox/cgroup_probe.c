/* The one look at the host: where each hierarchy is mounted, and our own group in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

/* A host with thousands of containers has a mountinfo of some MB. */
#define PROC_TEXT_MAX (16 << 20)

/* /proc files tell no size and are longer than one read(2). Always NUL-terminated. */
static int read_proc(const char *path, struct buf *text, struct err *e)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_errno(e, "cgroups: open '%s'", path);
	do {
		void *room = buf_reserve(text, 64 << 10);

		if (!room)
			return err_set(e, EFBIG, "cgroups: '%s' is too long", path);
		n = read(fd, room, 64 << 10);
		if (n < 0)
			return err_errno(e, "cgroups: read '%s'", path);
		buf_commit(text, (size_t)n);
	} while (n > 0);
	buf_putc(text, '\0');
	return buf_failed(text) ? err_set(e, ENOMEM, "cgroups: read '%s': out of memory", path) : 0;
}

/* The kernel gives the top of each hierarchy the inode number 1; a part of one, mounted alone, has another. */
static bool is_top(const char *dir, bool is_v2)
{
	struct statfs fs;
	struct stat st;

	return statfs(dir, &fs) == 0 &&
	       fs.f_type == (is_v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC) &&
	       stat(dir, &st) == 0 && st.st_ino == 1;
}

/* In a namespace of its own, a path of /proc/self/cgroup begins elsewhere than a mount made outside. */
#define CGROUP_INIT_NS_INO 0xEFFFFFFB /* include/linux/proc_ns.h, fixed since 4.6 */

static bool is_in_first_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/cgroup", &st) == 0 && st.st_ino == CGROUP_INIT_NS_INO;
}

static int search_layout(struct cg_layout *ret, struct err *e)
{
	_cleanup_buf_ struct buf mounts, own;
	int r;

	buf_init(&mounts, PROC_TEXT_MAX);
	buf_init(&own, PROC_TEXT_MAX);
	r = read_proc("/proc/self/mountinfo", &mounts, e);
	if (r == 0)
		r = read_proc("/proc/self/cgroup", &own, e);
	if (r == 0)
		r = cg_layout_parse(mounts.data, own.data, ret, e);
	return r;
}

static int read_layout(struct cg_layout *ret, struct err *e)
{
	_cleanup_buf_ struct buf own;
	int r;

	buf_init(&own, PROC_TEXT_MAX);
	r = read_proc("/proc/self/cgroup", &own, e);
	if (r < 0)
		return r;
	if (is_in_first_namespace() && cg_layout_usual(own.data, is_top, ret))
		return 0;
	return search_layout(ret, e);
}

/* What our own v2 group may give to its children, as one line. */
static int resolve(struct cg_layout *layout, struct err *e)
{
	_cleanup_fd_ int core = -1;
	char controllers[1024];
	int r = file_open_dir(AT_FDCWD, layout->path[CG_CORE], &core, e);

	if (r == 0)
		r = file_read(core, "cgroup.controllers", controllers, sizeof(controllers), e);
	if (r < 0)
		return err_wrap(e, "cgroups: our own group");
	return cg_layout_resolve(layout, controllers, e);
}

int cg_open_all(const char path[CG_HIERARCHIES][PATH_MAX], struct cg *cg, struct err *e)
{
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		if (path[h][0] == '\0')
			continue;
		for (int i = CG_CORE; i < h && cg->dir[h] < 0; i++)
			if (str_is(path[i], path[h]))
				cg->dir[h] = cg->dir[i];
		if (cg->dir[h] < 0 && file_open_dir(AT_FDCWD, path[h], &cg->dir[h], e) < 0)
			return err_wrap(e, "%s", cg_hierarchy_name(h));
	}
	return 0;
}

static int open_own(struct cg_host *host, struct err *e)
{
	int r = cg_open_all(host->layout.path, &host->own, e);

	return r < 0 ? err_wrap(e, "cgroups: our own group") : 0;
}

int cg_probe(struct cg_host **ret, struct err *e)
{
	struct cg_host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return err_set(e, ENOMEM, "cgroups: out of memory");
	host->own = (struct cg)CG_INIT;
	r = read_layout(&host->layout, e);
	if (r == 0)
		r = resolve(&host->layout, e);
	if (r == 0)
		r = open_own(host, e);
	if (r < 0) {
		cg_host_free(host);
		return r;
	}
	*ret = host;
	return 0;
}

void cg_host_free(struct cg_host *host)
{
	if (!host)
		return;
	cg_close(&host->own);
	free(host);
}

enum cg_mode cg_host_mode(const struct cg_host *host)
{
	return cg_layout_mode(&host->layout);
}

const char *cg_host_path(const struct cg_host *host, enum cg_hierarchy h)
{
	return host->layout.path[h];
}

cg_set cg_host_has(const struct cg_host *host)
{
	cg_set set = 0;

	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		if (cg_is_in(&host->own, h))
			set |= CG_BIT(h);
	return set;
}

/* Groups and the processes in them: see include/sandbox/cgroup.h. */
#include "sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define REMOVE_TIMEOUT_US (1 * CLK_US_PER_SEC)
#define EVENTS_TEXT_MAX   256
#define LIST_TEXT_MAX     4096 /* "0-3,8": a page */

/*
 * The kernel reports changes of cgroup.events at most every 10 ms a file, and a group that got its
 * process just now has used up its turn. What we wait for mostly comes within some µs: look for it
 * that long before going to sleep.
 */
#define LOOK_US 300

/* ---- making and removing ---- */

int cg_check_name(const char *name, struct err *e)
{
	if (name[0] == '\0' || strchr(name, '/') || str_is(name, ".") || str_is(name, ".."))
		return err_set(e, EINVAL, "cgroup '%s': not one path component", name);
	return 0;
}

void cg_close(struct cg *cg)
{
	/* From the last to the first: an owner's descriptor must be there to know its sharers. */
	for (int h = CG_HIERARCHIES - 1; h >= 0; h--) {
		if (cg_owns_dir(cg, h))
			fd_close(&cg->dir[h]);
		cg->dir[h] = -1;
	}
}

int cg_open(const struct cg *parent, const char *name, struct cg *ret, struct err *e)
{
	struct cg cg = CG_INIT;
	int r = cg_check_name(name, e);

	for (int h = CG_CORE; h < CG_HIERARCHIES && r == 0; h++) {
		if (!cg_is_in(parent, h))
			continue;
		for (int i = CG_CORE; i < h && cg.dir[h] < 0; i++)
			if (parent->dir[i] == parent->dir[h])
				cg.dir[h] = cg.dir[i];
		if (cg.dir[h] < 0)
			r = file_open_dir(parent->dir[h], name, &cg.dir[h], e);
		if (r < 0)
			err_wrap(e, "cgroup (%s)", cg_hierarchy_name(h));
	}
	if (r < 0) {
		cg_close(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

int cg_cpuset_inherit(int parent, int child, struct err *e)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char text[LIST_TEXT_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		r = file_read(child, files[i], text, sizeof(text), e);
		if (r < 0 || text[0] != '\0')
			continue;
		r = file_read(parent, files[i], text, sizeof(text), e);
		if (r == 0 && text[0] != '\0')
			r = file_write(child, files[i], text, e);
	}
	return r < 0 ? err_wrap(e, "cgroup (cpuset)") : 0;
}

/* The directories made in hierarchies before `end`, which nobody has seen yet. */
static void unmake(const struct cg *parent, const char *name, int end)
{
	for (int h = CG_CORE; h < end; h++)
		if (cg_owns_dir(parent, h))
			(void)unlinkat(parent->dir[h], name, AT_REMOVEDIR);
}

int cg_create(const struct cg *parent, const char *name, struct cg *ret, struct err *e)
{
	int r = cg_check_name(name, e);

	if (r < 0)
		return r;
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		if (!cg_owns_dir(parent, h) || mkdirat(parent->dir[h], name, 0755) == 0)
			continue;
		r = err_errno(e, "cgroup '%s' (%s): mkdir", name, cg_hierarchy_name(h));
		unmake(parent, name, h);
		return r;
	}
	r = cg_open(parent, name, ret, e);
	if (r == 0 && cg_is_in(ret, CG_CPUSET) && !cg_is_v2(ret, CG_CPUSET)) {
		r = cg_cpuset_inherit(parent->dir[CG_CPUSET], ret->dir[CG_CPUSET], e);
		if (r < 0)
			cg_close(ret);
	}
	if (r < 0)
		unmake(parent, name, CG_HIERARCHIES);
	return r;
}

int cg_enable_children(const struct cg *cg, struct err *e)
{
	char text[128] = "";

	for (int h = CG_CORE + 1; h < CG_HIERARCHIES; h++) {
		size_t used = strlen(text);

		if (cg_is_v2(cg, h))
			(void)snprintf(text + used, sizeof(text) - used, "+%s ", cg_v2_name(h));
	}
	if (text[0] == '\0')
		return 0;
	return file_write(cg->dir[CG_CORE], "cgroup.subtree_control", text, e);
}

static int remove_dirs(const struct cg *parent, const char *name, struct err *e)
{
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		if (cg_owns_dir(parent, h) && unlinkat(parent->dir[h], name, AT_REMOVEDIR) < 0 &&
		    errno != ENOENT)
			return err_errno(e, "cgroup '%s' (%s): rmdir", name, cg_hierarchy_name(h));
	return 0;
}

int cg_remove(const struct cg *parent, const char *name, struct err *e)
{
	_cleanup_cg_ struct cg cg = CG_INIT;
	struct err wait = ERR_INIT;
	int r = cg_check_name(name, e);

	if (r == 0)
		r = remove_dirs(parent, name, e);
	if (r != -EBUSY)
		return r;
	/*
	 * Processes hold it, or groups below do. If it does not become empty, or is not whole any
	 * more, the first error is the one to report.
	 */
	if (cg_open(parent, name, &cg, &wait) < 0 ||
	    cg_wait_empty(&cg, clk_now_us() + REMOVE_TIMEOUT_US, &wait) < 0)
		return r;
	return remove_dirs(parent, name, e);
}

/* ---- processes ---- */

int cg_add(const struct cg *cg, pid_t pid, struct err *e)
{
	char text[16];
	int r;

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		if (!cg_owns_dir(cg, h))
			continue;
		r = file_write(cg->dir[h], "cgroup.procs", text, e);
		if (r < 0)
			return err_wrap(e, "cgroup (%s)", cg_hierarchy_name(h));
	}
	return 0;
}

int cg_tasks_open(const struct cg *cg, int *fds, int *ret_n, struct err *e)
{
	int n = 0;

	for (int h = CG_CORE + 1; h < CG_HIERARCHIES; h++) {
		if (!cg_owns_dir(cg, h))
			continue;
		fds[n] = openat(cg->dir[h], "tasks", O_WRONLY | O_CLOEXEC);
		if (fds[n] < 0) {
			err_errno(e, "cgroup (%s): open 'tasks'", cg_hierarchy_name(h));
			while (n > 0)
				fd_close(&fds[--n]);
			return -e->code;
		}
		n++;
	}
	*ret_n = n;
	return 0;
}

int cg_clone_fd(const struct cg *cg)
{
	return cg->dir[CG_CORE];
}

int cg_freeze(const struct cg *cg, bool frozen, struct err *e)
{
	return file_write(cg->dir[CG_CORE], "cgroup.freeze", frozen ? "1" : "0", e);
}

int cg_is_frozen(const struct cg *cg, bool *ret, struct err *e)
{
	char text[EVENTS_TEXT_MAX];
	uint64_t frozen = 0;
	int r = file_read(cg->dir[CG_CORE], "cgroup.events", text, sizeof(text), e);

	if (r < 0)
		return err_wrap(e, "cgroup");
	(void)cg_flat_value(text, "frozen", &frozen);
	*ret = frozen != 0;
	return 0;
}

int cg_kill(const struct cg *cg, struct err *e)
{
	return file_write(cg->dir[CG_CORE], "cgroup.kill", "1", e);
}

/* ---- waiting ---- */

/* poll(2) takes int milliseconds: rounded up, so that a deadline is never early. */
static int poll_timeout_ms(uint64_t deadline_us)
{
	uint64_t now = clk_now_us();
	uint64_t left_ms = now >= deadline_us ? 0 : (deadline_us - now + 999) / CLK_US_PER_MS;

	return left_ms > 60000 ? 60000 : (int)left_ms;
}

/*
 * Wait until the line `key` of cgroup.events has the value. The kernel raises POLLPRI for a change
 * since this descriptor's last read, so nothing is lost between the read and the poll.
 */
static int wait_event(const struct cg *cg, const char *key, uint64_t wanted, uint64_t deadline_us,
		      struct err *e)
{
	_cleanup_fd_ int fd = openat(cg->dir[CG_CORE], "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	uint64_t value, look_until_us = clk_now_us() + LOOK_US;
	char text[EVENTS_TEXT_MAX];

	if (fd < 0)
		return err_errno(e, "open 'cgroup.events'");
	for (;;) {
		int timeout_ms = poll_timeout_ms(deadline_us);
		int r = file_pread(fd, text, sizeof(text));

		if (r < 0)
			return err_set(e, -r, "read 'cgroup.events': %s", err_name(-r));
		if (!cg_flat_value(text, key, &value))
			return err_set(e, EPROTO, "cgroup.events: no line '%s'", key);
		if (value == wanted)
			return 0;
		if (timeout_ms == 0)
			return err_set(e, ETIMEDOUT, "cgroup: '%s %d' did not come in time", key,
				       (int)wanted);
		if (clk_now_us() < look_until_us)
			(void)sched_yield();
		else if (poll(&p, 1, timeout_ms) < 0 && errno != EINTR)
			return err_errno(e, "poll 'cgroup.events'");
	}
}

int cg_wait_empty(const struct cg *cg, uint64_t deadline_us, struct err *e)
{
	return wait_event(cg, "populated", 0, deadline_us, e);
}

int cg_wait_frozen(const struct cg *cg, uint64_t deadline_us, struct err *e)
{
	return wait_event(cg, "frozen", 1, deadline_us, e);
}

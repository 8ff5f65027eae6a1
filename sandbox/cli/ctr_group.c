/*
 * A container's group, and what does its work where there is none: see ctr.h.
 *
 * Root's containers always have one. An ordinary user, and root of a user namespace, may make groups only where he
 * was delegated one: without that a container starts if its config asks for nothing that a group is needed for. It is
 * ended by its pid namespace then, which it must have.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "base/arena.h"
#include "base/clk.h"
#include "base/fd.h"
#include "sandbox/cli/ctr.h"

/* All containers' groups are in it, unless their config says where. */
#define GROUP_OF_ALL   "sandbox"
#define END_TIMEOUT_US (10 * CLK_US_PER_SEC)

/* ---- choosing ---- */

/* Below our own group; with all of v2 below the root, as our own one, having processes, has no limits below. */
static const char *default_group(const struct ctr *c)
{
	const char *slash = cg_host_mode(c->host) == CG_UNIFIED ? "/" : "";

	return arena_printf(c->state.arena, "%s" GROUP_OF_ALL "/%s", slash, c->state.id);
}

/* why: there can be no group. */
static int go_without(struct ctr *c, const struct err *why, struct err *e)
{
	static const char hint[] = "delegate one (systemd-run --user --scope -p Delegate=yes)";
	const char *limit = cg_resources_first(&c->plan->resources);

	cg_host_free(c->host);
	c->host = NULL;
	c->state.group = "";
	if (!c->cli->is_rootless || c->plan->resources.limits_devices) {
		*e = *why;
		return -e->code;
	}
	if (c->plan->cgroup_path)
		return err_set(e, why->code,
			       "linux.cgroupsPath: unable to apply cgroup configuration: %s; %s",
			       why->text, hint);
	if (limit)
		return err_set(e, why->code,
			       "linux.resources.%s: rootless needs no limits + no cgrouppath when "
			       "no permission is granted for cgroups: %s; %s",
			       limit, why->text, hint);
	if (!(c->plan->namespaces & CLONE_NEWPID))
		return err_set(e, why->code,
			       "linux.namespaces: without a group, a new namespace of type pid is "
			       "needed to end the container by: %s; %s",
			       why->text, hint);
	cli_debug(c->cli, "without a group: %s", why->text);
	return 0;
}

int ctr_choose_group(struct ctr *c, struct err *e)
{
	struct err why = ERR_INIT;
	int r = c->host ? 0 : cg_probe(&c->host, &why);

	if (r < 0)
		return go_without(c, &why, e);
	c->state.group = c->plan->cgroup_path ?: default_group(c);
	if (!c->state.group)
		return err_set(e, ENOMEM, "state: out of memory");
	if (!c->cli->is_rootless)
		return 0;
	r = cg_shared_check(c->host, c->state.group, cg_resources_need(&c->plan->resources), &why);
	return r < 0 ? go_without(c, &why, e) : 0;
}

/* ---- making ---- */

/* Below a group that somebody has frozen its process would be born frozen, and we would wait for it for ever. */
static int check_thawed(const struct cg *group, struct err *e)
{
	bool is_frozen = false;
	int r = cg_is_frozen(group, &is_frozen, e);

	return r == 0 && is_frozen ? err_set(e, EBUSY, "container's cgroup unexpectedly frozen")
				   : r;
}

int ctr_make_group(struct ctr *c, struct err *e)
{
	struct cg_paths *paths = arena_get(c->state.arena, sizeof(*paths));
	struct err why = ERR_INIT;
	uint32_t depth = 0;
	int r = paths ? 0 : err_set(e, ENOMEM, "state: out of memory");

	if (r < 0 || !*c->state.group)
		return r;
	if (cg_shared_create(c->host, c->state.group, cg_resources_need(&c->plan->resources),
			     &c->group, &depth, &why) < 0) {
		r = go_without(c, &why, e);
		return r < 0 ? r : state_save(&c->state, e);
	}
	r = cg_paths_get(&c->group, depth, paths, e);
	if (r < 0)
		return r;
	c->state.paths = paths;
	r = state_save(&c->state, e);
	if (r == 0)
		r = check_thawed(&c->group, e);
	return r < 0 ? r : cg_resources_apply(&c->group, &c->plan->resources, e);
}

/* ---- ending ---- */

/* Its pid namespace ends with it, and it is not gone before all others in there are. */
static int end_process(const struct ctr *c, bool is_awaited, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	struct pollfd p = {.events = POLLIN};
	int r = state_pidfd(&c->state, &pidfd, e);

	if (r < 0 || r == STATE_E_GONE)
		return r < 0 ? r : 0;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : err_errno(e, "kill process %d", (int)c->state.pid);
	if (!is_awaited)
		return 0;
	p.fd = pidfd;
	r = poll(&p, 1, (int)(END_TIMEOUT_US / CLK_US_PER_MS));
	if (r < 0)
		return err_errno(e, "wait for process %d", (int)c->state.pid);
	return r > 0 ? 0 : err_set(e, ETIMEDOUT, "process %d does not end", (int)c->state.pid);
}

/*
 * Killed between making the group and writing down where it is, a create has left one without a process: making
 * it anew finds it. If somebody is in there it is not ours.
 */
static int find_lost_group(struct ctr *c, struct err *e)
{
	struct cg_paths *paths = arena_get(c->state.arena, sizeof(*paths));
	uint32_t depth = 0;
	int r = paths ? 0 : err_set(e, ENOMEM, "state: out of memory");

	if (r == 0 && !c->host)
		r = cg_probe(&c->host, e);
	if (r == 0)
		r = cg_shared_create(c->host, c->state.group, cg_host_has(c->host), &c->group,
				     &depth, e);
	if (r == -EBUSY)
		return 0;
	if (r == 0)
		r = cg_paths_get(&c->group, depth, paths, e);
	cg_close(&c->group);
	return r < 0 ? r : cg_paths_remove(c->host, paths, e);
}

int ctr_remove_group(struct ctr *c, struct err *e)
{
	cg_close(&c->group);
	if (c->state.paths)
		return cg_paths_remove(c->host, c->state.paths, e);
	if (c->state.group && *c->state.group)
		return find_lost_group(c, e);
	return end_process(c, true, e);
}

int ctr_kill(struct ctr *c, struct err *e)
{
	int r;

	if (!c->state.paths)
		return end_process(c, false, e);
	r = cg_paths_open(c->state.paths, &c->group, e);
	if (r == 0)
		r = cg_end(&c->group, clk_now_us() + END_TIMEOUT_US, e);
	cg_close(&c->group);
	return r == -ENOENT ? 0 : r;
}

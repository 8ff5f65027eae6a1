/* The plan of a container, from its bundle or from the copy: see ctr.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/ctr.h"
#include "sandbox/plan_oci.h"
#include "sandbox/userns.h"

/* By systemd's protocol: so many descriptors from the third on were meant for us, and are passed on. */
static uint64_t listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	struct err lost = ERR_INIT;
	uint64_t value = 0;

	if (!pid || !n || str_to_u64(pid, 1, INT32_MAX, "", &value, &lost) < 0 ||
	    (pid_t)value != getpid())
		return 0;
	return str_to_u64(n, 0, SBX_STDIO_MAX, "", &value, &lost) < 0 ? 0 : value;
}

/* The container's process is pid 1, or will find itself told so, as runc does. */
static int tell_listen_fds(struct sbx_plan *p, uint64_t n, struct err *e)
{
	const char **env;
	size_t count = 0;

	if (n == 0)
		return 0;
	while (p->env[count])
		count++;
	env = arena_get(p->arena, (count + 3) * sizeof(*env));
	if (!env)
		return err_set(e, ENOMEM, "plan: out of memory");
	memcpy(env, p->env, count * sizeof(*env));
	env[count] = arena_printf(p->arena, "LISTEN_FDS=%u", (unsigned int)n);
	env[count + 1] = arena_strdup(p->arena, "LISTEN_PID=1");
	if (!env[count] || !env[count + 1])
		return err_set(e, ENOMEM, "plan: out of memory");
	p->env = env;
	return 0;
}

int ctr_place_descriptors(struct ctr *c, struct sbx_place *place, struct err *e)
{
	return cli_pass_descriptors(listen_fds() + c->cli->preserve_fds, place, e);
}

/*
 * Who is not root of the host has no power over devices: he cannot make nodes, those that he may open are bound by
 * path, and no group keeps him from others.
 */
static int adapt(struct ctr *c, struct err *e)
{
	struct sbx_plan *p = c->plan;

	if (userns_is_host_root())
		return 0;
	p->resources.limits_devices = false;
	p->root.no_devices = true;
	if (geteuid() != 0 && c->cli->is_rootless && !sbx_plan_has(p, CLONE_NEWUSER))
		return err_set(e, EINVAL,
			       "config.json: linux.namespaces: rootless container requires user "
			       "namespaces: one of type user (see `sandbox spec --rootless`)");
	return 0;
}

int ctr_load_bundle(struct ctr *c, struct err *e)
{
	_cleanup_free_ char *bundle = realpath(c->cli->bundle, NULL), *text = NULL;
	_cleanup_fd_ int dir = -1;
	int r;

	if (!bundle)
		return err_errno(e, "bundle '%s'", c->cli->bundle);
	text = malloc(OCI_CONFIG_BYTES);
	r = text ? file_open_dir(AT_FDCWD, bundle, &dir, e) : err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = file_read(dir, c->cli->config, text, OCI_CONFIG_BYTES, e);
	if (r < 0)
		return err_wrap(e, "bundle '%s'", c->cli->bundle);
	r = plan_oci_parse_at(c->cli->root, text, strlen(text), bundle, &c->plan, e);
	if (r == 0)
		r = sbx_plan_grant(c->plan, e);
	if (r == 0)
		cli_warnings(c->cli, c->plan);
	if (r == 0)
		r = adapt(c, e);
	if (r == 0)
		r = cli_check_terminal(c->cli, c->plan, !c->is_foreground, e);
	if (r == 0)
		r = tell_listen_fds(c->plan, listen_fds(), e);
	if (r < 0)
		return r;
	c->plan->has_new_keyring = !c->cli->no_new_keyring;
	/* Nobody but us waits for it: it must not be left alone. */
	c->plan->dies_with_parent = c->is_foreground;
	c->config = mem_steal(&text);
	return 0;
}

int ctr_load_copy(struct ctr *c, struct err *e)
{
	_cleanup_free_ char *text = malloc(OCI_CONFIG_BYTES);
	int r = text ? file_read(c->state.dir, STATE_FILE_CONFIG, text, OCI_CONFIG_BYTES, e)
		     : err_set(e, ENOMEM, "out of memory");

	return r < 0 ? r
		     : plan_oci_parse_at(c->cli->root, text, strlen(text), c->state.bundle,
					 &c->plan, e);
}

/* Creating and destroying a container: see ctr.h. */
#include "sandbox/cli/ctr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/seccomp_notify.h"

void ctr_close(struct ctr *c)
{
	int *const fds[] = {&c->gate.start, &c->gate.answer, &c->gate.creating, &c->gate.created,
			    &c->terminal};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fd_close(fds[i]);
	sbx_proc_close(&c->proc);
	cg_close(&c->group);
	cg_host_free(c->host);
	sbx_plan_free(c->plan);
	free(c->config);
	state_fini(&c->state);
	*c = (struct ctr)CTR_INIT;
}

int ctr_find(struct ctr *c, const struct cli *cli, struct err *e)
{
	c->cli = cli;
	return state_find(cli->root, cli->id, true, &c->state, e);
}

/* ---- creating ---- */

/* What a killed create, or a killed `run`, left under this ID. */
static int sweep(struct ctr *c, struct err *e)
{
	int r = ctr_remove_group(c, e);

	return r < 0 ? err_wrap(e, "what is left of '%s'", c->cli->id)
		     : state_reset(c->cli->id, &c->state, e);
}

static int step_claim(struct ctr *c, struct err *e)
{
	int r = state_claim(c->cli->root, c->cli->id, &c->state, e);

	return r == STATE_E_LEFTOVER ? sweep(c, e) : r;
}

static const char *now_text(struct arena *a)
{
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900,
			    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			    now.tv_nsec);
}

/* Root's name is known. For others the user database, and with it half of libc, would have to be loaded. */
static const char *owner_name(struct arena *a)
{
	return geteuid() == 0 ? "root" : arena_printf(a, "%u", (unsigned int)geteuid());
}

/* All that is known beforehand. The strings of the plan live as long as the state. */
static int step_describe(struct ctr *c, struct err *e)
{
	_cleanup_free_ char *bundle = realpath(c->cli->bundle, NULL);
	struct state *s = &c->state;
	const struct sbx_plan *p = c->plan;
	int r;

	if (!bundle)
		return err_errno(e, "bundle '%s'", c->cli->bundle);
	r = ctr_choose_group(c, e);
	if (r < 0)
		return r;
	s->bundle = arena_strdup(s->arena, bundle);
	s->created = now_text(s->arena);
	s->owner = owner_name(s->arena);
	if (!s->bundle || !s->created || !s->owner)
		return err_set(e, ENOMEM, "state: out of memory");
	s->is_attached = c->is_foreground;
	s->oci_version = p->oci_version;
	s->rootfs = p->root.path;
	s->annotations = p->annotations;
	s->n_annotations = p->n_annotations;
	return state_save(s, e);
}

static int step_copy(struct ctr *c, struct err *e)
{
	_cleanup_fd_ int fd = openat(c->state.dir, STATE_FILE_CONFIG,
				     O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? err_errno(e, "state: create '" STATE_FILE_CONFIG "'")
		       : file_write_all(fd, c->config, strlen(c->config), e);

	free(mem_steal(&c->config));
	return r;
}

static int open_fifo(int dir, const char *name, int *ret, struct err *e)
{
	if (mkfifoat(dir, name, 0600) < 0)
		return err_errno(e, "state: make '%s'", name);
	/* For both: so that neither open nor read sees an end that is not there yet. */
	*ret = openat(dir, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_errno(e, "state: open '%s'", name) : 0;
}

static int step_gate(struct ctr *c, struct err *e)
{
	int r = ctr_open_hook_states(c, e);

	if (r < 0 || c->is_foreground)
		return r;
	r = open_fifo(c->state.dir, STATE_FILE_START, &c->gate.start, e);
	return r < 0 ? r : open_fifo(c->state.dir, STATE_FILE_ANSWER, &c->gate.answer, e);
}

/* Its process, known by pid and start time, and to the world once create is done with it. */
static int introduce(struct ctr *c, bool is_complete, struct err *e)
{
	int r = state_pid_start(c->begun.proc.pid, &c->state.pid_start, e);

	if (r == STATE_E_GONE)
		return 0; /* it has something to say about that */
	if (r < 0)
		return r;
	c->state.pid = c->begun.proc.pid;
	c->state.is_complete = is_complete;
	return state_save(&c->state, e);
}

static int step_launch(struct ctr *c, struct err *e)
{
	struct sbx_place place = {
		.group = c->state.paths ? &c->group : NULL,
		.net_ns = -1,
		.console = -1,
		.gate = &c->gate,
	};
	int r = ctr_place_descriptors(c, &place, e);

	if (r == 0)
		r = cli_open_terminal(c->cli, c->plan, &place, &c->terminal, e);
	cli_debug(c->cli, CLI_DEBUG_SETUP ": %s", c->state.bundle);
	if (r == 0)
		r = sbx_begin(c->plan, &place, &c->begun, e);
	fd_close(&place.console);
	if (r == 0)
		cli_debug(c->cli, CLI_DEBUG_CHILD ": pid %d", (int)c->begun.proc.pid);
	/* In the foreground there is no gate: what is known is written while the child works. */
	return r < 0 ? r : introduce(c, c->is_foreground, e);
}

static int at_mounted(struct ctr *c, struct err *e)
{
	int r = ctr_fill_hook_states(c, e);

	c->has_run_hooks = true;
	if (r == 0)
		r = ctr_run_hooks(c, SBX_HOOK_PRESTART, STATE_CREATING, e);
	if (r == 0)
		r = ctr_run_hooks(c, SBX_HOOK_CREATE_RUNTIME, STATE_CREATING, e);
	return r < 0 ? r : sbx_go_on(&c->begun, e);
}

/*
 * From the byte on the child lives without us. So it is known before: if we are killed in between, it dies of
 * the end of file.
 */
static int at_gate(struct ctr *c, struct err *e)
{
	int r = cli_write_pid(c->cli, c->begun.proc.pid, e);

	if (r == 0)
		r = introduce(c, true, e);
	return r < 0 ? r : sbx_go_on(&c->begun, e);
}

static int at_listening(struct ctr *c, struct err *e)
{
	struct state_view view = {.status = STATE_CREATING, .layout = STATE_FOR_HOOK};
	_cleanup_buf_ struct buf text;
	int r;

	buf_init(&text, STATE_BYTES);
	r = state_show(&c->state, &view, &text, e);
	if (r == 0)
		r = seccomp_notify(c->plan, &c->begun, c->state.oci_version, text.data, e);
	return r < 0 ? r : sbx_go_on(&c->begun, e);
}

static int step_accompany(struct ctr *c, struct err *e)
{
	enum sbx_stage stage = SBX_STAGE_EXECUTED;
	int r = c->is_foreground ? cli_write_pid(c->cli, c->begun.proc.pid, e) : 0;

	do {
		if (r == 0)
			r = sbx_await(c->plan, &c->begun, &stage, e);
		if (r == 0 && stage == SBX_STAGE_MOUNTED)
			r = at_mounted(c, e);
		else if (r == 0 && stage == SBX_STAGE_LISTENING)
			r = at_listening(c, e);
	} while (r == 0 && (stage == SBX_STAGE_MOUNTED || stage == SBX_STAGE_LISTENING));
	if (r == 0 && stage == SBX_STAGE_GATED)
		r = at_gate(c, e);
	else if (r == 0 && !c->is_foreground)
		r = err_set(e, ECHILD, "the container's process died while starting");
	if (r == 0)
		cli_debug(c->cli, CLI_DEBUG_DONE);
	return r;
}

/*
 * The order keeps one promise: whatever exists is told of by something that existed before, so that what a kill
 * of this program leaves is found and removed by `delete --force` or the next create of the same ID.
 */
static int (*const steps[])(struct ctr *c, struct err *e) = {
	step_claim,     step_describe, step_copy,      step_gate,
	ctr_make_group, step_launch,   step_accompany,
};

static void undo(struct ctr *c)
{
	struct err lost = ERR_INIT; /* the first error is the one to report */

	sbx_abandon(&c->begun);
	if (c->state.dir < 0)
		return;
	if (ctr_remove_group(c, &lost) < 0)
		return; /* and the directory stays: it tells where the group is */
	(void)state_remove(c->cli->root, &c->state, &lost);
	if (c->has_run_hooks)
		ctr_run_poststop(c);
}

int ctr_create(struct ctr *c, const struct cli *cli, bool is_foreground, struct err *e)
{
	int r;

	c->cli = cli;
	c->is_foreground = is_foreground;
	r = state_check_id(cli->id, e);
	if (r == 0)
		r = ctr_load_bundle(c, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](c, e);
	if (r < 0) {
		undo(c);
		return r;
	}
	c->proc = c->begun.proc;
	c->begun.proc = (struct sbx_proc){.pid = -1, .pidfd = -1};
	fd_close(&c->begun.sync);
	/* The ends of its own that the process at the gate holds must be the only ones. */
	fd_close(&c->gate.start);
	fd_close(&c->gate.answer);
	if (!is_foreground)
		return 0;
	(void)flock(c->state.dir, LOCK_UN); /* cannot fail on a lock we have */
	c->state.is_locked = false;
	if (ctr_run_hooks(c, SBX_HOOK_POSTSTART, STATE_RUNNING, e) < 0) {
		struct err lost = ERR_INIT;

		(void)ctr_destroy(c, &lost); /* the hook's error is the one to report */
		return -e->code;
	}
	return 0;
}

/* ---- ending ---- */

int ctr_destroy(struct ctr *c, struct err *e)
{
	struct err lost = ERR_INIT;
	int r;

	/* Before the copy of the config goes. One that is broken must not keep the rest from going. */
	if (!c->plan && ctr_load_copy(c, &lost) < 0)
		cli_debug(c->cli, "no hooks are run: %s", lost.text);
	r = ctr_remove_group(c, e);
	if (r == 0)
		r = state_remove(c->cli->root, &c->state, e);
	if (r == 0 && c->plan)
		ctr_run_poststop(c);
	return r;
}

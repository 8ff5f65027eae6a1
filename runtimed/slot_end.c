/* A slot's end: kill, reap, tell the core, undo. See slot.h. */
#include "runtimed/slot.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtimed/proc.h"

/* After a child that could not be made ahead of time. */
#define PREPARE_PAUSE_US CLK_US_PER_SEC

void slot_tell_failed(struct launcher *l, uint64_t id, const struct err *e)
{
	struct launch_failed m = {.type = LAUNCH_FAILED, .id = id, .err = *e};

	launcher_send(l, &m, sizeof(m), NULL, 0);
}

static void tell_gone(struct slot *s)
{
	struct launch_gone m = {.type = LAUNCH_GONE, .id = s->start.id, .err = s->err};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	struct cg_usage use = {0};
	struct err e = ERR_INIT;

	if (cg_meter_open(&s->group, &meter, &e) < 0 || cg_meter_read(&meter, &use, &e) < 0)
		log_err(&e);
	m.exit_code = WIFEXITED(s->status) ? WEXITSTATUS(s->status) : -1;
	m.signal = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;
	m.oom_kills = use.oom_kills;
	m.memory_peak_bytes = use.memory_peak_bytes;
	m.cpu_us = use.cpu_us;
	launcher_send(s->l, &m, sizeof(m), NULL, 0);
}

/* A child that nobody asked for failed: the next try waits, or a lasting fault would be a busy loop. */
static void note_bad_preparation(struct slot *s)
{
	if (s->l->is_stopping)
		return;
	s->l->slots->pause_until_us = clk_now_us() + PREPARE_PAUSE_US;
	log_line(LOG_ERROR, "prepare '%s': %s", s->l->host.images[s->image].name,
		 s->err.code ? s->err.text : "the waiting child died");
}

/* Both processes are reaped, or never were: undo the rest. */
static void finish_end(struct slot *s)
{
	bool moves = s->is_lost && s->has_start && !s->l->is_stopping;
	struct slot lost;
	struct err e = ERR_INIT;

	if (s->is_started)
		tell_gone(s);
	else if (moves)
		lost = *s;
	else if (s->has_start)
		slot_tell_failed(s->l, s->start.id, &s->err);
	else
		note_bad_preparation(s);
	watch_drop(&s->control_watch);
	fd_close(&s->control);
	fd_close(&s->data);
	fd_close(&s->log);
	cg_close(&s->group);
	if (s->has_group && cg_remove(&s->l->host.group, s->group_name, &e) < 0)
		log_err(&e);
	s->has_group = s->has_start = s->is_started = s->is_reserve = s->has_parked =
		s->has_sealed = s->is_handed_over = s->is_lost = false;
	s->status = 0;
	s->err = (struct err)ERR_INIT;
	slot_set_state(s, FREE);
	if (moves)
		slots_start_again(s->l, &lost);
}

void slot_on_init_exit(void *arg)
{
	struct slot *s = arg;

	proc_reap(&s->init, &s->init_watch, NULL);
	slot_end(s);
}

void slot_on_child_exit(void *arg)
{
	struct slot *s = arg;

	proc_reap(&s->child, &s->child_watch, &s->status);
	slot_end(s);
}

void slot_end(struct slot *s)
{
	struct err e = ERR_INIT;

	if (s->state == FREE)
		return;
	if (s->state != ENDING) {
		slot_set_state(s, ENDING);
		if (s->has_group && cg_kill(&s->group, &e) < 0)
			log_err(&e);
		watch_drop(&s->begun_watch);
		sbx_abandon(&s->begun);
	}
	if (s->init.pid < 0 && s->child.pid < 0 && !s->spawner)
		finish_end(s);
}

void slot_give_up(struct slot *s, const struct err *e)
{
	if (s->state == FREE || s->state == ENDING)
		return;
	if (s->err.code == 0)
		s->err = *e;
	slot_end(s);
}

/* Taking a parked child for an instance, and what a child says. See slot.h. */
#include "runtimed/slot.h"

#include <errno.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/sock.h"
#include "runtimed/codestore.h"
#include "runtimed/zygote.h"

#define CPU_PERIOD_US 100000

static int apply_limits(struct slot *s, struct err *e)
{
	struct cg_limits limits = {
		.memory_bytes = s->start.memory_bytes,
		.swap_off = true,
		.cpu_quota_us = s->start.cpu_quota_us,
		.cpu_period_us = s->start.cpu_quota_us ? CPU_PERIOD_US : 0,
		.pids_max = s->start.pids_max,
	};
	int r = cg_limit(&s->group, &limits, e);

	if (r == 0 && s->start.tmp_bytes != SLOT_TMP_BYTES)
		r = sbx_resize_scratch(&s->init, s->start.tmp_bytes, e);
	return r;
}

static int send_take(struct slot *s, struct err *e)
{
	struct zygote_plain take = {.type = CHILD_TAKE, .at_us = clk_now_us()};
	_cleanup_fd_ int code = -1;
	int r = codestore_mount(s->l->code, s->start.code, &code, e);

	return r < 0 ? r : sock_send(s->control, &take, sizeof(take), &code, 1, e);
}

static int send_started(struct slot *s, struct err *e)
{
	struct launch_started m = {.type = LAUNCH_STARTED,
				   .way = (uint32_t)s->way,
				   .id = s->start.id,
				   .received_us = s->received_us,
				   .taken_us = clk_now_us()};
	_cleanup_cg_meter_ struct cg_meter meter = CG_METER_INIT;
	int r = cg_meter_open(&s->group, &meter, e);
	int fds[LAUNCH_STARTED_FDS] = {
		[LAUNCH_FD_DATA] = s->data,
		[LAUNCH_FD_LOG] = s->log,
		[LAUNCH_FD_CPU_STAT] = meter.fd[CG_FD_CPU_STAT],
		[LAUNCH_FD_MEM_PEAK] = meter.fd[CG_FD_MEM_PEAK],
		[LAUNCH_FD_OOM] = meter.fd[CG_FD_OOM],
		[LAUNCH_FD_FREEZE] = meter.fd[CG_FD_FREEZE],
	};

	if (r < 0)
		return r;
	launcher_send(s->l, &m, sizeof(m), fds, LAUNCH_STARTED_FDS);
	fd_close(
		&s->data); /* the core's alone from now on: its close must be the guest's end of file */
	fd_close(&s->log);
	s->is_started = true;
	return 0;
}

/*
 * The code first: the child mounts it and drops what it has on one processor while limits are written here, on
 * another. Nothing of the function runs before the core, told STARTED, sends INIT: so never without limits.
 */
int slot_hand_over(struct slot *s, struct err *e)
{
	int r = send_take(s, e);

	if (r == 0)
		r = apply_limits(s, e);
	s->is_handed_over = r == 0;
	return r;
}

void slot_take(struct slot *s)
{
	struct err e = ERR_INIT;
	int r = s->is_handed_over ? 0 : slot_hand_over(s, &e);

	if (r == 0)
		r = send_started(s, &e);
	if (r < 0)
		slot_give_up(s, &e);
	else
		slot_set_state(s, s->has_sealed ? RUNNING : SEALING);
}

void slot_park(struct slot *s)
{
	slot_set_state(s, PARKED);
	if (s->has_start)
		slot_take(s);
}

static void on_child_message(struct slot *s, const union zygote_message *m, size_t len)
{
	struct err e = ERR_INIT;

	if (m->type == CHILD_PARKED && len == sizeof(m->plain) &&
	    m->plain.version != ZYGOTE_VERSION) {
		err_set(&e, EPROTONOSUPPORT,
			"the image's extension speaks version %u, the daemon %d: rebuild the image",
			m->plain.version, ZYGOTE_VERSION);
		slot_give_up(s, &e);
	} else if (m->type == CHILD_PARKED && len == sizeof(m->plain) && s->state == JOINING) {
		slot_park(s);
	} else if (m->type == CHILD_PARKED && len == sizeof(m->plain) && s->state == SPAWNING) {
		s->has_parked = true; /* it was faster than its zygote's answer */
	} else if (m->type == CHILD_SEALED && len == sizeof(m->plain) && s->state == SPAWNING &&
		   s->has_parked && s->is_handed_over) {
		s->has_sealed = true;
	} else if (m->type == CHILD_SEALED && len == sizeof(m->plain) && s->state == SEALING) {
		slots_note_start(s->l); /* it imports now */
		slot_set_state(s, RUNNING);
	} else if (m->type == CHILD_BROKEN && len == sizeof(m->broken) && m->broken.err.code) {
		e = m->broken.err;
		e.text[sizeof(e.text) - 1] = '\0';
		slot_give_up(s, &e);
	} else {
		err_set(&e, EPROTO, "message of type %u and %zu bytes from the instance", m->type,
			len);
		slot_give_up(s, &e);
	}
}

void slot_on_control(void *arg)
{
	struct slot *s = arg;
	union zygote_message m;
	struct err e = ERR_INIT;
	size_t len = 0;
	int r = sock_recv(s->control, &m, sizeof(m), &len, NULL, 0, NULL, &e);

	if (r == 0) {
		on_child_message(s, &m, len);
	} else if (r < 0) {
		slot_give_up(s, &e);
	} else if (r == SOCK_E_EOF) { /* sealed, or dying: then its pidfd tells */
		watch_drop(&s->control_watch);
		fd_close(&s->control);
	}
}

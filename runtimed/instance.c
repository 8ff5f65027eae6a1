/* One instance: its states, its log pipe, its counters. See instance.h. */
#include "runtimed/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtimed/core.h"
#include "runtimed/guestinit.h"
#include "runtimed/instance_private.h"
#include "runtimed/invocation.h"
#include "runtimed/link.h"
#include "runtimed/logs.h"
#include "runtimed/metrics.h"
#include "runtimed/pool.h"

/* A pipe holds 64 KiB: what was written before a moment is read by two such reads. */
#define LOG_READS_MAX 4

static const enum metrics_instances metric_of[INSTANCE_STATES] = {
	[INSTANCE_ASKED] = METRICS_STARTING,    [INSTANCE_OPENING] = METRICS_STARTING,
	[INSTANCE_IDLE] = METRICS_IDLE,         [INSTANCE_BUSY] = METRICS_BUSY,
	[INSTANCE_STOPPING] = METRICS_STOPPING,
};

static uint64_t *gauge(struct instance *in)
{
	enum metrics_instances m = metric_of[in->state];

	return &in->core->metrics->instances[in->is_frozen ? METRICS_FROZEN : m];
}

void instance_set_state(struct instance *in, enum instance_state to)
{
	--*gauge(in);
	in->state = to;
	++*gauge(in);
}

struct instance *instance_ask(struct core *core, struct func *fn, uint64_t id, uint32_t image)
{
	struct instance *in = calloc(1, sizeof(*in));
	struct launch_start m = {
		.type = LAUNCH_START,
		.image = image,
		.id = id,
		.memory_bytes = (uint64_t)fn->memory_mb << 20,
		.cpu_quota_us = pool_cpu_quota_us(fn->memory_mb),
		.pids_max = (uint32_t)core->cfg.pids_max,
		.way = (uint32_t)core->cfg.start_way,
		.tmp_bytes = (uint64_t)fn->tmp_mb << 20,
	};

	if (!in)
		return NULL;
	memcpy(m.code, fn->code_sha256, sizeof(m.code));
	*in = (struct instance){.core = core,
				.fn = func_ref(fn),
				.id = id,
				.is_fresh = true,
				.data = -1,
				.log = -1,
				.meter = CG_METER_INIT};
	in->asked_us = clk_now_us();
	buf_init(&in->in, GUEST_FRAME_MAX + sizeof(struct guest_frame));
	buf_init(&in->out, GUEST_INIT_MAX + sizeof(struct guest_frame));
	list_init(&in->link);
	list_init(&in->idle_link);
	list_init(&in->thaw_link);
	++*gauge(in);
	link_start(core->link, &m);
	return in;
}

void instance_stop(struct instance *in)
{
	if (in->state == INSTANCE_STOPPING)
		return;
	instance_set_state(in, INSTANCE_STOPPING);
	if (in->n_handles > 0)
		(void)uv_poll_stop(&in->data_poll);
	link_stop(in->core->link, in->id);
}

void instance_broken(struct instance *in, const char *what)
{
	if (in->state == INSTANCE_STOPPING)
		return;
	in->core->metrics->instances_broken++;
	log_limited(&in->fn->broken_log, LOG_WARN, "instance of '%s': %s", in->fn->name, what);
	pool_instance_broken(in);
}

void instance_freeze(struct instance *in, bool frozen)
{
	struct err e = ERR_INIT;

	if (in->is_frozen == frozen)
		return;
	if (cg_meter_set_frozen(&in->meter, frozen, &e) < 0) {
		instance_broken(in, e.text);
		return;
	}
	--*gauge(in);
	in->is_frozen = frozen;
	++*gauge(in);
}

void instance_serve(struct instance *in, struct invocation *inv)
{
	instance_freeze(in, false);
	if (in->state == INSTANCE_STOPPING)
		return; /* it could not be thawed: GONE comes, and the invocation with it */
	instance_set_state(in, INSTANCE_BUSY);
	instance_stream_send(in, inv);
}

/* ---- log ---- */

static void log_bytes(struct instance *in, const char *data, size_t n)
{
	struct invocation *inv = pool_log_target(in);

	if (inv) {
		invocation_log(inv, data, n);
		return;
	}
	/* Between requests: a thread of the function's, or its last words. Bounded, as a request's are. */
	in->idle_log_bytes += n;
	if (in->idle_log_bytes <= in->core->cfg.log_bytes_max)
		(void)logs_append(in->core->logs, in->fn->name, "", data, n);
}

static bool read_log(struct instance *in)
{
	char *buf = in->core->log_scratch;
	ssize_t n = read(in->log, buf, sizeof(in->core->log_scratch));

	if (n > 0)
		log_bytes(in, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		(void)uv_poll_stop(&in->log_poll); /* nobody can write it any more */
	return n > 0;
}

void instance_drain_log(struct instance *in)
{
	if (in->n_handles == 0)
		return;
	for (int i = 0; i < LOG_READS_MAX && read_log(in); i++)
		;
}

static void on_log(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	(void)read_log(poll->data);
}

/* ---- open and free ---- */

static void take_descriptors(struct instance *in, int *fds)
{
	static const struct {
		enum cg_meter_fd to;
		enum launch_started_fd from;
	} counters[] = {
		{CG_FD_CPU_STAT, LAUNCH_FD_CPU_STAT},
		{CG_FD_MEM_PEAK, LAUNCH_FD_MEM_PEAK},
		{CG_FD_OOM,      LAUNCH_FD_OOM     },
		{CG_FD_FREEZE,   LAUNCH_FD_FREEZE  },
	};

	in->data = fd_steal(&fds[LAUNCH_FD_DATA]);
	in->log = fd_steal(&fds[LAUNCH_FD_LOG]);
	in->meter.peak_resets = in->core->hello.peak_resets;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		in->meter.fd[counters[i].to] = fd_steal(&fds[counters[i].from]);
}

void instance_open(struct instance *in, const struct launch_started *m, int *fds)
{
	struct err e = ERR_INIT;

	in->started = *m;
	take_descriptors(in, fds);
	in->data_poll.data = in->log_poll.data = in;
	if (uv_poll_init(&in->core->loop, &in->data_poll, in->data) == 0)
		in->n_handles++;
	if (in->n_handles == 1 && uv_poll_init(&in->core->loop, &in->log_poll, in->log) == 0)
		in->n_handles++;
	if (in->state == INSTANCE_STOPPING)
		return; /* stopped before it came */
	instance_set_state(in, INSTANCE_OPENING);
	if (in->n_handles < 2) {
		instance_broken(in, "cannot watch its descriptors");
		return;
	}
	(void)cg_meter_cpu_us(&in->meter, &in->cpu_seen_us, &e); /* else all of it counts */
	guestinit_write(in->core, in->fn, in->id, &in->out);
	if (buf_failed(&in->out)) {
		instance_broken(in, "its environment is too large");
		return;
	}
	instance_stream_open(in);
	(void)uv_poll_start(&in->log_poll, UV_READABLE, on_log);
}

static void release(struct instance *in)
{
	fd_close(&in->data);
	fd_close(&in->log);
	cg_meter_close(&in->meter);
	buf_fini(&in->in);
	buf_fini(&in->out);
	func_unref(in->fn);
	free(in);
}

static void on_closed(uv_handle_t *h)
{
	struct instance *in = h->data;

	if (--in->n_handles == 0)
		release(in);
}

void instance_free(struct instance *in)
{
	--*gauge(in);
	list_del(&in->link);
	list_del(&in->idle_link);
	list_del(&in->thaw_link);
	if (in->n_handles == 0) {
		release(in);
		return;
	}
	if (in->n_handles == 2)
		uv_close((uv_handle_t *)&in->log_poll, on_closed);
	uv_close((uv_handle_t *)&in->data_poll, on_closed);
}

/* One instance: its stream, its log pipe, its counters. See instance.h. */
#include "runtimed/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/log.h"
#include "runtimed/core.h"
#include "runtimed/guestinit.h"
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

static void set_state(struct instance *in, enum instance_state to)
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
	set_state(in, INSTANCE_STOPPING);
	if (in->n_handles > 0)
		(void)uv_poll_stop(&in->data_poll);
	link_stop(in->core->link, in->id);
}

/* A guest that does not keep to the protocol has been taken over by its tenant: end it. */
static void broken(struct instance *in, const char *what)
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
		broken(in, e.text);
		return;
	}
	--*gauge(in);
	in->is_frozen = frozen;
	++*gauge(in);
}

/* ---- sending ---- */

static void watch_data(struct instance *in, int events);

/* Write what is left of the pieces; the rest when the stream takes it. */
static void push(struct instance *in, struct iovec *iov, int n)
{
	uint64_t skip = in->sent;
	size_t total = 0;
	ssize_t w;

	for (int i = 0; i < n; i++) {
		size_t cut = skip < iov[i].iov_len ? (size_t)skip : iov[i].iov_len;

		iov[i].iov_base = (char *)iov[i].iov_base + cut;
		iov[i].iov_len -= cut;
		skip -= cut;
		total += iov[i].iov_len;
	}
	do
		w = writev(in->data, iov, n);
	while (w < 0 && errno == EINTR);
	if (w < 0 && errno != EAGAIN) {
		w = 0; /* the peer is gone: GONE tells why */
		total = 0;
	}
	in->sent += w > 0 ? (uint64_t)w : 0;
	in->is_writing = w < (ssize_t)total;
	if (in->is_writing)
		watch_data(in, UV_READABLE | UV_WRITABLE);
}

static void push_more(struct instance *in)
{
	struct iovec iov[INVOCATION_PIECES];

	if (in->inv) {
		invocation_frame(in->inv, iov);
		push(in, iov, INVOCATION_PIECES);
	} else {
		iov[0] = (struct iovec){in->out.data, in->out.len};
		push(in, iov, 1);
	}
	if (!in->is_writing)
		watch_data(in, UV_READABLE);
}

void instance_serve(struct instance *in, struct invocation *inv)
{
	struct iovec iov[INVOCATION_PIECES];

	instance_freeze(in, false);
	if (in->state == INSTANCE_STOPPING)
		return; /* it could not be thawed: GONE comes, and the invocation with it */
	set_state(in, INSTANCE_BUSY);
	buf_fini(&in->out);
	in->sent = 0;
	invocation_frame(inv, iov);
	push(in, iov, INVOCATION_PIECES);
}

/* ---- receiving ---- */

/* What an instance may send, and when. Checked on the header: nobody makes us hold what we do not want. */
static bool is_expected(const struct instance *in, const struct guest_frame *f)
{
	switch (f->type) {
	case GUEST_READY:
		return in->state == INSTANCE_OPENING && f->size == sizeof(in->ready);
	case GUEST_INIT_ERROR:
		return in->state == INSTANCE_OPENING && f->size <= GUEST_PAYLOAD_MAX;
	case GUEST_RESULT:
		return in->state == INSTANCE_BUSY && !in->is_writing &&
		       f->size >= sizeof(struct guest_result) &&
		       f->size - sizeof(struct guest_result) <= GUEST_PAYLOAD_MAX;
	default:
		return false;
	}
}

static void on_frame(struct instance *in, const struct guest_frame *f, const char *p)
{
	struct guest_result res;

	if (f->type == GUEST_READY) {
		memcpy(&in->ready, p, sizeof(in->ready));
		set_state(in, INSTANCE_IDLE);
		pool_instance_ready(in);
	} else if (f->type == GUEST_INIT_ERROR) {
		pool_instance_bad_init(in, p, f->size);
	} else {
		memcpy(&res, p, sizeof(res));
		if (memcmp(res.request_id, in->inv->head.request_id, sizeof(res.request_id)) != 0) {
			broken(in, "result of another request");
			return;
		}
		set_state(in, INSTANCE_IDLE);
		pool_instance_result(in, &res, p + sizeof(res), f->size - sizeof(res));
	}
}

/* Handle the whole frames in data; returns the bytes used. */
static size_t on_frames(struct instance *in, const char *data, size_t n)
{
	size_t at = 0;
	struct guest_frame f;

	while (in->state != INSTANCE_STOPPING && n - at >= sizeof(f)) {
		memcpy(&f, data + at, sizeof(f));
		if (!is_expected(in, &f)) {
			broken(in, "unexpected frame");
			break;
		}
		if (n - at - sizeof(f) < f.size)
			break;
		at += sizeof(f) + f.size;
		on_frame(in, &f, data + at - f.size);
	}
	return at;
}

static void on_bytes(struct instance *in, const char *data, size_t n)
{
	size_t used;

	if (in->in.len == 0) { /* the usual case: one read, one frame, no copy */
		used = on_frames(in, data, n);
		if (used < n)
			buf_append(&in->in, data + used, n - used);
	} else {
		buf_append(&in->in, data, n);
		used = buf_failed(&in->in) ? 0 : on_frames(in, in->in.data, in->in.len);
		if (used == in->in.len)
			buf_fini(&in->in);
		else if (used > 0)
			buf_consume(&in->in, used);
	}
	if (buf_failed(&in->in))
		broken(in, "out of memory for its frame");
}

/* False at the end of the stream, and when there is nothing to read now. */
static bool read_data(struct instance *in)
{
	char *buf = in->core->data_scratch;
	ssize_t n = read(in->data, buf, sizeof(in->core->data_scratch));

	if (n > 0)
		on_bytes(in, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		/* It closed its end: it is dying, or pretends to. Either way this is its end. */
		pool_instance_broken(in);
	return n > 0;
}

static void on_data(uv_poll_t *poll, int status, int events)
{
	struct instance *in = poll->data;

	if (status < 0) { /* libuv watches no more: take what came before the end */
		while (in->state != INSTANCE_STOPPING && read_data(in))
			;
		pool_instance_broken(in);
		return;
	}
	if (in->is_writing && events & UV_WRITABLE)
		push_more(in);
	if (events & UV_READABLE)
		(void)read_data(in);
}

static void watch_data(struct instance *in, int events)
{
	if (in->state != INSTANCE_STOPPING)
		(void)uv_poll_start(&in->data_poll, events, on_data);
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
	struct iovec iov;

	in->started = *m;
	take_descriptors(in, fds);
	in->data_poll.data = in->log_poll.data = in;
	if (uv_poll_init(&in->core->loop, &in->data_poll, in->data) == 0)
		in->n_handles++;
	if (in->n_handles == 1 && uv_poll_init(&in->core->loop, &in->log_poll, in->log) == 0)
		in->n_handles++;
	if (in->state == INSTANCE_STOPPING)
		return; /* stopped before it came */
	set_state(in, INSTANCE_OPENING);
	if (in->n_handles < 2) {
		broken(in, "cannot watch its descriptors");
		return;
	}
	(void)cg_meter_cpu_us(&in->meter, &in->cpu_seen_us, &e); /* else all of it counts */
	guestinit_write(in->core, in->fn, in->id, &in->out);
	if (buf_failed(&in->out)) {
		broken(in, "its environment is too large");
		return;
	}
	watch_data(in, UV_READABLE);
	(void)uv_poll_start(&in->log_poll, UV_READABLE, on_log);
	iov = (struct iovec){in->out.data, in->out.len};
	push(in, &iov, 1);
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

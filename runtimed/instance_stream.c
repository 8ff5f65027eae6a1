/* The stream between an instance and its guest: frames out, frames in. See instance_private.h, guest.h. */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "runtimed/core.h"
#include "runtimed/instance_private.h"
#include "runtimed/invocation.h"
#include "runtimed/pool.h"

static void on_data(uv_poll_t *poll, int status, int events);

static void watch_data(struct instance *in, int events)
{
	if (in->state != INSTANCE_STOPPING)
		(void)uv_poll_start(&in->data_poll, events, on_data);
}

/* ---- sending ---- */

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

static void push_init(struct instance *in)
{
	struct iovec iov = {in->out.data, in->out.len};

	push(in, &iov, 1);
}

static void push_invocation(struct instance *in, struct invocation *inv)
{
	struct iovec iov[INVOCATION_PIECES];

	invocation_frame(inv, iov);
	push(in, iov, INVOCATION_PIECES);
}

static void push_more(struct instance *in)
{
	if (in->inv)
		push_invocation(in, in->inv);
	else
		push_init(in);
	if (!in->is_writing)
		watch_data(in, UV_READABLE);
}

void instance_stream_open(struct instance *in)
{
	watch_data(in, UV_READABLE);
	push_init(in);
}

void instance_stream_send(struct instance *in, struct invocation *inv)
{
	buf_fini(&in->out);
	in->sent = 0;
	push_invocation(in, inv);
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
		instance_set_state(in, INSTANCE_IDLE);
		pool_instance_ready(in);
	} else if (f->type == GUEST_INIT_ERROR) {
		pool_instance_bad_init(in, p, f->size);
	} else {
		memcpy(&res, p, sizeof(res));
		if (memcmp(res.request_id, in->inv->head.request_id, sizeof(res.request_id)) != 0) {
			instance_broken(in, "result of another request");
			return;
		}
		instance_set_state(in, INSTANCE_IDLE);
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
			instance_broken(in, "unexpected frame");
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
		instance_broken(in, "out of memory for its frame");
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

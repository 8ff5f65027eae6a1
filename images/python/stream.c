/*
 * Frames to and from the core: see images/python/guest.h and runtimed/guest.h.
 *
 * One recv() brings a usual request, header and all, and INIT with the first INVOKE behind it. Only a
 * frame that is larger than the buffer makes it grow, to exactly that frame, and the buffer shrinks
 * again before user code runs: a large event must not be held twice.
 */
#include "images/python/guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define BUFFER_BYTES (16u << 10) /* a request of usual size; idle instances keep it */

static int resize(struct stream *s, size_t cap, struct err *e)
{
	char *data = realloc(s->data, cap);

	if (!data)
		return err_set(e, ENOMEM, "no memory for a frame of %zu bytes", cap);
	s->data = data;
	s->cap = cap;
	return 0;
}

/* Receive until `need` bytes from start on are there. */
static int fill(struct stream *s, size_t need, struct err *e)
{
	if (s->start > 0 && s->start + need > s->cap) {
		memmove(s->data, s->data + s->start, s->end - s->start);
		s->end -= s->start;
		s->start = 0;
	}
	if (need > s->cap && resize(s, need < BUFFER_BYTES ? BUFFER_BYTES : need, e) < 0)
		return -e->code;
	while (s->end - s->start < need) {
		ssize_t n = recv(s->fd, s->data + s->end, s->cap - s->end, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return STREAM_E_EOF;
		if (n < 0)
			return err_errno(e, "receive from the daemon");
		s->end += (size_t)n;
	}
	return 0;
}

int stream_next(struct stream *s, struct guest_frame *ret_frame, const char **ret_payload,
		struct err *e)
{
	struct guest_frame frame;
	int r = fill(s, sizeof(frame), e);

	if (r != 0)
		return r;
	memcpy(&frame, s->data + s->start, sizeof(frame));
	if (frame.size > GUEST_FRAME_MAX)
		return err_set(e, EPROTO, "frame of %u bytes", frame.size);
	r = fill(s, sizeof(frame) + frame.size, e);
	if (r != 0)
		return r;
	*ret_frame = frame;
	*ret_payload = s->data + s->start + sizeof(frame);
	s->start += sizeof(frame) + frame.size;
	if (s->start == s->end)
		s->start = s->end = 0;
	return 0;
}

void stream_release(struct stream *s)
{
	struct err ignored = ERR_INIT; /* shrinking cannot fail, and if it did nothing is lost */

	if (s->cap > BUFFER_BYTES && s->end == 0)
		(void)resize(s, BUFFER_BYTES, &ignored);
}

/* Take n sent bytes off the front of the vector. */
static void advance(struct msghdr *msg, size_t n)
{
	while (msg->msg_iovlen > 0 && n >= msg->msg_iov->iov_len) {
		n -= msg->msg_iov->iov_len;
		msg->msg_iov++;
		msg->msg_iovlen--;
	}
	if (msg->msg_iovlen > 0) {
		msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + n;
		msg->msg_iov->iov_len -= n;
	}
}

int stream_send(const struct stream *s, enum guest_frame_type type, const void *head,
		size_t head_size, const void *body, size_t body_size, struct err *e)
{
	struct guest_frame frame = {.type = type, .size = (uint32_t)(head_size + body_size)};
	struct iovec iov[] = {
		{.iov_base = &frame,       .iov_len = sizeof(frame)},
		{.iov_base = (void *)head, .iov_len = head_size    },
		{.iov_base = (void *)body, .iov_len = body_size    },
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};

	while (msg.msg_iovlen > 0) {
		ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue; /* half a frame must not stay behind; signals wait until it is out */
		if (n < 0)
			return err_errno(e, "send to the daemon");
		advance(&msg, (size_t)n);
	}
	return 0;
}

/* A request's output, cut into lines: see runtimed/loglines.h for the rules. */
#include "runtimed/loglines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a UTF-8 sequence after its first. */
#define UTF8_MORE_MAX 3

void loglines_init(struct loglines *l, uint64_t bytes_max,
		   void (*line)(void *arg, const char *line, size_t n), void *arg)
{
	/* Field by field: the two arrays need no clearing and are most of the struct. */
	l->line = line;
	l->arg = arg;
	l->bytes_max = bytes_max;
	l->bytes = 0;
	l->dropped_bytes = 0;
	l->len = 0;
	l->after_cr = false;
	l->tail_total = 0;
}

static void tail_put(struct loglines *l, const char *p, size_t n)
{
	size_t at, first;

	if (n > LOGLINES_TAIL_MAX) {
		l->tail_total += n - LOGLINES_TAIL_MAX;
		p += n - LOGLINES_TAIL_MAX;
		n = LOGLINES_TAIL_MAX;
	}
	at = l->tail_total % LOGLINES_TAIL_MAX;
	first = n < LOGLINES_TAIL_MAX - at ? n : LOGLINES_TAIL_MAX - at;
	memcpy(l->tail + at, p, first);
	memcpy(l->tail, p + first, n - first);
	l->tail_total += n;
}

static void emit(struct loglines *l, const char *line, size_t n)
{
	tail_put(l, line, n);
	tail_put(l, "\n", 1);
	if (l->line)
		l->line(l->arg, line, n);
}

static void emit_part(struct loglines *l)
{
	emit(l, l->part, l->len);
	l->len = 0;
}

static bool is_utf8_more(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/*
 * The line is full and goes on with next. Emit it, but keep back the start of a sequence that next
 * belongs to. Only what was fed decides, not how, so splits of the stream do not show.
 */
static void cut_part(struct loglines *l, char next)
{
	size_t keep = 0;

	if (is_utf8_more(next))
		do
			keep++;
		while (keep < UTF8_MORE_MAX && is_utf8_more(l->part[l->len - keep]));
	if (keep > 0 && ((unsigned char)l->part[l->len - keep] & 0xc0) != 0xc0)
		keep = 0; /* no first byte in reach: not UTF-8 */
	emit(l, l->part, l->len - keep);
	memmove(l->part, l->part + l->len - keep, keep);
	l->len = keep;
}

static void add(struct loglines *l, const char *p, size_t n)
{
	while (n > 0) {
		size_t room;

		if (l->len == LOGLINES_LINE_MAX)
			cut_part(l, *p);
		room = LOGLINES_LINE_MAX - l->len;
		if (room > n)
			room = n;
		memcpy(l->part + l->len, p, room);
		l->len += room;
		p += room;
		n -= room;
	}
}

/* The first end of line in p, or stop. One pass: memchr() for each of two bytes may be quadratic. */
static const char *find_end(const char *p, const char *stop)
{
	while (p < stop && *p != '\n' && *p != '\r')
		p++;
	return p;
}

static void split(struct loglines *l, const char *p, size_t n)
{
	const char *stop = p + n;

	while (p < stop) {
		const char *end;

		if (l->after_cr && *p == '\n') { /* the rest of "\r\n" */
			l->after_cr = false;
			p++;
			continue;
		}
		l->after_cr = false;
		end = find_end(p, stop);
		add(l, p, (size_t)(end - p));
		if (end == stop)
			return;
		emit_part(l);
		l->after_cr = *end == '\r';
		p = end + 1;
	}
}

void loglines_feed(struct loglines *l, const char *data, size_t n)
{
	uint64_t left = l->bytes_max - l->bytes;
	size_t taken = n < left ? n : (size_t)left;

	l->bytes += taken;
	l->dropped_bytes += n - taken;
	split(l, data, taken);
}

static void end_part(struct loglines *l)
{
	if (l->len > 0)
		emit_part(l);
	l->after_cr = false;
}

void loglines_finish(struct loglines *l)
{
	char text[96];
	int n;

	end_part(l);
	if (l->dropped_bytes == 0)
		return;
	n = snprintf(text, sizeof(text), "%" PRIu64 " bytes of log dropped, the limit is %" PRIu64,
		     l->dropped_bytes, l->bytes_max);
	emit(l, text, (size_t)n);
}

void loglines_note(struct loglines *l, const char *text, size_t n)
{
	end_part(l);
	split(l, text, n);
	end_part(l);
}

size_t loglines_tail(const struct loglines *l, char out[LOGLINES_TAIL_MAX])
{
	size_t at = l->tail_total % LOGLINES_TAIL_MAX;

	if (l->tail_total <= LOGLINES_TAIL_MAX) {
		memcpy(out, l->tail, l->tail_total);
		return l->tail_total;
	}
	memcpy(out, l->tail + at, LOGLINES_TAIL_MAX - at);
	memcpy(out + LOGLINES_TAIL_MAX - at, l->tail, at);
	return LOGLINES_TAIL_MAX;
}

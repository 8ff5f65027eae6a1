/* One function's log files: see logs_file.h. */
#include "runtimed/logs_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define CUR             ".log"
#define OLD             ".log.1"
#define CHUNK_BYTES     (64 << 10)
#define HALF_BYTES_MIN  4096
#define PENDING_MAX     (CHUNK_BYTES + LOGFILE_LINE_MAX)
#define NAME_BYTES      (FUNC_NAME_MAX + 8)
#define SEQUENCE_PREFIX "{\"seq\":"

/* Both beside those of others: a directory for each function costs its first call 0.3 ms on ext4. */
static void name_file(const char *function, const char *suffix, char ret[NAME_BYTES])
{
	(void)snprintf(ret, NAME_BYTES, "%s%s", function, suffix);
}

static int open_log(const struct logfile *f, const char *suffix, int flags, int *ret_fd,
		    struct err *e)
{
	char name[NAME_BYTES];

	name_file(f->function, suffix, name);
	return file_open_beneath(f->root, name, flags, flags & O_CREAT ? 0600 : 0, ret_fd, e);
}

/* Open for reading; a missing file is -1 and no error. */
static int open_to_read(const struct logfile *f, const char *suffix, int *ret_fd, struct err *e)
{
	struct err why;
	int r = open_log(f, suffix, O_RDWR, ret_fd, &why); /* may be cut, hence not O_RDONLY */

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		*e = why;
	return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The number a line begins with; 0 if it is none of ours. */
static uint64_t parse_sequence(const char *line, size_t n)
{
	size_t i = strlen(SEQUENCE_PREFIX);
	uint64_t v = 0;

	if (n <= i || memcmp(line, SEQUENCE_PREFIX, i) != 0)
		return 0;
	for (; i < n && line[i] >= '0' && line[i] <= '9' && v < UINT64_MAX / 10 - 1; i++)
		v = v * 10 + (uint64_t)(line[i] - '0');
	return i < n && line[i] == ',' ? v : 0;
}

/*
 * Call each() for the whole lines (with their '\n') from an offset on, until it returns false, the
 * file ends, or something stands there that is not a line of ours.
 */
typedef bool line_fn(void *arg, uint64_t sequence, uint64_t offset, const char *line, size_t n);

static int walk(int fd, uint64_t offset, line_fn *each, void *arg, struct err *e)
{
	_cleanup_buf_ struct buf in;

	buf_init(&in, 2 * LOGFILE_LINE_MAX + CHUNK_BYTES);
	for (;;) {
		char *to = buf_reserve(&in, CHUNK_BYTES), *end;
		ssize_t n = to ? pread(fd, to, CHUNK_BYTES, (off_t)(offset + in.len)) : 0;
		size_t at = 0;

		if (n < 0)
			return err_errno(e, "read log");
		if (n == 0) /* the end, or a line too long to be ours */
			return 0;
		buf_commit(&in, (size_t)n);
		while ((end = memchr(in.data + at, '\n', in.len - at))) {
			size_t len = (size_t)(end + 1 - (in.data + at));
			uint64_t sequence = parse_sequence(in.data + at, len);

			if (sequence == 0 || !each(arg, sequence, offset + at, in.data + at, len))
				return 0;
			at += len;
		}
		buf_consume(&in, at);
		offset += at;
	}
}

static void segment_add(struct segment *s, uint64_t step, uint64_t sequence, uint64_t offset,
			size_t n)
{
	if (s->n_marks < LOGFILE_MARKS && offset >= s->n_marks * step) {
		s->marks[s->n_marks].sequence = sequence;
		s->marks[s->n_marks++].offset = offset;
	}
	if (s->first == 0)
		s->first = sequence;
	s->last = sequence;
	s->size = offset + n;
}

static uint64_t mark_step(const struct logfile *f)
{
	return f->half_bytes / LOGFILE_MARKS + 1;
}

struct scan {
	struct segment *to;
	uint64_t step;
};

static bool scan_line(void *arg, uint64_t sequence, uint64_t offset, const char *line, size_t n)
{
	struct scan *scan = arg;

	(void)line;
	if (sequence <= scan->to->last)
		return false;
	segment_add(scan->to, scan->step, sequence, offset, n);
	return true;
}

/* Learn what a file holds; what comes after its last good line was torn by a crash and is cut off. */
static int load(struct logfile *f, const char *name, struct segment *to, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	struct scan scan = {to, mark_step(f)};
	int r = open_to_read(f, name, &fd, e);

	if (r < 0 || fd < 0)
		return r;
	r = walk(fd, 0, scan_line, &scan, e);
	if (r == 0 && ftruncate(fd, (off_t)to->size) < 0)
		r = err_errno(e, "cut log of '%s'", f->function);
	if (to->last > f->sequence)
		f->sequence = to->last;
	return r;
}

int logfile_new(int root, const char *function, uint64_t bytes_max, struct logfile **ret,
		struct err *e)
{
	struct logfile *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, ENOMEM, "log of '%s': out of memory", function);
	list_init(&f->link);
	list_init(&f->dirty);
	(void)str_copy(f->function, sizeof(f->function), function); /* checked: fits */
	f->root = root;
	f->half_bytes = bytes_max / 2 > HALF_BYTES_MIN ? bytes_max / 2 : HALF_BYTES_MIN;
	buf_init(&f->pending, PENDING_MAX);
	r = load(f, OLD, &f->old, e);
	if (r == 0)
		r = load(f, CUR, &f->cur, e);
	if (r < 0) {
		logfile_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void logfile_free(struct logfile *f)
{
	if (!f)
		return;
	list_del(&f->link);
	list_del(&f->dirty);
	buf_fini(&f->pending);
	free(f);
}

uint64_t logfile_last(const struct logfile *f)
{
	return f->cur.last ? f->cur.last : f->old.last;
}

struct pick {
	uint64_t after, last;
	size_t max_bytes;
	struct buf *out;
	uint64_t first; /* taken; 0 = none yet */
};

static bool pick_line(void *arg, uint64_t sequence, uint64_t offset, const char *line, size_t n)
{
	struct pick *p = arg;

	(void)offset;
	if (sequence <= p->after)
		return true;
	if (p->out->len > 0 && p->out->len + n > p->max_bytes)
		return false;
	buf_append(p->out, line, n);
	if (buf_failed(p->out))
		return false;
	if (p->first == 0)
		p->first = sequence;
	p->last = sequence;
	return true;
}

static int pick_from(struct logfile *f, const char *name, const struct segment *s, struct pick *p,
		     struct err *e)
{
	_cleanup_fd_ int fd = -1;
	uint64_t offset = 0;
	int r;

	if (s->last <= p->after)
		return 0;
	for (size_t i = 0; i < s->n_marks && s->marks[i].sequence <= p->after + 1; i++)
		offset = s->marks[i].offset;
	r = open_to_read(f, name, &fd, e);
	if (r < 0 || fd < 0)
		return r;
	return walk(fd, offset, pick_line, p, e);
}

int logfile_read(struct logfile *f, uint64_t after, size_t max_bytes, struct buf *out,
		 uint64_t *ret_last, bool *ret_gap, struct err *e)
{
	struct pick p = {.after = after, .max_bytes = max_bytes, .out = out};
	int r;

	if (after > f->sequence)
		p.after = 0;
	p.last = p.after;
	r = pick_from(f, OLD, &f->old, &p, e);
	/* The newer file only when the older one was taken to its end. */
	if (r == 0 && (p.last >= f->old.last || f->old.last == 0))
		r = pick_from(f, CUR, &f->cur, &p, e);
	if (r == 0 && buf_failed(out))
		r = err_set(e, ENOMEM, "log of '%s': out of memory", f->function);
	if (r < 0)
		return r;
	*ret_last = p.first ? p.last : after;
	*ret_gap = p.first > p.after + 1;
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void lose_pending(struct logfile *f)
{
	f->n_dropped += f->n_pending;
	f->n_lost += f->n_pending;
	f->n_pending = 0;
	buf_clear(&f->pending);
}

static int write_pending(struct logfile *f, size_t n, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r = open_log(f, CUR, O_WRONLY | O_CREAT, &fd, e);

	if (r == 0 && lseek(fd, (off_t)f->cur.size, SEEK_SET) < 0)
		r = err_errno(e, "log of '%s'", f->function);
	if (r == 0)
		r = file_write_all(fd, f->pending.data, n, e);
	/* Should the cut fail too, the torn line is cut at the next start, or written over now. */
	if (r < 0 && fd >= 0 && ftruncate(fd, (off_t)f->cur.size) < 0)
		return r;
	return r;
}

/* Enter the written lines into the segment. */
static void account(struct logfile *f, size_t n)
{
	for (size_t at = 0; at < n;) {
		const char *line = f->pending.data + at;
		size_t len = (size_t)((char *)memchr(line, '\n', n - at) + 1 - line);

		segment_add(&f->cur, mark_step(f), parse_sequence(line, len), f->cur.size, len);
		f->n_pending--;
		at += len;
	}
}

/* Write the first n pending bytes, whole lines. */
static void flush_some(struct logfile *f, size_t n)
{
	struct err e;

	if (n == 0)
		return;
	if (write_pending(f, n, &e) < 0) {
		lose_pending(f);
		return;
	}
	account(f, n);
	buf_consume(&f->pending, n);
}

static void rotate(struct logfile *f)
{
	char cur[NAME_BYTES], old[NAME_BYTES];

	name_file(f->function, CUR, cur);
	name_file(f->function, OLD, old);
	/* Should it fail, the file is begun anew: the bound holds, the older lines are the price. */
	if (renameat(f->root, cur, f->root, old) < 0)
		(void)unlinkat(f->root, cur, 0);
	else
		f->old = f->cur;
	f->cur = (struct segment){.first = 0};
}

void logfile_append(struct logfile *f, uint64_t wall_us, const char *request_id, const char *line,
		    size_t n)
{
	size_t before = f->pending.len;
	struct buf *b = &f->pending;

	buf_printf(b, SEQUENCE_PREFIX "%" PRIu64 ",\"t\":%" PRIu64 ",\"id\":", ++f->sequence,
		   wall_us);
	buf_json_string(b, request_id, strlen(request_id));
	buf_puts(b, ",\"line\":");
	buf_json_string(b, line, n);
	buf_puts(b, "}\n");
	f->n_pending++;
	if (buf_failed(b)) { /* no memory, as the bound covers the longest line */
		lose_pending(f);
		return;
	}
	if (f->cur.size + before > 0 && f->cur.size + b->len > f->half_bytes) {
		flush_some(f, before);
		rotate(f);
	}
	if (b->len >= CHUNK_BYTES)
		flush_some(f, b->len);
}

void logfile_drop(struct logfile *f, uint64_t n)
{
	f->n_dropped += n;
}

void logfile_flush(struct logfile *f)
{
	char text[64];
	uint64_t n_dropped = f->n_dropped;

	if (n_dropped > 0) {
		int n = snprintf(text, sizeof(text), "%" PRIu64 " log lines dropped", n_dropped);

		f->n_dropped = 0;
		logfile_append(f, clk_wall_us(), "", text, (size_t)n);
		/* When that is lost as well, it does not count itself. */
		flush_some(f, f->pending.len);
		if (f->n_dropped > 0) {
			f->n_dropped += n_dropped - 1;
			f->n_lost--;
		}
		return;
	}
	flush_some(f, f->pending.len);
}

int logfile_remove(int root, const char *function, struct err *e)
{
	static const char *const suffixes[] = {CUR, OLD};
	char name[NAME_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		name_file(function, suffixes[i], name);
		if (unlinkat(root, name, 0) < 0 && errno != ENOENT)
			return err_errno(e, "remove log '%s'", name);
	}
	return 0;
}

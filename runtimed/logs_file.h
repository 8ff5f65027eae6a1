/*
 * The two log files of one function (see logs.h for their form), without threads: private to logs.c.
 *
 * A struct logfile remembers what the files hold: sequence numbers, sizes and a few marks by which a
 * reader finds its place. Descriptors are opened for each flush and read, so ten thousand functions
 * may have a log. All failures to write become dropped lines, told by the next line that can be
 * written; sequence numbers of lost lines are not used again.
 */
#ifndef RUNTIMED_LOGS_FILE_H
#define RUNTIMED_LOGS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "runtimed/func.h"
#include "runtimed/loglines.h"

#define LOGFILE_MARKS    64
#define LOGFILE_LINE_MAX (6 * LOGLINES_LINE_MAX + 512) /* every byte as \u00xx, and the keys */

struct segment {
	uint64_t first, last; /* sequence numbers of whole lines in the file; 0 = none */
	uint64_t size;
	size_t n_marks;
	struct {
		uint64_t sequence, offset; /* of a line's start */
	} marks[LOGFILE_MARKS];
};

struct logfile {
	struct list link, dirty; /* the owner's */
	char function[FUNC_NAME_MAX + 1];
	int root; /* borrowed */
	uint64_t half_bytes;
	uint64_t sequence;  /* the last one given out */
	uint64_t n_dropped; /* since the last line that told of it */
	uint64_t n_lost;    /* by failed writes, ever: for metrics */
	struct segment old, cur;
	struct buf pending; /* formatted, not yet written */
	uint64_t n_pending;
};

/* Read what is there, cut off a torn last line. A missing log is empty; nothing is created. */
int logfile_new(int root, const char *function, uint64_t bytes_max, struct logfile **ret,
		struct err *e);
void logfile_free(struct logfile *f); /* without flush */

/* Add a line; written by the next logfile_flush(), or before when much is pending. */
void logfile_append(struct logfile *f, uint64_t wall_us, const char *request_id, const char *line,
		    size_t n);

/* n lines never came here: told before the next flush. */
void logfile_drop(struct logfile *f, uint64_t n);

void logfile_flush(struct logfile *f);

/* The newest sequence number that can be read; 0 = none. */
uint64_t logfile_last(const struct logfile *f);

/*
 * Append lines after a sequence number to out: at most max_bytes, but one at least. *ret_last is that
 * of the last one, or after. An after beyond the newest line counts as 0.
 */
int logfile_read(struct logfile *f, uint64_t after, size_t max_bytes, struct buf *out,
		 uint64_t *ret_last, bool *ret_gap, struct err *e);

/* Remove the files; it is no error if there are none. */
int logfile_remove(int root, const char *function, struct err *e);

#endif

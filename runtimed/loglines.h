/*
 * The output of one request, a stream of bytes, cut into lines. Pure: no allocation, no failure.
 *
 *  1. loglines_init()    for each request
 *  2. loglines_note()    the platform's own lines (START), loglines_feed() what the instance writes
 *  3. loglines_finish()  the last line without an end, and how much was dropped
 *  4. loglines_note()    END, REPORT; then loglines_tail()
 *
 * A line ends at "\n", "\r\n" or "\r" (Python's Lambda client separates the lines of a traceback with
 * "\r"), and is handed over without its end. Longer than LOGLINES_LINE_MAX it is cut into pieces, at a
 * character boundary if it is UTF-8. Lines are bytes: whoever writes JSON deals with invalid UTF-8.
 * How the stream was split into feeds makes no difference.
 *
 * Of all that is fed the first bytes_max bytes count; the rest is counted and dropped, so that a
 * function that floods its log costs the daemon nothing more. Notes are not counted.
 */
#ifndef RUNTIMED_LOGLINES_H
#define RUNTIMED_LOGLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGLINES_LINE_MAX (32 << 10)
#define LOGLINES_TAIL_MAX 4096

struct loglines {
	void (*line)(void *arg, const char *line, size_t n); /* borrowed for the call */
	void *arg;
	uint64_t bytes_max;
	uint64_t bytes;         /* taken: for struct record's log_bytes */
	uint64_t dropped_bytes; /* for log_dropped_bytes */
	/* private */
	size_t len;
	bool after_cr;
	uint64_t tail_total;
	char part[LOGLINES_LINE_MAX];
	char tail[LOGLINES_TAIL_MAX]; /* a ring */
};

/* line may be NULL (only counts and tail are wanted). */
void loglines_init(struct loglines *l, uint64_t bytes_max,
		   void (*line)(void *arg, const char *line, size_t n), void *arg);
void loglines_feed(struct loglines *l, const char *data, size_t n);
void loglines_finish(struct loglines *l);

/* Whole lines of our own, each with its '\n'. What was fed and has no end yet is finished first. */
void loglines_note(struct loglines *l, const char *text, size_t n);

/* The last bytes of all lines, each with '\n', oldest first: at most LOGLINES_TAIL_MAX into out. */
size_t loglines_tail(const struct loglines *l, char out[LOGLINES_TAIL_MAX]);

#endif

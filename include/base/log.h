/*
 * Log lines of programs (never of libraries): one line to stderr, with the journal's "<level>" prefix
 * when stderr is the journal, else with program name and level. One write(2) a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/* Once, at the start of main(). who is a string constant, e.g. "runtimed[core]". */
void log_open(const char *who, enum log_level max);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of *e at error level. */
void log_err(const struct err *e);

/*
 * Lines that somebody outside can provoke are limited: LOG_BURST in each window of LOG_WINDOW_US, and the
 * first line after says how many were left out. One struct per who may provoke them; zero is its start.
 */
#define LOG_BURST     5
#define LOG_WINDOW_US (60u * 1000000u)

struct log_limit {
	uint64_t since_us; /* CLOCK_MONOTONIC: its first line */
	uint32_t n;        /* lines in this window */
	uint32_t n_left_out;
};

/* Whether a line may be written now; *ret_n_left_out: lines since the last one that were not. */
bool log_limit_admits(struct log_limit *l, uint64_t now_us, uint32_t *ret_n_left_out);

/* log_line() within that limit. */
void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

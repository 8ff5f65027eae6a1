/*
 * Log lines of programs (never of libraries): one line to stderr, with the journal's "<level>" prefix
 * when stderr is the journal, else with program name and level. One write(2) a line.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

/* Once, at the start of main(). who is a string constant, e.g. "runtimed[core]". */
void log_open(const char *who, enum log_level max);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text of *e at error level. */
void log_err(const struct err *e);

#endif

/* Log lines of programs: see include/base/log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/str.h"

#define LINE_MAX_BYTES 1024

/* The one writable global of base: programs set it once, before anything else runs. */
static struct {
	const char *who;
	enum log_level max;
	bool is_journal;
} out = {.who = "?", .max = LOG_INFO};

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* It names the file that stdout and stderr were when we were started; stderr may be another by now. */
static bool is_journal(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char ours[48];
	struct stat st;

	if (!journal || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return str_is(ours, journal);
}

void log_open(const char *who, enum log_level max)
{
	out.who = who;
	out.max = max;
	out.is_journal = is_journal();
}

/* One line; " (n like it were left out)" at its end if there were any. */
static void put_line(enum log_level level, uint32_t n_left_out, const char *fmt, va_list ap)
{
	char line[LINE_MAX_BYTES], tail[sizeof(" (4294967295 like it were left out)")] = "";
	size_t used;

	if (level > out.max)
		return;
	if (n_left_out > 0)
		(void)snprintf(tail, sizeof(tail), " (%" PRIu32 " like it were left out)",
			       n_left_out);
	if (out.is_journal)
		used = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		used = (size_t)snprintf(line, sizeof(line), "%s: %s: ", out.who,
					level_names[level]);
	(void)vsnprintf(line + used, sizeof(line) - used - strlen(tail) - 1, fmt, ap);
	used = strlen(line);
	used += (size_t)snprintf(line + used, sizeof(line) - used, "%s", tail);
	line[used] = '\n';
	(void)!write(STDERR_FILENO, line, used + 1); /* nowhere to report a failing stderr */
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(level, 0, fmt, ap);
	va_end(ap);
}

void log_err(const struct err *e)
{
	log_line(LOG_ERROR, "%s", e->text);
}

bool log_limit_admits(struct log_limit *l, uint64_t now_us, uint32_t *ret_n_left_out)
{
	if (l->n == 0 || now_us - l->since_us >= LOG_WINDOW_US) {
		l->since_us = now_us;
		l->n = 0;
	}
	if (l->n >= LOG_BURST) {
		l->n_left_out += l->n_left_out < UINT32_MAX;
		return false;
	}
	l->n++;
	*ret_n_left_out = l->n_left_out;
	l->n_left_out = 0;
	return true;
}

void log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	uint32_t n_left_out;
	va_list ap;

	if (!log_limit_admits(l, clk_now_us(), &n_left_out))
		return;
	va_start(ap, fmt);
	put_line(level, n_left_out, fmt, ap);
	va_end(ap);
}

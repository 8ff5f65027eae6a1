/* Log lines of programs: see include/base/log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

/* The one writable global of base: programs set it once, before anything else runs. */
static struct {
	const char *who;
	enum log_level max;
	bool is_journal;
} out = {.who = "?", .max = LOG_INFO};

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

void log_open(const char *who, enum log_level max)
{
	out.who = who;
	out.max = max;
	out.is_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	size_t used;
	va_list ap;

	if (level > out.max)
		return;
	if (out.is_journal)
		used = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	else
		used = (size_t)snprintf(line, sizeof(line), "%s: %s: ", out.who,
					level_names[level]);
	va_start(ap, fmt);
	(void)vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	va_end(ap);
	used = strlen(line);
	line[used] = '\n';
	(void)!write(STDERR_FILENO, line, used + 1); /* nowhere to report a failing stderr */
}

void log_err(const struct err *e)
{
	log_line(LOG_ERROR, "%s", e->text);
}

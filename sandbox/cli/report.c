/* What `sandbox` says of its errors, as container engines read it: see cli.h. */
#include "sandbox/cli/cli.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"

#define LINE_MAX_BYTES 4096

static void format_json(struct buf *line, const char *level, const char *text)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	buf_printf(line, "{\"level\":\"%s\",\"time\":\"%s\",\"msg\":", level, when);
	buf_json_string(line, text, strlen(text));
	buf_puts(line, "}\n");
}

static void write_line(const struct cli *c, const char *level, const char *text)
{
	_cleanup_fd_ int log = -1;
	_cleanup_buf_ struct buf line;
	struct err lost = ERR_INIT;

	buf_init(&line, LINE_MAX_BYTES);
	if (c->log_format && str_is(c->log_format, "json"))
		format_json(&line, level, text);
	else
		buf_printf(&line, "%s\n", text);
	/* Where an error cannot be told there is nobody to tell so. */
	(void)file_write_all(STDERR_FILENO, line.data, line.len, &lost);
	if (!c->log)
		return;
	log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (log >= 0)
		(void)file_write_all(log, line.data, line.len, &lost);
}

void cli_report(const struct cli *c, const struct err *e)
{
	char text[ERR_TEXT_MAX + 64];

	(void)snprintf(text, sizeof(text), "sandbox%s%s: %s", c->command ? " " : "",
		       c->command ?: "", e->text);
	write_line(c, "error", text);
}

void cli_debug(const struct cli *c, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!c->is_debug)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_line(c, "debug", text);
}

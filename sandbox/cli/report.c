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
#include "sandbox/plan.h"

#define LINE_MAX_BYTES 4096

enum shape { SHAPE_PLAIN, SHAPE_TEXT, SHAPE_JSON };

/* Both shapes, and the order of their members, are logrus's, which the engines' own runtimes write by. */
static void format(struct buf *line, enum shape shape, const char *level, const char *text)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	if (shape == SHAPE_JSON)
		buf_printf(line, "{\"level\":\"%s\",\"msg\":", level);
	else
		buf_printf(line, "time=\"%s\" level=%s msg=", when, level);
	buf_json_string(line, text, strlen(text));
	if (shape == SHAPE_JSON)
		buf_printf(line, ",\"time\":\"%s\"}", when);
}

static void write_line(int fd, enum shape shape, const char *level, const char *text)
{
	_cleanup_buf_ struct buf line;
	struct err lost = ERR_INIT;

	buf_init(&line, LINE_MAX_BYTES);
	if (shape == SHAPE_PLAIN)
		buf_puts(&line, text);
	else
		format(&line, shape, level, text);
	buf_puts(&line, "\n");
	/* Where an error cannot be told there is nobody to tell so. */
	(void)file_write_all(fd, line.data, line.len, &lost);
}

/* Opened for each line: a descriptor held meanwhile could be taken for one of the container's (--preserve-fds). */
static int open_log(const struct cli *c)
{
	return open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/*
 * With a log, stderr is for people, who are told of errors and warnings in plain words: engines show it to them as
 * it is, and read the log themselves.
 */
static void tell(const struct cli *c, const char *level, const char *text)
{
	enum shape shape = str_is(c->log_format, "json") ? SHAPE_JSON : SHAPE_TEXT;
	bool is_debug = str_is(level, "debug");
	_cleanup_fd_ int log = -1;

	if (!c->log && (is_debug || shape == SHAPE_JSON))
		write_line(STDERR_FILENO, shape, level, text);
	else if (!is_debug)
		write_line(STDERR_FILENO, SHAPE_PLAIN, level, text);
	if (!c->log)
		return;
	log = open_log(c);
	if (log >= 0)
		write_line(log, shape, level, text);
}

int cli_check_log(struct cli *c, struct err *e)
{
	_cleanup_fd_ int fd = -1;

	if (c->log && !*c->log)
		c->log = NULL;
	fd = c->log ? open_log(c) : -1;
	return c->log && fd < 0 ? err_errno(e, "--log '%s'", c->log) : 0;
}

void cli_report(const struct cli *c, const struct err *e)
{
	char text[ERR_TEXT_MAX + 64];

	(void)snprintf(text, sizeof(text), "sandbox%s%s: %s", c->command ? " " : "",
		       c->command ?: "", e->text);
	tell(c, "error", text);
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
	tell(c, "debug", text);
}

void cli_warnings(const struct cli *c, const struct sbx_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_warnings; i++)
		tell(c, "warning", plan->warnings[i]);
	if (plan->seccomp_skipped)
		cli_debug(c, "seccomp: unknown to libseccomp, skipped:%s", plan->seccomp_skipped);
}

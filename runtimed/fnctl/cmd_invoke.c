/*
 * invoke: the reply goes to stdout, what the function logged and its REPORT line to stderr, and the
 * outcome becomes the exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtimed/fnctl/base64.h"
#include "runtimed/fnctl/fnctl.h"
#include "runtimed/fnctl/table.h"
#include "runtimed/guest.h"
#include "runtimed/outcome.h"

#define AT(field) offsetof(struct options, field)

const struct opt invoke_opts[] = {
	OPT_ROW_NAME,
	{"data",   'd', OPT_TEXT, AT(data),   "TEXT",
	  "the event; @FILE and - (stdin) read it from there"                    },
	{"report", 'r', OPT_FLAG, AT(report), NULL,   "show where the time went"},
	OPT_ROW_END,
};

static int read_all(int fd, const char *what, struct buf *out, struct err *e)
{
	ssize_t n;

	do {
		char *to = buf_reserve(out, 64 << 10);

		n = to ? read(fd, to, 64 << 10) : 0;
		if (n < 0)
			return err_errno(e, "read %s", what);
		buf_commit(out, (size_t)n);
	} while (n > 0);
	if (buf_failed(out) || out->len > GUEST_PAYLOAD_MAX)
		return err_set(e, EFBIG, "%s: an event has at most %u MB", what,
			       GUEST_PAYLOAD_MAX >> 20);
	return 0;
}

/* The event. Nothing typed: stdin, unless that is the terminal; then no event at all. */
static int read_event(const char *data, struct buf *out, struct err *e)
{
	_cleanup_fd_ int fd = -1;

	if (!data)
		return isatty(STDIN_FILENO) ? 0 : read_all(STDIN_FILENO, "stdin", out, e);
	if (str_is(data, "-"))
		return read_all(STDIN_FILENO, "stdin", out, e);
	if (data[0] != '@') {
		buf_puts(out, data);
		return 0;
	}
	fd = open(data + 1, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", data + 1) : read_all(fd, data + 1, out, e);
}

/* The log without the lines that only frame it. */
static void print_log(const char *encoded, FILE *out)
{
	_cleanup_buf_ struct buf log;
	char *rest, *line;

	buf_init(&log, 64 << 10);
	base64_decode(encoded, &log);
	for (rest = log.data; rest && (line = strsep(&rest, "\n"));)
		if (*line && !str_has_prefix(line, "START RequestId: ") &&
		    !str_has_prefix(line, "END RequestId: "))
			fprintf(out, "%s\n", line);
}

/* "cold start 5.25 ms: queue 0.25 ms, sandbox ..." */
static void print_parts(const json_t *report, FILE *out)
{
	static const char *const parts[] = {"queue",  "sandbox", "runtime",
					    "import", "handler", "total"};
	char key[16], number[TABLE_NUMBER_MAX];

	fputs(json_is_true(json_object_get(report, "is_cold")) ? "cold:" : "warm:", out);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const json_t *value;

		snprintf(key, sizeof(key), "%s_us", parts[i]);
		value = json_object_get(report, key);
		if (value)
			fprintf(out, "  %s %s", parts[i],
				table_us((uint64_t)json_integer_value(value), number));
	}
	putc('\n', out);
}

static void print_report(const char *text, FILE *out)
{
	json_auto_t *report = text ? json_loads(text, 0, NULL) : NULL;

	if (report)
		print_parts(report, out);
}

/* The exit status; -EPROTO for an answer that is no invocation's. */
static int judge(struct app *a, const struct reply *reply, struct err *e)
{
	const char *name = client_header(&a->client, "X-Runtimed-Outcome");
	enum outcome outcome = name ? outcome_from_name(name) : OUTCOME_COUNT;

	if (outcome == OUTCOME_COUNT)
		return reply->status >= 300 ? client_error(&a->client, reply, e)
					    : err_set(e, EPROTO, "the daemon told no outcome");
	return outcome_exit_status(outcome);
}

static int print_reply(struct app *a, const struct reply *reply, struct err *e)
{
	const char *log = client_header(&a->client, "X-Amz-Log-Result");
	int r = judge(a, reply, e);

	if (r < 0)
		return r;
	fwrite(reply->body.data, 1, reply->body.len, stdout);
	if (isatty(STDOUT_FILENO))
		putchar('\n');
	if (fflush(stdout) != 0)
		return err_errno(e, "write the reply");
	if (log)
		print_log(log, stderr);
	if (a->o.report)
		print_report(client_header(&a->client, "X-Runtimed-Report"), stderr);
	return r;
}

int cmd_invoke(struct app *a, struct err *e)
{
	_cleanup_buf_ struct buf event;
	_cleanup_reply_ struct reply reply;
	struct request rq;
	int r;

	reply_init(&reply);
	buf_init(&event, GUEST_PAYLOAD_MAX + (128 << 10));
	r = function_request(&rq, "POST", API_FUNCTIONS, a->o.name, "/invocations", e);
	if (r == 0)
		r = read_event(a->o.data, &event, e);
	if (r == 0) {
		rq.header = "X-Amz-Log-Type: Tail";
		rq.body = event.data ? event.data : "";
		rq.body_size = event.len;
		r = client_call(&a->client, &rq, &reply, e);
	}
	if (r == 0)
		r = print_reply(a, &reply, e);
	return r < 0 ? err_wrap(e, "invoke '%s'", a->o.name) : r;
}

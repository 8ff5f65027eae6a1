/* logs: the lines of a function, the last ones or as they come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/str.h"
#include "runtimed/fnctl/fnctl.h"

#define WAIT_MS       20000
#define LINES_DEFAULT 100
#define LINES_MAX     100000

#define AT(field)     offsetof(struct options, field)

const struct opt logs_opts[] = {
	OPT_ROW_NAME,
	{"follow", 'f', OPT_FLAG,   AT(follow), NULL, "go on with lines as they come"    },
	{"lines",  'n', OPT_NUMBER, AT(lines),  "N",  "begin with the last N lines (100)"},
	OPT_ROW_END,
};

/* The last lines read, a ring, until they are printed. Texts as the daemon sent them. */
struct ring {
	char **lines;
	size_t size, n_seen;
};

static void ring_put(struct ring *ring, const char *line, size_t n)
{
	char **slot = &ring->lines[ring->n_seen++ % ring->size];

	free(*slot);
	*slot = strndup(line, n);
}

/* What a function prints must not steer the reader's terminal: control bytes are shown, not sent. */
static void print_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			printf("\\x%02x", (unsigned char)*p);
		else
			putchar(*p);
	}
	putchar('\n');
}

static void print_line(const char *line, bool is_raw)
{
	json_auto_t *doc = is_raw ? NULL : json_loads(line, 0, NULL);
	json_int_t wall_us;
	const char *text;
	struct tm tm;
	time_t t;
	char when[24];

	if (is_raw) {
		puts(line);
		return;
	}
	if (!doc || json_unpack(doc, "{s:I,s:s}", "t", &wall_us, "line", &text) < 0)
		return;
	t = (time_t)(wall_us / (json_int_t)CLK_US_PER_SEC);
	strftime(when, sizeof(when), "%F %T", localtime_r(&t, &tm));
	printf("%s.%03d  ", when, (int)(wall_us / 1000 % 1000));
	print_text(text);
}

static void ring_print(const struct ring *ring, bool is_raw)
{
	size_t n = ring->n_seen < ring->size ? ring->n_seen : ring->size;

	for (size_t i = ring->n_seen - n; i < ring->n_seen; i++)
		if (ring->lines[i % ring->size])
			print_line(ring->lines[i % ring->size], is_raw);
}

static void ring_free(struct ring *ring)
{
	for (size_t i = 0; ring->lines && i < ring->size; i++)
		free(ring->lines[i]);
	free(ring->lines);
}
#define _cleanup_ring_ __attribute__((cleanup(ring_free)))

static uint64_t sequence_of(const char *line, size_t n, uint64_t before)
{
	json_auto_t *doc = json_loadb(line, n, 0, NULL);
	const json_t *seq = json_object_get(doc, "seq");

	return seq ? (uint64_t)json_integer_value(seq) : before;
}

/* The lines after *after: into the ring, or printed when there is none. *ret_n: how many. */
static int read_page(struct app *a, uint64_t *after, unsigned wait_ms, struct ring *ring,
		     size_t *ret_n, struct err *e)
{
	_cleanup_reply_ struct reply reply;
	struct request rq;
	char query[64], *rest, *line;
	int r;

	reply_init(&reply);
	snprintf(query, sizeof(query), "/logs?after=%" PRIu64 "&wait_ms=%u", *after, wait_ms);
	r = function_request(&rq, "GET", "/v1/functions", a->o.name, query, e);
	if (r == 0)
		r = client_must(&a->client, &rq, &reply, e);
	if (r < 0)
		return r;
	*ret_n = 0;
	for (rest = reply.body.data; rest && (line = strsep(&rest, "\n"));) {
		if (!*line)
			continue;
		*after = sequence_of(line, strlen(line), *after);
		++*ret_n;
		if (ring)
			ring_put(ring, line, strlen(line));
		else
			print_line(line, a->o.json);
	}
	return 0;
}

int cmd_logs(struct app *a, struct err *e)
{
	_cleanup_ring_ struct ring ring = {.size = a->o.lines ? a->o.lines : LINES_DEFAULT};
	uint64_t after = 0;
	size_t n = 1;
	int r = 0;

	if (ring.size > LINES_MAX)
		return err_set(e, EINVAL, "logs '%s': --lines: at most %d", a->o.name, LINES_MAX);
	ring.lines = calloc(ring.size, sizeof(*ring.lines));
	if (!ring.lines)
		return err_set(e, ENOMEM, "logs '%s': out of memory", a->o.name);
	while (r == 0 && n > 0)
		r = read_page(a, &after, 0, &ring, &n, e);
	ring_print(&ring, a->o.json);
	while (r == 0 && a->o.follow) {
		fflush(stdout);
		r = read_page(a, &after, WAIT_MS, NULL, &n, e);
	}
	return r < 0 ? err_wrap(e, "logs '%s'", a->o.name) : 0;
}

/*
 * bench_load: HTTP/1.1 load on a unix socket, one thread, epoll; prints one line of JSON.
 *
 * Closed loop (default): each connection sends its next request when its last one was answered; measures
 * throughput at that concurrency. Open loop (--rate): requests fall due at a fixed rate whether or not
 * earlier ones were answered, and a latency counts from when its request was due, so a stall of the server
 * is seen by all requests it delayed and not only by the one that was under way.
 *
 * "%u" in --path becomes the number of the request: a function of its own for each, so all starts are cold.
 * An answer counts as failed when its status is not 200 or it says X-Amz-Function-Error.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/str.h"

#define CONNECTIONS_MAX 1024
#define REQUESTS_MAX    (10u << 20)
#define HEAD_MAX        1024
#define ANSWER_MAX      (64 << 10)

struct settings {
	const char *socket, *path, *data;
	uint64_t n_connections;
	uint64_t n_requests; /* 0: until the time is up */
	uint64_t seconds;
	uint64_t n_warmup; /* requests at the start that are not counted */
	uint64_t rate;     /* a second; 0: closed loop */
	bool samples;      /* print every latency as well */
};

struct conn {
	int fd;
	bool is_busy;
	uint64_t due_us; /* its request's latency counts from here */
	bool is_counted;
	size_t len;
	char answer[ANSWER_MAX + 1];
};

struct load {
	struct settings set;
	struct conn *conns;
	int epoll;
	uint64_t start_us, end_us; /* end: no request is sent after it */
	uint64_t n_sent, n_done, n_failed;
	uint64_t counted_from_us, last_us;
	uint32_t *latencies_us;
	size_t n_latencies;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- one connection ------------------------------------------------------------------------------ */

static void conn_open(struct load *l, struct conn *c)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (!str_copy(to.sun_path, sizeof(to.sun_path), l->set.socket))
		die("--socket is too long");
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(l->set.socket);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

static void print_path(const struct load *l, char *out, size_t size)
{
	const char *at = strstr(l->set.path, "%u");

	if (at)
		snprintf(out, size, "%.*s%" PRIu64 "%s", (int)(at - l->set.path), l->set.path,
			 l->n_sent, at + 2);
	else
		snprintf(out, size, "%s", l->set.path);
}

/* Small requests only: one write takes all of it, the socket's buffer being empty. */
static void conn_send(struct load *l, struct conn *c, uint64_t due_us)
{
	char path[256], message[HEAD_MAX];
	int n;

	print_path(l, path, sizeof(path));
	n = snprintf(message, sizeof(message),
		     "POST %s HTTP/1.1\r\nHost: runtimed\r\nContent-Length: %zu\r\n\r\n%s", path,
		     strlen(l->set.data), l->set.data);
	if (n >= (int)sizeof(message) || write(c->fd, message, (size_t)n) != n)
		die("write a request");
	c->is_busy = true;
	c->is_counted = l->n_sent++ >= l->set.n_warmup;
	c->due_us = due_us;
	c->len = 0;
	if (c->is_counted && !l->counted_from_us)
		l->counted_from_us = due_us;
}

/* Whether the answer is whole. */
static bool answer_is_whole(struct conn *c)
{
	const char *end, *length;

	c->answer[c->len] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return false;
	length = strcasestr(c->answer, "\r\ncontent-length:");
	return c->len >=
	       (size_t)(end + 4 - c->answer) + (length ? strtoul(length + 17, NULL, 10) : 0);
}

static bool answer_is_good(const struct conn *c)
{
	return str_has_prefix(c->answer, "HTTP/1.1 200 ") &&
	       !strcasestr(c->answer, "\r\nx-amz-function-error:");
}

static void conn_done(struct load *l, struct conn *c, uint64_t now_us)
{
	c->is_busy = false;
	l->n_done++;
	l->last_us = now_us;
	if (!answer_is_good(c)) {
		if (l->n_failed++ == 0)
			fprintf(stderr, "bench_load: first failure: %.200s\n", c->answer);
	} else if (c->is_counted && l->n_latencies < REQUESTS_MAX) {
		l->latencies_us[l->n_latencies++] = (uint32_t)(now_us - c->due_us);
	}
}

static void conn_read(struct load *l, struct conn *c)
{
	ssize_t n = read(c->fd, c->answer + c->len, ANSWER_MAX - c->len);

	if (n <= 0)
		die(n == 0 ? "the daemon closed a connection" : "read");
	c->len += (size_t)n;
	if (c->is_busy && answer_is_whole(c))
		conn_done(l, c, clk_now_us());
}

/* ---- the load ------------------------------------------------------------------------------------ */

static bool may_send(const struct load *l, uint64_t now_us)
{
	return now_us < l->end_us && (!l->set.n_requests || l->n_sent < l->set.n_requests);
}

static uint64_t next_due_us(const struct load *l)
{
	return l->start_us + l->n_sent * CLK_US_PER_SEC / l->set.rate;
}

/* Give every idle connection work that is due. */
static void send_due(struct load *l)
{
	for (size_t i = 0; i < l->set.n_connections; i++) {
		uint64_t now_us = clk_now_us();

		if (!may_send(l, now_us))
			return;
		if (l->set.rate && next_due_us(l) > now_us)
			return;
		if (!l->conns[i].is_busy)
			conn_send(l, &l->conns[i], l->set.rate ? next_due_us(l) : now_us);
	}
}

/* µs precision matters in the open loop: epoll_wait() has ms only. */
static void wait_events(struct load *l)
{
	struct epoll_event events[64];
	struct timespec limit = {.tv_nsec = 100 * 1000 * 1000};
	uint64_t now_us = clk_now_us();
	int n;

	if (l->set.rate && may_send(l, now_us)) {
		uint64_t due_us = next_due_us(l);
		uint64_t wait_us = due_us > now_us ? due_us - now_us : 100;

		if (wait_us < 100000)
			limit.tv_nsec = (long)wait_us * 1000;
	}
	n = epoll_pwait2(l->epoll, events, 64, &limit, NULL);
	if (n < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < n; i++)
		conn_read(l, events[i].data.ptr);
}

static void run(struct load *l)
{
	l->start_us = clk_now_us();
	l->end_us = l->start_us + l->set.seconds * CLK_US_PER_SEC;
	while (may_send(l, clk_now_us()) || l->n_done < l->n_sent) {
		send_due(l);
		wait_events(l);
	}
}

/* ---- results ------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t percentile(const struct load *l, double share)
{
	size_t at = (size_t)(share * (double)l->n_latencies);

	if (l->n_latencies == 0)
		return 0;
	return l->latencies_us[at < l->n_latencies ? at : l->n_latencies - 1];
}

static void print_samples(const struct load *l)
{
	fputs(",\"samples_us\":[", stdout);
	for (size_t i = 0; i < l->n_latencies; i++)
		printf("%s%" PRIu32, i ? "," : "", l->latencies_us[i]);
	fputs("]", stdout);
}

static void print_result(struct load *l)
{
	double seconds = (double)(l->last_us - l->counted_from_us) / (double)CLK_US_PER_SEC;

	qsort(l->latencies_us, l->n_latencies, sizeof(*l->latencies_us), by_value);
	printf("{\"n\":%zu,\"failed\":%" PRIu64 ",\"seconds\":%.6f,\"per_second\":%.1f,"
	       "\"p50_us\":%" PRIu32 ",\"p90_us\":%" PRIu32 ",\"p99_us\":%" PRIu32
	       ",\"p999_us\":%" PRIu32 ",\"max_us\":%" PRIu32,
	       l->n_latencies, l->n_failed, seconds,
	       seconds > 0 ? (double)l->n_latencies / seconds : 0, percentile(l, 0.5),
	       percentile(l, 0.9), percentile(l, 0.99), percentile(l, 0.999), percentile(l, 1));
	if (l->set.samples)
		print_samples(l);
	puts("}");
}

/* ---- start --------------------------------------------------------------------------------------- */

static void usage(void)
{
	fputs("usage: bench_load --socket PATH --path TARGET [--data TEXT] [--connections N]\n"
	      "                  [--requests N] [--seconds N] [--warmup N] [--rate PER_SECOND] "
	      "[--samples]\n",
	      stderr);
	exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
	struct err e = ERR_INIT;
	uint64_t value;

	if (str_to_u64(text, 1, max, "value", &value, &e) < 0) {
		fprintf(stderr, "bench_load: %s\n", e.text);
		exit(2);
	}
	return value;
}

static void parse(struct settings *set, int argc, char **argv)
{
	static const struct option options[] = {
		{"socket",      1, NULL, 's'},
                {"path",        1, NULL, 'p'},
		{"data",        1, NULL, 'd'},
                {"connections", 1, NULL, 'c'},
		{"requests",    1, NULL, 'n'},
                {"seconds",     1, NULL, 't'},
		{"warmup",      1, NULL, 'w'},
                {"rate",        1, NULL, 'r'},
		{"samples",     0, NULL, 'a'},
                {NULL,          0, NULL, 0  },
	};
	struct {
		char letter;
		uint64_t *at, max;
	} numbers[] = {
		{'c', &set->n_connections, CONNECTIONS_MAX},
		{'n', &set->n_requests,    REQUESTS_MAX   },
		{'t', &set->seconds,       3600           },
		{'w', &set->n_warmup,      REQUESTS_MAX   },
		{'r', &set->rate,          1000000        },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == 's')
			set->socket = optarg;
		else if (letter == 'p')
			set->path = optarg;
		else if (letter == 'd')
			set->data = optarg;
		else if (letter == 'a')
			set->samples = true;
		else if (letter == '?')
			usage();
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			if (numbers[i].letter == letter)
				*numbers[i].at = number(optarg, numbers[i].max);
	}
	if (!set->socket || !set->path || optind < argc)
		usage();
}

int main(int argc, char **argv)
{
	static struct load l = {
		.set = {.data = "{}", .n_connections = 1, .seconds = 60},
	};

	parse(&l.set, argc, argv);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.conns = calloc(l.set.n_connections, sizeof(*l.conns));
	l.latencies_us = calloc(REQUESTS_MAX, sizeof(*l.latencies_us));
	if (l.epoll < 0 || !l.conns || !l.latencies_us)
		die("start");
	for (size_t i = 0; i < l.set.n_connections; i++)
		conn_open(&l, &l.conns[i]);
	run(&l);
	print_result(&l);
	return l.n_failed ? 1 : 0;
}

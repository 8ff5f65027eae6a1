/* Logs of functions: order, bounds, restarts, followers. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtimed/loglines.h"
#include "runtimed/logs.h"

#define FILE_BYTES (64 << 10)
#define PAGE_BYTES (1 << 20)

static char dir[64];
static int dirfd_ = -1;
static uv_loop_t loop;
static struct logs *logs;

static void open_logs(void)
{
	struct err e = ERR_INIT;

	ck_ok(logs_open(dirfd_, FILE_BYTES, &loop, &logs, &e), &e);
}

static void close_logs(void)
{
	logs_close(logs);
	logs = NULL;
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void set_up(void)
{
	struct err e = ERR_INIT;

	harness_mkdir(dir);
	ck_ok(file_open_dir(AT_FDCWD, dir, &dirfd_, &e), &e);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	open_logs();
}

static void tear_down(void)
{
	close_logs();
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	fd_close(&dirfd_);
	harness_rmdir(dir);
}

struct answer {
	int n;
	int code;
	uint64_t last;
	bool is_gap;
	size_t n_lines;
	char first[256], newest[256]; /* the lines' text */
	uint64_t first_sequence;
};

/* Every line must be a JSON object with the four keys, numbered upwards. */
static void check_line(struct answer *a, const char *p, size_t n)
{
	json_t *o = json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL);
	uint64_t sequence;

	ck_assert_msg(o != NULL, "%.*s", (int)n, p);
	ck_assert_uint_eq(json_object_size(o), 4);
	sequence = (uint64_t)json_integer_value(json_object_get(o, "seq"));
	ck_assert_uint_gt(sequence, a->n_lines ? a->last : 0);
	ck_assert(json_is_integer(json_object_get(o, "t")));
	snprintf(a->newest, sizeof(a->newest), "%s", json_string_value(json_object_get(o, "line")));
	if (a->n_lines++ == 0) {
		strcpy(a->first, a->newest);
		a->first_sequence = sequence;
	}
	a->last = sequence;
	json_decref(o);
}

static void on_page(void *arg, const struct logs_page *page, const struct err *e)
{
	struct answer *a = arg;
	const char *p, *end;

	*a = (struct answer){.n = a->n + 1, .code = e->code};
	if (e->code)
		return;
	for (p = page->data; p && p < page->data + page->size; p = end + 1) {
		end = memchr(p, '\n', page->size - (size_t)(p - page->data));
		ck_assert_ptr_nonnull(end);
		check_line(a, p, (size_t)(end - p));
	}
	if (a->n_lines)
		ck_assert_uint_eq(a->last, page->last_sequence);
	a->last = page->last_sequence;
	a->is_gap = page->is_gap;
}

static void await(struct answer *a)
{
	int n = a->n;

	while (a->n == n)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(a->code, 0);
}

static struct answer read_log(const char *function, uint64_t after, size_t max_bytes)
{
	struct answer a = {.n = 0};

	ck_assert_int_eq(logs_read(logs, function, after, max_bytes, on_page, &a), 0);
	ck_assert_int_eq(a.n, 0);
	await(&a);
	return a;
}

static void append(const char *function, const char *text)
{
	ck_assert_int_eq(logs_append(logs, function, "id-1", text, strlen(text)), 0);
}

START_TEST(lines_are_read_in_order_and_survive_a_restart)
{
	struct answer a;

	a = read_log("f", 0, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 0);
	append("f", "one");
	append("g", "other");
	append("f", "tw\xff\"o");
	a = read_log("f", 0, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 2);
	ck_assert_str_eq(a.first, "one");
	ck_assert_str_eq(a.newest, "tw\xef\xbf\xbd\"o");
	ck_assert_uint_eq(a.last, 2);
	ck_assert(!a.is_gap);
	close_logs();
	open_logs();
	append("f", "three");
	a = read_log("f", 2, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 1);
	ck_assert_str_eq(a.first, "three");
	ck_assert_uint_eq(a.last, 3);
	a = read_log("f", 3, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 0);
	ck_assert_uint_eq(a.last, 3);
}
END_TEST

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(dirfd_, name, &st, 0) == 0 ? st.st_size : -1;
}

START_TEST(files_stay_within_their_bound_and_pages_reach_every_line)
{
	struct answer a;
	uint64_t after = 0, n_lines = 0, first = 0;
	char text[200];

	for (unsigned i = 1; i <= 5000; i++) {
		snprintf(text, sizeof(text), "line %u %.*s", i, (int)(i % 150),
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxx"
			 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
			 "xxxxxxx");
		append("f", text);
	}
	if (_i) { /* what a restart finds is the same */
		close_logs();
		open_logs();
	}
	a = read_log("f", 0, PAGE_BYTES);
	first = a.first_sequence;
	ck_assert(a.is_gap);
	ck_assert_uint_eq(a.last, 5000);
	ck_assert_uint_eq(a.n_lines, 5000 - first + 1);
	ck_assert_int_le(size_of("f.log"), FILE_BYTES / 2);
	ck_assert_int_le(size_of("f.log.1"), FILE_BYTES / 2);
	ck_assert_int_gt(size_of("f.log") + size_of("f.log.1"), FILE_BYTES / 2);
	while (after < 5000) {
		a = read_log("f", after, 777);
		ck_assert_uint_ge(a.n_lines, 1);
		ck_assert_uint_eq(a.first_sequence, after ? after + 1 : first);
		snprintf(text, sizeof(text), "line %" PRIu64 " ", a.first_sequence);
		ck_assert_msg(strncmp(a.first, text, strlen(text)) == 0, "%s", a.first);
		ck_assert_int_eq(a.is_gap, after == 0);
		n_lines += a.n_lines;
		after = a.last;
	}
	ck_assert_uint_eq(n_lines, 5000 - first + 1);
}
END_TEST

START_TEST(the_longest_line_of_the_worst_bytes_fits)
{
	static char big[LOGLINES_LINE_MAX + 10];
	struct answer a;

	memset(big, '\x01', sizeof(big));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(logs_append(logs, "f", "id", big, sizeof(big)), 0);
	a = read_log("f", 2, 1);
	ck_assert_uint_eq(a.n_lines, 1);
	ck_assert_uint_eq(logs_dropped(logs), 0);
}
END_TEST

START_TEST(a_torn_line_is_cut_off)
{
	struct answer a;
	int fd;

	append("f", "whole");
	close_logs();
	fd = openat(dirfd_, "f.log", O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "{\"seq\":2,\"t\":1,\"id", 18), 18);
	close(fd);
	open_logs();
	append("f", "next");
	a = read_log("f", 0, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 2);
	ck_assert_str_eq(a.newest, "next");
	ck_assert_uint_eq(a.last, 2);
}
END_TEST

START_TEST(a_follower_is_woken_by_a_new_line)
{
	struct answer a = {.n = 0};
	uint64_t start_us = clk_now_us();

	append("f", "old");
	ck_assert_int_eq(logs_wait(logs, "f", 1, PAGE_BYTES, LOGS_WAIT_MAX_US, on_page, &a, NULL),
			 0);
	(void)read_log("f", 0, PAGE_BYTES); /* the writer has seen the wait */
	ck_assert_int_eq(a.n, 0);
	append("g", "not for us");
	append("f", "new");
	await(&a);
	ck_assert_str_eq(a.first, "new");
	ck_assert_uint_eq(a.n_lines, 1);
	ck_assert_uint_lt(clk_now_us() - start_us, LOGS_WAIT_MAX_US / 2);
}
END_TEST

START_TEST(a_wait_ends_when_its_time_is_up)
{
	struct answer a = {.n = 0};
	uint64_t start_us = clk_now_us();

	ck_assert_int_eq(logs_wait(logs, "f", 0, PAGE_BYTES, 20000, on_page, &a, NULL), 0);
	await(&a);
	ck_assert_uint_eq(a.n_lines, 0);
	ck_assert_uint_ge(clk_now_us() - start_us, 20000);
}
END_TEST

START_TEST(a_cancelled_wait_is_not_answered)
{
	struct answer a = {.n = 0}, b = {.n = 0};
	struct logs_query *q;

	ck_assert_int_eq(logs_wait(logs, "f", 0, PAGE_BYTES, 1000000, on_page, &a, &q), 0);
	if (_i)
		(void)read_log("f", 0, PAGE_BYTES);
	logs_cancel(q);
	ck_assert_int_eq(logs_wait(logs, "f", 0, PAGE_BYTES, LOGS_WAIT_MAX_US, on_page, &b, NULL),
			 0);
	append("f", "x");
	await(&b);
	ck_assert_uint_eq(b.n_lines, 1);
	ck_assert_int_eq(a.n, 0);
}
END_TEST

START_TEST(close_answers_those_that_wait)
{
	struct answer a = {.n = 0};

	ck_assert_int_eq(logs_wait(logs, "f", 0, PAGE_BYTES, LOGS_WAIT_MAX_US, on_page, &a, NULL),
			 0);
	close_logs();
	ck_assert_int_eq(a.n, 1);
	ck_assert_int_eq(a.code, 0);
	open_logs();
}
END_TEST

START_TEST(a_deleted_log_begins_anew_for_its_followers)
{
	struct answer a;

	for (int i = 0; i < 10; i++)
		append("f", "before");
	ck_assert_int_eq(logs_delete(logs, "f"), 0);
	ck_assert_int_eq(logs_delete(logs, "never was"), 0);
	a = read_log("f", 10, PAGE_BYTES);
	ck_assert_uint_eq(a.n_lines, 0);
	ck_assert_int_eq(size_of("f"), -1);
	append("f", "after");
	a = read_log("f", 10, PAGE_BYTES);
	ck_assert_str_eq(a.first, "after");
	ck_assert_uint_eq(a.last, 1);
}
END_TEST

START_TEST(a_flood_is_dropped_counted_and_told)
{
	static char big[LOGLINES_LINE_MAX];
	uint64_t n_dropped = 0;
	char want[64];
	struct answer a;

	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 100000 && n_dropped < 10; i++)
		n_dropped += logs_append(logs, "f", "id", big, sizeof(big)) == LOGS_E_DROPPED;
	ck_assert_uint_eq(n_dropped, 10);
	(void)read_log("f", 0, 1); /* all is written, drops too */
	ck_assert_uint_eq(logs_dropped(logs), 10);
	a = read_log("f", 0, PAGE_BYTES);
	snprintf(want, sizeof(want), "%" PRIu64 " log lines dropped", n_dropped);
	ck_assert_str_eq(a.newest, want);
}
END_TEST

START_TEST(a_link_in_the_directory_is_not_followed_out)
{
	struct answer a = {.n = 0};

	ck_assert_int_eq(symlinkat("/etc/hostname", dirfd_, "f.log"), 0);
	append("f", "x");
	ck_assert_int_eq(logs_read(logs, "f", 0, PAGE_BYTES, on_page, &a), 0);
	while (a.n == 0)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert_int_eq(a.code, EXDEV);
	ck_assert_uint_eq(logs_dropped(logs), 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("logs");
	TCase *t = tcase_create("logs");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, lines_are_read_in_order_and_survive_a_restart);
	tcase_add_loop_test(t, files_stay_within_their_bound_and_pages_reach_every_line, 0, 2);
	tcase_add_test(t, the_longest_line_of_the_worst_bytes_fits);
	tcase_add_test(t, a_torn_line_is_cut_off);
	tcase_add_test(t, a_follower_is_woken_by_a_new_line);
	tcase_add_test(t, a_wait_ends_when_its_time_is_up);
	tcase_add_loop_test(t, a_cancelled_wait_is_not_answered, 0, 2);
	tcase_add_test(t, close_answers_those_that_wait);
	tcase_add_test(t, a_deleted_log_begins_anew_for_its_followers);
	tcase_add_test(t, a_flood_is_dropped_counted_and_told);
	tcase_add_test(t, a_link_in_the_directory_is_not_followed_out);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

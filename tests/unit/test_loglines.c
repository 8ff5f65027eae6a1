/* Cutting a request's output into lines. */
#include "tests/lib/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "runtimed/loglines.h"

/* Lines are shown as "[line]", so that empty ones are seen. */
static void show(void *arg, const char *line, size_t n)
{
	struct buf *out = arg;

	buf_putc(out, '[');
	buf_append(out, line, n);
	buf_putc(out, ']');
}

static struct loglines l;
static struct buf out;

static void set_up(void)
{
	buf_init(&out, 1 << 20);
}

static void tear_down(void)
{
	buf_fini(&out);
}

/* clang-format off */
static const struct {
	const char *in, *lines;
} line_rows[] = {
	{"",                           ""                          },
	{"a\nb\n",                     "[a][b]"                    },
	{"a\nb",                       "[a][b]"                    },
	{"\n\n",                       "[][]"                      },
	{"a\r\nb\r\n",                 "[a][b]"                    },
	{"Traceback\r  File\r    x\n", "[Traceback][  File][    x]"},
	{"a\r\r\nb",                   "[a][][b]"                  },
	{"a\n\rb",                     "[a][][b]"                  },
	{"\xff\xfe\n",                 "[\xff\xfe]"                },
};
/* clang-format on */

START_TEST(ends_of_lines)
{
	loglines_init(&l, 1000, show, &out);
	loglines_feed(&l, line_rows[_i].in, strlen(line_rows[_i].in));
	loglines_finish(&l);
	ck_assert_str_eq(out.data ? out.data : "", line_rows[_i].lines);
	ck_assert_uint_eq(l.bytes, strlen(line_rows[_i].in));
	ck_assert_uint_eq(l.dropped_bytes, 0);
}
END_TEST

START_TEST(long_lines_are_cut_between_characters)
{
	static char big[LOGLINES_LINE_MAX + 1];
	static const char *const marks[] = {"xx", "x\xc3\xa9", "x\xe2\x82\xac", "\xf0\x9f\x90\x8d",
					    "\x80\x80\x80\x80"};
	size_t cut[] = {0, 1, 2, 3, 0};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		size_t n = strlen(marks[i]), before = LOGLINES_LINE_MAX - (n - 1);

		/* All of the mark but its last byte still fits. */
		cut[i] = i == 0 || i == 4 ? LOGLINES_LINE_MAX : before + (i < 3 ? 1 : 0);
		memset(big, 'x', before);
		memcpy(big + before, marks[i], n);
		buf_clear(&out);
		loglines_init(&l, 1 << 20, show, &out);
		loglines_feed(&l, big, before + n);
		loglines_feed(&l, "\n", 1);
		ck_assert_uint_eq(out.len, before + n + 4);
		ck_assert_int_eq(out.data[cut[i] + 1], ']');
	}
}
END_TEST

START_TEST(beyond_the_cap_bytes_are_counted_and_told)
{
	loglines_init(&l, 5, show, &out);
	loglines_feed(&l, "ab\ncdefg", 8);
	loglines_feed(&l, "h\n", 2);
	loglines_finish(&l);
	ck_assert_str_eq(out.data, "[ab][cd][5 bytes of log dropped, the limit is 5]");
	ck_assert_uint_eq(l.bytes, 5);
	ck_assert_uint_eq(l.dropped_bytes, 5);
}
END_TEST

START_TEST(tail_is_the_last_4_kib_with_notes)
{
	char tail[LOGLINES_TAIL_MAX], want[10000];
	size_t n = 0;

	loglines_init(&l, 1 << 20, NULL, NULL);
	ck_assert_uint_eq(loglines_tail(&l, tail), 0);
	loglines_note(&l, "START\n", 6);
	loglines_feed(&l, "x\r\ny", 4);
	loglines_note(&l, "END\n", 4);
	ck_assert_uint_eq(loglines_tail(&l, tail), 14);
	ck_assert_mem_eq(tail, "START\nx\ny\nEND\n", 14);
	ck_assert_uint_eq(l.bytes, 4);

	loglines_init(&l, 1 << 20, NULL, NULL);
	for (int i = 0; n < sizeof(want) - 100; i++) {
		int len = sprintf(want + n, "line %d of the log\n", i);

		loglines_feed(&l, want + n, (size_t)len);
		n += (size_t)len;
		if (n < LOGLINES_TAIL_MAX)
			continue;
		ck_assert_uint_eq(loglines_tail(&l, tail), LOGLINES_TAIL_MAX);
		ck_assert_mem_eq(tail, want + n - LOGLINES_TAIL_MAX, LOGLINES_TAIL_MAX);
	}
}
END_TEST

/* A stream with everything that matters, more than two of the longest lines. */
static size_t make_stream(char *p, size_t size)
{
	static const char *const parts[] = {"\n",           "\r",   "\r\n",     "x",
					    "\xe2\x82\xac", "\xff", "\x80\x80", "some words "};
	size_t n = 0;

	while (n + 16 < size) {
		const char *part =
			parts[random() % (n % 9000 < 50 ? 8 : 5) + (n % 9000 < 50 ? 0 : 3)];

		if (random() % 20000 == 0)
			part = "\r\n";
		memcpy(p + n, part, strlen(part));
		n += strlen(part);
	}
	return n;
}

START_TEST(splits_of_the_stream_do_not_show)
{
	static char stream[150000];
	char tail[LOGLINES_TAIL_MAX], whole_tail[LOGLINES_TAIL_MAX];
	struct buf whole;
	uint64_t cap;
	size_t n;

	srandom((unsigned)_i);
	n = make_stream(stream, sizeof(stream));
	cap = _i % 3 ? sizeof(stream) : (uint64_t)random() % sizeof(stream);
	buf_init(&whole, 1 << 20);
	loglines_init(&l, cap, show, &whole);
	loglines_feed(&l, stream, n);
	loglines_finish(&l);
	(void)loglines_tail(&l, whole_tail);

	loglines_init(&l, cap, show, &out);
	for (size_t at = 0, step; at < n; at += step) {
		step = 1 + (size_t)random() % (random() % 10 ? 7 : 40000);
		if (step > n - at)
			step = n - at;
		loglines_feed(&l, stream + at, step);
	}
	loglines_finish(&l);
	ck_assert_uint_eq(loglines_tail(&l, tail), LOGLINES_TAIL_MAX);
	ck_assert_mem_eq(tail, whole_tail, LOGLINES_TAIL_MAX);
	ck_assert_uint_eq(out.len, whole.len);
	ck_assert_mem_eq(out.data, whole.data, whole.len);
	buf_fini(&whole);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("loglines");
	TCase *t = tcase_create("loglines");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, ends_of_lines, 0, ARRAY_SIZE(line_rows));
	tcase_add_test(t, long_lines_are_cut_between_characters);
	tcase_add_test(t, beyond_the_cap_bytes_are_counted_and_told);
	tcase_add_test(t, tail_is_the_last_4_kib_with_notes);
	tcase_add_loop_test(t, splits_of_the_stream_do_not_show, 0, 30);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

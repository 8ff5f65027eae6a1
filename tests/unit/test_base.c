/* base: errors, buffers, numbers, small files. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"

START_TEST(error_names_step_object_and_errno)
{
	struct err e = ERR_INIT;

	errno = EINVAL;
	ck_assert_int_eq(err_errno(&e, "overlay '%s'", "/x"), -EINVAL);
	ck_assert_int_eq(err_wrap(&e, "start '%s'", "hello"), -EINVAL);
	ck_assert_str_eq(e.text, "start 'hello': overlay '/x': EINVAL (Invalid argument)");
}
END_TEST

START_TEST(error_text_stays_one_line_and_bounded)
{
	struct err e = ERR_INIT;
	char big[2 * ERR_TEXT_MAX];

	memset(big, 'x', sizeof(big));
	big[0] = '\n';
	big[sizeof(big) - 1] = '\0';
	err_set(&e, EPERM, "%s", big);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	ck_assert_int_eq(e.text[0], ' ');
	err_wrap(&e, "%s", "outer");
	ck_assert(str_has_prefix(e.text, "outer:  xxx"));
}
END_TEST

START_TEST(buffer_never_passes_its_maximum)
{
	struct buf b;

	buf_init(&b, 10);
	buf_puts(&b, "0123456789");
	ck_assert(!buf_failed(&b));
	buf_putc(&b, 'x');
	ck_assert(buf_failed(&b));
	ck_assert_str_eq(b.data, "0123456789");
	buf_clear(&b);
	buf_printf(&b, "%d-%s", 7, "ok");
	ck_assert_str_eq(b.data, "7-ok");
	buf_consume(&b, 2);
	ck_assert_str_eq(b.data, "ok");
	buf_fini(&b);
	buf_fini(&b);
}
END_TEST

static const struct {
	const char *in;
	size_t n;
	const char *out;
} json_rows[] = {
	{"plain",            5, "\"plain\""                },
	{"a\"b\\c\n\t",      7, "\"a\\\"b\\\\c\\n\\u0009\""},
	{"\xc3\xa9",         2, "\"\xc3\xa9\""             },
	{"\xc3",             1, "\"\\ufffd\""              },
	{"\xed\xa0\x80",     3, "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate is not UTF-8 */
	{"\xc0\x80",         2, "\"\\ufffd\\ufffd\""       }, /* nor is an overlong form */
	{"\xf0\x9f\x90\x8d", 4, "\"\xf0\x9f\x90\x8d\""     },
	{"a\0b",             3, "\"a\\u0000b\""            },
};

START_TEST(json_string_is_always_valid)
{
	struct buf b;

	buf_init(&b, 100);
	buf_json_string(&b, json_rows[_i].in, json_rows[_i].n);
	ck_assert_str_eq(b.data, json_rows[_i].out);
	buf_fini(&b);
}
END_TEST

START_TEST(numbers_are_whole_strings_in_range)
{
	struct err e = ERR_INIT;
	uint64_t v = 77;

	ck_ok(str_to_u64("128", 1, 200, "memory", &v, &e), &e);
	ck_assert_uint_eq(v, 128);
	ck_assert_int_eq(str_to_u64("128x", 1, 200, "memory", &v, &e), -EINVAL);
	ck_assert_int_eq(str_to_u64("", 1, 200, "memory", &v, &e), -EINVAL);
	ck_assert_int_eq(str_to_u64("-1", 0, 200, "memory", &v, &e), -EINVAL);
	ck_assert_int_eq(str_to_u64("201", 1, 200, "memory", &v, &e), -ERANGE);
	ck_assert_int_eq(str_to_u64("18446744073709551616", 0, UINT64_MAX, "n", &v, &e), -EINVAL);
	ck_assert_uint_eq(v, 128);
	ck_ok(str_to_bytes("64M", "size", &v, &e), &e);
	ck_assert_uint_eq(v, 64 << 20);
	ck_assert_int_eq(str_to_bytes("18014398509481984K", "size", &v, &e), -ERANGE);
	ck_ok(str_to_us("250ms", "t", &v, &e), &e);
	ck_assert_uint_eq(v, 250000);
	ck_ok(str_to_us("0", "t", &v, &e), &e);
	ck_assert_uint_eq(v, 0);
	ck_assert_int_eq(str_to_us("5", "t", &v, &e), -EINVAL);
}
END_TEST

START_TEST(a_listing_leaves_the_directory_as_it_was)
{
	char dir[] = "/tmp/test-base-XXXXXX";
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_ok(file_open_dir(AT_FDCWD, dir, &fd, &e), &e);
	ck_assert_int_eq(mkdirat(fd, "..hidden", 0700), 0);
	ck_assert_int_eq(symlinkat("..hidden", fd, "link"), 0);
	for (int i = 0; i < 2; i++) { /* the second one begins anew */
		_cleanup_dir_ DIR *list = NULL;
		bool seen[2] = {false, false};
		const char *name;

		ck_ok(file_list(fd, ".", &list, &e), &e);
		while ((name = file_next_name(list))) {
			ck_assert(str_is(name, "link") || str_is(name, "..hidden"));
			seen[str_is(name, "link")] = true;
		}
		ck_assert(seen[0] && seen[1]);
		ck_assert_int_eq(file_list(fd, "link", &list, &e), -ENOTDIR);
		ck_assert_int_eq(file_list(fd, "none", &list, &e), -ENOENT);
	}
	ck_ok(file_remove_tree(AT_FDCWD, dir, &e), &e);
}
END_TEST

START_TEST(provoked_lines_are_limited_and_the_rest_is_counted)
{
	struct log_limit l = {0};
	uint32_t n = 99;

	for (int i = 0; i < LOG_BURST; i++) {
		ck_assert(log_limit_admits(&l, 7, &n));
		ck_assert_uint_eq(n, 0);
	}
	for (int i = 0; i < 1000; i++)
		ck_assert(!log_limit_admits(&l, 6 + LOG_WINDOW_US, &n));
	ck_assert(log_limit_admits(&l, 7 + LOG_WINDOW_US, &n));
	ck_assert_uint_eq(n, 1000);
	ck_assert(log_limit_admits(&l, 8 + LOG_WINDOW_US, &n));
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(hex_goes_both_ways)
{
	unsigned char raw[3] = {0x00, 0xab, 0x7f}, back[3];
	char hex[7];

	str_hex(raw, 3, hex);
	ck_assert_str_eq(hex, "00ab7f");
	ck_assert(str_unhex(hex, back, 3));
	ck_assert_mem_eq(raw, back, 3);
	ck_assert(!str_unhex("00ab7", back, 3));
	ck_assert(!str_unhex("00ab7g", back, 3));
}
END_TEST

START_TEST(tree_is_removed_without_following_links)
{
	char dir[64], path[128];
	struct err e = ERR_INIT;
	struct stat st;

	harness_mkdir(dir);
	snprintf(path, sizeof(path), "%s/keep", dir);
	ck_ok(file_make_dirs(AT_FDCWD, path, 0700, &e), &e);
	snprintf(path, sizeof(path), "%s/gone/a/b", dir);
	ck_ok(file_make_dirs(AT_FDCWD, path, 0700, &e), &e);
	snprintf(path, sizeof(path), "%s/gone/a/link", dir);
	ck_assert_int_eq(symlink("../../keep", path), 0);
	snprintf(path, sizeof(path), "%s/gone", dir);
	ck_ok(file_remove_tree(AT_FDCWD, path, &e), &e);
	ck_assert_int_eq(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/keep", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	harness_rmdir(dir);
}
END_TEST

START_TEST(open_beneath_does_not_leave)
{
	char dir[64], path[128];
	struct err e = ERR_INIT;
	int root = -1, fd = -1;

	harness_mkdir(dir);
	ck_ok(file_open_dir(AT_FDCWD, dir, &root, &e), &e);
	snprintf(path, sizeof(path), "%s/out", dir);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(file_open_beneath(root, "out", O_RDONLY, 0, &fd, &e), -EXDEV);
	ck_assert_int_eq(file_open_beneath(root, "../x", O_RDONLY, 0, &fd, &e), -EXDEV);
	ck_assert_int_eq(fd, -1);
	ck_ok(file_replace(root, "in", "hello\n", 6, 0600, &e), &e);
	ck_ok(file_read(root, "in", path, sizeof(path), &e), &e);
	ck_assert_str_eq(path, "hello");
	ck_assert_int_eq(file_read(root, "in", path, 6, &e), -EFBIG);
	fd_close(&root);
	harness_rmdir(dir);
}
END_TEST

START_TEST(datagrams_carry_descriptors_and_refuse_surplus)
{
	struct err e = ERR_INIT;
	int a, b, fds[2], got[2];
	size_t len, n;
	char in[8];

	ck_ok(sock_pair(SOCK_SEQPACKET, &a, &b, &e), &e);
	fds[0] = fds[1] = a;
	ck_ok(sock_send(a, "abc", 3, fds, 2, &e), &e);
	ck_ok(sock_recv(b, in, sizeof(in), &len, got, 2, &n, &e), &e);
	ck_assert_uint_eq(len, 3);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(fcntl(got[1], F_GETFD), FD_CLOEXEC);
	fd_close(&got[0]);
	fd_close(&got[1]);
	ck_ok(sock_send(a, "abc", 3, fds, 2, &e), &e);
	ck_assert_int_eq(sock_recv(b, in, sizeof(in), &len, got, 1, &n, &e), -EPROTO);
	ck_ok(sock_send(a, "too long for it", 15, NULL, 0, &e), &e);
	ck_assert_int_eq(sock_recv(b, in, sizeof(in), &len, got, 1, &n, &e), -EPROTO);
	fd_close(&a);
	ck_assert_int_eq(sock_recv(b, in, sizeof(in), &len, got, 1, &n, &e), SOCK_E_EOF);
	fd_close(&b);
}
END_TEST

START_TEST(last_words_of_a_peer_that_did_not_listen_are_heard)
{
	struct err e = ERR_INIT;
	char in[8];
	size_t len = 0;
	int a, b;

	ck_ok(sock_pair(SOCK_SEQPACKET, &a, &b, &e), &e);
	ck_ok(sock_send(a, "go", 2, NULL, 0, &e), &e);
	ck_ok(sock_send(b, "no", 2, NULL, 0, &e), &e);
	fd_close(&b); /* with "go" unread */
	ck_ok(sock_recv(a, in, sizeof(in), &len, NULL, 0, NULL, &e), &e);
	ck_assert_int_eq(memcmp(in, "no", len), 0);
	ck_assert_int_eq(sock_recv(a, in, sizeof(in), &len, NULL, 0, NULL, &e), SOCK_E_EOF);
	fd_close(&a);
}
END_TEST

/* FDSize of /proc/self/status. */
static unsigned int table_size(void)
{
	char text[4096];
	struct err e = ERR_INIT;
	const char *at;

	ck_ok(file_read(AT_FDCWD, "/proc/self/status", text, sizeof(text), &e), &e);
	at = strstr(text, "FDSize:");
	ck_assert_ptr_nonnull(at);
	return (unsigned int)strtoul(at + strlen("FDSize:"), NULL, 10);
}

START_TEST(a_table_of_descriptors_is_reserved_up_to_the_limit)
{
	struct rlimit rl;
	struct err e = ERR_INIT;
	_cleanup_fd_ int next = -1, after = -1;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	rl.rlim_cur = 700;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	ck_assert_uint_lt(table_size(), 600);
	next = open("/", O_PATH | O_CLOEXEC);
	ck_ok(fd_reserve(600, &e), &e);
	ck_assert_uint_ge(table_size(), 600);
	ck_ok(fd_reserve(1000000, &e), &e);
	ck_assert_uint_ge(table_size(), 700);
	after = open("/", O_PATH | O_CLOEXEC);
	ck_assert_int_eq(after, next + 1); /* nothing was left open */
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base");
	TCase *t = tcase_create("base");

	tcase_add_test(t, error_names_step_object_and_errno);
	tcase_add_test(t, error_text_stays_one_line_and_bounded);
	tcase_add_test(t, buffer_never_passes_its_maximum);
	tcase_add_test(t, provoked_lines_are_limited_and_the_rest_is_counted);
	tcase_add_test(t, a_listing_leaves_the_directory_as_it_was);
	tcase_add_loop_test(t, json_string_is_always_valid, 0, ARRAY_SIZE(json_rows));
	tcase_add_test(t, numbers_are_whole_strings_in_range);
	tcase_add_test(t, hex_goes_both_ways);
	tcase_add_test(t, tree_is_removed_without_following_links);
	tcase_add_test(t, open_beneath_does_not_leave);
	tcase_add_test(t, datagrams_carry_descriptors_and_refuse_surplus);
	tcase_add_test(t, a_table_of_descriptors_is_reserved_up_to_the_limit);
	tcase_add_test(t, last_words_of_a_peer_that_did_not_listen_are_heard);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

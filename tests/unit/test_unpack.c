/* runtimed: handlers' modules, names of entries, and unpacking good and hostile packages. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtimed/module.h"
#include "runtimed/unpack.h"
#include "runtimed/unpack_name.h"
#include "tests/lib/zip.h"

#define SYMLINK(n, t)                                                                              \
	{                                                                                          \
		.name = n, .text = t, .mode = S_IFLNK | 0777                                       \
	}
#define HANDLER   "def handler(event, context): return event\n"
#define A16(s)    s s s s s s s s s s s s s s s s
#define NAME_256  A16("0123456789abcdef")
#define PATH_1025 A16("d/" A16("abc") "0123456789abcd/") "f"
#define DEEP_65   A16("a/b/c/d/") "e"

static char dir[64];
static int root;
static struct unpack_result result;

static void setup(void)
{
	struct err e = ERR_INIT;

	harness_mkdir(dir);
	ck_ok(file_open_dir(AT_FDCWD, dir, &root, &e), &e);
	result = (struct unpack_result){.n_entries = 4711};
}

static void teardown(void)
{
	fd_close(&root);
	harness_rmdir(dir);
}

static int unpack_bytes(const void *data, size_t n, const char *module, struct err *e)
{
	_cleanup_fd_ int fd = memfd_create("package", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_ok(file_write_all(fd, data, n, e), e);
	return unpack(fd, root, &unpack_limits_default, module, &result, e);
}

static int unpack_entries(const struct zip_entry *entries, size_t n, struct err *e)
{
	struct zip z;
	int r;

	zip_init(&z);
	for (size_t i = 0; i < n; i++)
		if (entries[i].name)
			zip_add(&z, &entries[i]);
	zip_finish(&z);
	r = unpack_bytes(z.out.data, z.out.len, "app", e);
	zip_fini(&z);
	return r;
}

static void ck_refused(int r, int code, const char *text, const struct err *e)
{
	ck_assert_msg(r == -code, "%d, not %d: %s", r, -code, e->text);
	ck_assert_int_eq(e->code, code);
	ck_assert_msg(strstr(e->text, text) != NULL, "'%s' is not in '%s'", text, e->text);
	ck_assert_uint_eq(result.n_entries, 4711);
	fd_close(&root);
	ck_assert_msg(rmdir(dir) == 0, "something is left after: %s", e->text);
	ck_assert_int_eq(mkdir(dir, 0700), 0); /* for teardown */
}

static void ck_text(const char *path, const char *text)
{
	struct err e = ERR_INIT;
	char got[256];

	ck_ok(file_read(root, path, got, sizeof(got), &e), &e);
	ck_assert_str_eq(got, text);
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	ck_assert_msg(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s: %m", path);
	return st;
}

START_TEST(good_package_is_installed_with_fixed_modes_and_times)
{
	/* clang-format off */
	static const struct zip_entry entries[] = {
		{.name = "app.py", .text = HANDLER, .mode = S_IFREG | 06777},
		{.name = "./lib//data.txt", .text = "data", .mode = S_IFREG | 0200},
		{.name = "lib/", .mode = S_IFDIR | 01700},
		{.name = "empty/"},
		{.name = "lib/zero", .zeros_bytes = 100000},
		{.name = "lib/\xc3\xa9.txt", .text = "e", .flags = ZIP_FLAG_UTF8},
		{.name = "\xe6\x97\xa5", .text = "day"}, /* UTF-8 without the flag that says so */
		{.name = "piped", .mode = S_IFIFO | 0600}, /* zip's mark of what came from a pipe */
		SYMLINK("lib/link", "../app.py"),
		SYMLINK("up", "lib"),
	};
	/* clang-format on */
	mode_t mask = umask(0077);
	struct err e = ERR_INIT;

	ck_ok(unpack_entries(entries, ARRAY_SIZE(entries), &e), &e);
	umask(mask);
	ck_assert_uint_eq(result.n_entries, ARRAY_SIZE(entries));
	ck_assert_uint_eq(result.unpacked_bytes, strlen(HANDLER) + 4 + 100000 + 1 + 3);
	ck_text("app.py", "def handler(event, context): return event");
	ck_text("up/data.txt", "data");
	ck_text("lib/\xc3\xa9.txt", "e");
	ck_text("\xe6\x97\xa5", "day");
	ck_text("lib/link", "def handler(event, context): return event");
	ck_assert_uint_eq(stat_of("app.py").st_mode, S_IFREG | 0755);
	ck_assert_uint_eq(stat_of("lib/data.txt").st_mode, S_IFREG | 0644);
	ck_assert_uint_eq(stat_of("lib").st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(stat_of("piped").st_mode, S_IFREG | 0644);
	ck_assert_uint_eq(stat_of("empty").st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(stat_of("lib/zero").st_size, 100000);
	ck_assert_int_eq(stat_of("app.py").st_mtim.tv_sec, UNPACK_MTIME_SEC);
}
END_TEST

/* One refusal a row. */
/* clang-format off */
static const struct {
	struct zip_entry entries[2]; /* after a good app.py */
	int code;
	const char *text;
} refusals[] = {
	{{{.name = "../evil"}}, EINVAL, "entry '../evil': would leave the package ('..')"},
	{{{.name = "a/../../evil"}}, EINVAL, "entry 'a/../../evil': would leave"},
	{{{.name = "a/.."}}, EINVAL, "entry 'a/..': would leave"},
	{{{.name = "/etc/passwd"}}, EINVAL, "entry '/etc/passwd': is an absolute path"},
	{{{.name = "..\\evil"}}, EINVAL, "entry '../evil': would leave"}, /* '\\' alone is Windows' '/' */
	{{{.name = "a/b\\c"}}, EINVAL, "entry 'a/b\\c': contains a backslash"},
	{{{.name = "a\nb"}}, EINVAL, "entry 'a\\x0ab': contains a control character"},
	{{{.name = "a\x7f"}}, EINVAL, "entry 'a\\x7f': contains a control character"},
	{{{.name = "a\xc2\x9b"}}, EINVAL, "entry 'a\\xc2\\x9b': contains a control character"},
	{{{.name = "a\xff"}}, EINVAL, "entry 'a\\xff': is not UTF-8"},
	{{{.name = "a\xc0\xaf"}}, EINVAL, "entry 'a\\xc0\\xaf': is not UTF-8"},
	{{{.name = "a\xed\xa0\x80"}}, EINVAL, "entry 'a\\xed\\xa0\\x80': is not UTF-8"},
	{{{.name = "a\xf4\x90\x80\x80"}}, EINVAL, "is not UTF-8"},
	{{{.name = "a\xe6\x97"}}, EINVAL, "is not UTF-8"},
	{{{.name = "a\xff", .flags = ZIP_FLAG_UTF8}}, EBADMSG, "entry number 2: is damaged: Pathname cannot be"},
	{{{.name = ""}}, EINVAL, "entry"},
	{{{.name = "."}}, EINVAL, "entry '.': has no name"},
	{{{.name = NAME_256}}, E2BIG, "a name of 256 bytes, 255 are allowed"},
	{{{.name = PATH_1025}}, E2BIG, "a path of more than 1024 bytes"},
	{{{.name = DEEP_65}}, E2BIG, "more than 64 directories deep"},
	{{SYMLINK("l", "/etc")}, EINVAL, "entry 'l': symlink to an absolute path"},
	{{SYMLINK("l", "../etc")}, EINVAL, "entry 'l': symlink that leaves the package"},
	{{SYMLINK("a/l", "../../x")}, EINVAL, "entry 'a/l': symlink that leaves"},
	{{SYMLINK("a/l", "b/../../..")}, EINVAL, "entry 'a/l': symlink with '..' after a name"},
	{{SYMLINK("l", "a\\b")}, EINVAL, "entry 'l': target of the symlink: contains a backslash"},
	{{SYMLINK("l", "lib"), {.name = "l/x", .text = "x"}}, EINVAL, "entry 'l': is a file and a directory"},
	{{SYMLINK("l", "lib"), {.name = "l", .text = "x"}}, EINVAL, "entry 'l': is in the archive twice"},
	{{{.name = "c", .mode = S_IFCHR | 0666}}, EINVAL, "entry 'c': is a character device"},
	{{{.name = "b", .mode = S_IFBLK | 0666}}, EINVAL, "entry 'b': is a block device"},
	{{{.name = "s", .mode = S_IFSOCK | 0666}}, EINVAL, "entry 's': is a socket"},
	{{{.name = "app.py", .text = "other"}}, EINVAL, "entry 'app.py': is in the archive twice"},
	{{{.name = "./app.py", .text = "other"}}, EINVAL, "entry './app.py': is in the archive twice"},
	{{{.name = "a/b", .text = "1"}, {.name = "a//b", .text = "2"}}, EINVAL, "entry 'a//b': is in the archive twice"},
	{{{.name = "app.py/x", .text = "x"}}, EINVAL, "entry 'app.py/x': 'app.py' is a file and a directory"},
	{{{.name = "app.py/"}}, EINVAL, "entry 'app.py/': 'app.py' is a file and a directory"},
	{{{.name = "a/x", .text = "x"}, {.name = "a", .text = "x"}}, EINVAL, "entry 'a': is a file and a directory"},
	{{{.name = "e", .text = "x", .flags = ZIP_FLAG_ENCRYPTED}}, EINVAL, "entry 'e': is encrypted"},
	{{{.name = "c", .text = "x", .crc_xor = 1}}, EBADMSG, "entry 'c': is damaged"},
	{{{.name = "s", .text = "x", .size_more = 5}}, EBADMSG, "entry 's': is damaged"},
	{{{.name = "d", .text = "not deflate", .method = 8}}, EBADMSG, "entry 'd': is damaged"},
	{{{.name = "z", .text = "x", .method = 14}}, EINVAL, "entry 'z': is packed in a way other than deflate"},
	{{{.name = "zero", .zeros_bytes = 2 << 20}}, E2BIG, "entry 'zero': the package unpacks to more than 100 times"},
};
/* clang-format on */

START_TEST(hostile_entry_is_refused_by_name_and_leaves_nothing)
{
	struct zip_entry entries[3] = {
		{.name = "app.py", .text = HANDLER}
        };
	struct err e = ERR_INIT;

	memcpy(entries + 1, refusals[_i].entries, sizeof(refusals[_i].entries));
	ck_refused(unpack_entries(entries, ARRAY_SIZE(entries), &e), refusals[_i].code,
		   refusals[_i].text, &e);
}
END_TEST

START_TEST(package_cut_anywhere_is_refused)
{
	static const struct zip_entry app = {.name = "app.py", .text = HANDLER};
	struct err e = ERR_INIT;
	struct zip z;

	zip_init(&z);
	zip_add(&z, &app);
	zip_finish(&z);
	for (size_t n = 0; n < z.out.len; n++) {
		ck_refused(unpack_bytes(z.out.data, n, "app", &e), EBADMSG, "not all of one", &e);
		ck_ok(file_open_dir(AT_FDCWD, dir, &root, &e), &e);
	}
	zip_fini(&z);
}
END_TEST

/* clang-format off */
static const struct {
	const char *bytes;
} not_zips[] = {{""}, {"PK"}, {"\x1f\x8b\x08"}, {"def handler(): pass\n"}, {"#!/bin/sh\n"}};
/* clang-format on */

START_TEST(what_is_not_a_zip_is_refused)
{
	const char *bytes = not_zips[_i].bytes;
	struct err e = ERR_INIT;

	ck_refused(unpack_bytes(bytes, strlen(bytes), "app", &e), EBADMSG, "not a zip archive", &e);
}
END_TEST

/* clang-format off */
static const struct {
	struct unpack_limits limits;
	const char *text;
} limits[] = {
	{{100, 1000, 10}, "bytes, 100 are allowed"},
	{{1000, 10, 10}, "entry 'app.py': the package unpacks to more than 10 bytes"},
	{{1000, 1000, 2}, "more than 2 entries"},
	{{1000, 1000, 3}, "entry 'a/b/c': more than 3 files and directories"},
};
/* clang-format on */

START_TEST(limit_is_counted_while_writing)
{
	/* clang-format off */
	static const struct zip_entry entries[] = {
		{.name = "app.py", .text = HANDLER},
		{.name = "x", .text = "x"},
		{.name = "a/b/c", .text = "c"},
	};
	/* clang-format on */
	_cleanup_fd_ int fd = memfd_create("package", MFD_CLOEXEC);
	struct err e = ERR_INIT;
	struct zip z;

	zip_init(&z);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		zip_add(&z, &entries[i]);
	zip_finish(&z);
	ck_ok(file_write_all(fd, z.out.data, z.out.len, &e), &e);
	zip_fini(&z);
	ck_refused(unpack(fd, root, &limits[_i].limits, "app", &result, &e), E2BIG, limits[_i].text,
		   &e);
}
END_TEST

START_TEST(package_that_is_a_pipe_is_refused)
{
	struct err e = ERR_INIT;
	int pipe_fds[2];

	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_lt(unpack(pipe_fds[0], root, &unpack_limits_default, "app", &result, &e), 0);
	fd_close(&pipe_fds[0]);
	fd_close(&pipe_fds[1]);
}
END_TEST

/* clang-format off */
static const struct {
	const char *file, *module;
	uint32_t mode;
	bool is_found;
} modules[] = {
	{"app.py", "app", 0, true},
	{"app/__init__.py", "app", 0, true},
	{"app.cpython-311-x86_64-linux-gnu.so", "app", 0, true},
	{"pkg/app.so", "pkg/app", 0, true},
	{"pkg/app.py", "pkg/app", 0, true},
	{"app.pyc", "app", 0, false},
	{"app.py/x", "app", 0, false},
	{"app/x.py", "app", 0, false},
	{"apple.py", "app", 0, false},
	{"App.py", "app", 0, false},
	{"pkg/app.py", "app", 0, false},
	{"app.so.1", "app", 0, false},
	{"app.py", "app", S_IFLNK | 0777, false}, /* to nothing */
};
/* clang-format on */

START_TEST(module_must_be_in_the_package)
{
	struct err e = ERR_INIT;
	char missing[160];
	struct zip z;
	int r;

	zip_init(&z);
	zip_add(&z, &(struct zip_entry){
			    .name = modules[_i].file, .text = "x", .mode = modules[_i].mode});
	zip_finish(&z);
	r = unpack_bytes(z.out.data, z.out.len, modules[_i].module, &e);
	zip_fini(&z);
	snprintf(missing, sizeof(missing), "no file %s.py in the package", modules[_i].module);
	if (modules[_i].is_found)
		ck_ok(r, &e);
	else
		ck_refused(r, ENOENT, missing, &e);
}
END_TEST

/* clang-format off */
static const struct {
	const char *handler, *module; /* NULL = refused */
} handlers[] = {
	{"app.handler", "app"},
	{"pkg/sub/app.run", "pkg/sub/app"},
	{"pkg.app.run", "pkg/app"},
	{"_a1.f", "_a1"},
	{"app", NULL},
	{"app.", NULL},
	{".handler", NULL},
	{"", NULL},
	{"a..f", NULL},
	{"/app.f", NULL},
	{"../app.f", NULL},
	{"a//b.f", NULL},
	{"a/.f", NULL},
	{"my app.f", NULL},
	{"\xc3\xa9.f", NULL},
	{A16("12345678") ".f", NULL},
};
/* clang-format on */

START_TEST(handler_names_a_module)
{
	char module[LAUNCH_MODULE_MAX + 1] = "kept";
	struct err e = ERR_INIT;
	int r = module_from_handler(handlers[_i].handler, module, &e);

	ck_assert_int_eq(r, handlers[_i].module ? 0 : -EINVAL);
	ck_assert_str_eq(module, handlers[_i].module ? handlers[_i].module : "kept");
}
END_TEST

START_TEST(name_in_a_message_is_one_short_line)
{
	char long_name[400], out[UNPACK_SHOWN_MAX];

	unpack_show("a\nb\xff\xc3\xa9\x1b[0m", out);
	ck_assert_str_eq(out, "a\\x0ab\\xff\xc3\xa9\\x1b[0m");
	memset(long_name, '\n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	unpack_show(long_name, out);
	ck_assert_uint_lt(strlen(out), UNPACK_SHOWN_MAX);
	ck_assert_str_eq(out + strlen(out) - 3, "...");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("unpack");
	TCase *pure = tcase_create("names"), *t = tcase_create("unpack");

	tcase_add_loop_test(pure, handler_names_a_module, 0, ARRAY_SIZE(handlers));
	tcase_add_test(pure, name_in_a_message_is_one_short_line);
	suite_add_tcase(s, pure);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good_package_is_installed_with_fixed_modes_and_times);
	tcase_add_loop_test(t, hostile_entry_is_refused_by_name_and_leaves_nothing, 0,
			    ARRAY_SIZE(refusals));
	tcase_add_test(t, package_cut_anywhere_is_refused);
	tcase_add_loop_test(t, what_is_not_a_zip_is_refused, 0, ARRAY_SIZE(not_zips));
	tcase_add_loop_test(t, limit_is_counted_while_writing, 0, ARRAY_SIZE(limits));
	tcase_add_test(t, package_that_is_a_pipe_is_refused);
	tcase_add_loop_test(t, module_must_be_in_the_package, 0, ARRAY_SIZE(modules));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

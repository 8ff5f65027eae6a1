/* Where a mount goes in a root that is hostile: mnt_target() and mnt_target_plain(). */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/mount.h"

static char dir[64];
static int root = -1;

/* ROOT/{d/, f, up -> .., abs -> /d, dangling -> d/x/y, out -> /../../new, loop -> loop}, and a file beside it. */
static void open_root(void)
{
	static const char *const links[][2] = {
		{"..",           "up"      },
                {"/d",           "abs"     },
		{"d/x/y",        "dangling"},
                {"/../../new",   "out"     },
		{"loop",         "loop"    },
                {"/up/up/d/./z", "winding" },
		{"f/under",      "file"    },
                {"../../new",    "d/up-out"},
	};
	_cleanup_fd_ int at = -1;

	harness_mkdir(dir);
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(at, "root", 0755), 0);
	root = openat(at, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	ck_assert_int_eq(mkdirat(root, "d", 0755), 0);
	close(openat(root, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		ck_assert_int_eq(symlinkat(links[i][0], root, links[i][1]), 0);
}

static void close_root(void)
{
	fd_close(&root);
	harness_rmdir(dir);
}

/* is: the path below the root of what it leads to; a directory, unless it is made as a file. */
/* clang-format off */
static const struct {
	const char *target, *is;
	bool is_file;
} found[] = {
	{"/",                "",            false},
	{"d",                "d",           false},
	{"/f",               "f",           true },
	{"/d/../../..",      "",            false},
	{"/abs/made/deep",   "d/made/deep", false},
	{"up/new",           "new",         false},
	{"/new/file",        "new/file",    true },
	{"dangling",         "d/x/y",       false},
	{"dangling/z",       "d/x/y/z",     true },
	{"out",              "new",         true },
	{"out/in",           "new/in",      false},
	{"winding/w",        "d/z/w",       false},
	{"d/up-out/a",       "new/a",       false},
	{"missing/../other", "other",       false},
	{"a//b/./c/",        "a/b/c",       false},
};
/* clang-format on */

START_TEST(target_is_found_or_made_inside)
{
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;
	char path[PATH_MAX], is[PATH_MAX], self[64];
	struct stat st;
	ssize_t n;

	ck_ok(mnt_target(root, found[_i].target, !found[_i].is_file, &fd, &e), &e);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, path, sizeof(path) - 1);
	ck_assert_int_gt(n, 0);
	path[n] = '\0';
	snprintf(is, sizeof(is), "%s/root%s%s", dir, found[_i].is[0] ? "/" : "", found[_i].is);
	ck_assert_str_eq(path + strlen(path) - strlen(is), is);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(S_ISREG(st.st_mode) == found[_i].is_file);
	snprintf(path, sizeof(path), "%s/new", dir);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

static const struct {
	const char *target;
	int code;
} failing[] = {
	{"loop",   ELOOP  },
	{"loop/x", ELOOP  },
	{"f/x",    ENOTDIR},
	{"file",   ENOTDIR},
};

START_TEST(target_that_cannot_be_is_an_error)
{
	struct err e = ERR_INIT;
	int fd = -1;

	ck_assert_int_eq(mnt_target(root, failing[_i].target, true, &fd, &e), -failing[_i].code);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(target_s_length_is_bounded)
{
	char name[NAME_MAX + 3], path[PATH_MAX + 2];
	struct err e = ERR_INIT;
	int fd = -1;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(mnt_target_plain(root, name, &fd, &e), -ENAMETOOLONG);
	memset(path, 'p', sizeof(path) - 1);
	for (size_t i = 0; i < sizeof(path); i += 100)
		path[i] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(mnt_target_plain(root, path, &fd, &e), -ENAMETOOLONG);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(plain_target_has_no_link_in_it)
{
	static const char *const links[] = {"up", "abs", "abs/x", "dangling", "d/up-out", "loop"};
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		ck_assert_int_eq(mnt_target_plain(root, links[i], &fd, &e), -ELOOP);
	ck_assert_int_eq(fd, -1);
	ck_ok(mnt_target_plain(root, "/d/proc", &fd, &e), &e);
	ck_assert_int_eq(faccessat(root, "d/proc", F_OK, 0), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mount_target");
	TCase *t = tcase_create("target");

	tcase_add_checked_fixture(t, open_root, close_root);
	tcase_add_loop_test(t, target_is_found_or_made_inside, 0, ARRAY_SIZE(found));
	tcase_add_loop_test(t, target_that_cannot_be_is_an_error, 0, ARRAY_SIZE(failing));
	tcase_add_test(t, target_s_length_is_bounded);
	tcase_add_test(t, plain_target_has_no_link_in_it);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* HOME from a container's own /etc/passwd, which may hold anything. */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/home.h"

#define USER "app:x:1000:1000:App,,,:/home/app:/bin/sh"

/* clang-format off */
static const struct {
	const char *line, *home; /* of uid 1000; NULL: it is not his */
} lines[] = {
	{USER,                                "/home/app"},
	{"app:x:1000:1000::/home/app",        "/home/app"},
	{"app:x:1000:1000::/:",               "/"        },
	{"app:x:1001:1000::/home/app:",       NULL       },
	{"app:x:01000:1000::/home/app:",      NULL       },
	{"app:x: 1000:1000::/home/app:",      NULL       },
	{"app:x:4294968296:1000::/home/app:", NULL       },
	{"app:x:1000000000000000000000000:1000::/home/app:", NULL       },
	{"app:x::1000::/home/app:",           NULL       },
	{"app:x:1000:1000::home/app:",        NULL       },
	{"app:x:1000:1000:::",                NULL       },
	{"app:x:1000:1000:",                  NULL       },
	{"app:x:1000",                        NULL       },
	{"1000",                              NULL       },
	{"",                                  NULL       },
	{":::::",                             NULL       },
};
/* clang-format on */

START_TEST(line_is_this_users_or_not)
{
	char home[HOME_MAX_BYTES] = "before";
	bool is_his = home_from_line(lines[_i].line, 1000, home);

	ck_assert_int_eq(is_his, lines[_i].home != NULL);
	ck_assert_str_eq(home, is_his ? lines[_i].home : "before");
}
END_TEST

/* n bytes of x, which tests free. */
static char *many(size_t n)
{
	char *p = malloc(n + 1);

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', n);
	p[n] = '\0';
	return p;
}

static void expect(const char *passwd, const char *home)
{
	char dir[64], got[HOME_MAX_BYTES], path[128];
	_cleanup_fd_ int root = -1;
	FILE *f;

	harness_mkdir(dir);
	snprintf(path, sizeof(path), "%s/etc", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/passwd", dir);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	fputs(passwd, f);
	fclose(f);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_find(root, 1000, got);
	ck_assert_str_eq(got, home);
	harness_rmdir(dir);
}

START_TEST(file_is_searched_to_its_end)
{
	expect("", "/");
	expect(USER, "/home/app");
	expect("root:x:0:0::/root:/bin/sh\n" USER "\n", "/home/app");
	expect("\n\n# comment\n" USER "\n", "/home/app");
	expect("root:x:0:0::/root:/bin/sh\n", "/");
}
END_TEST

START_TEST(long_lines_are_nobodys_and_end_at_their_end)
{
	_cleanup_free_ char *x = many(10000), *all = malloc(20000);

	sprintf(all, "%s\n" USER "\n", x);
	expect(all, "/home/app");
	/* The tail of a long line is no line. */
	sprintf(all, "%s" USER "\n", x);
	expect(all, "/");
	/* The line lies over the border of two reads. */
	x[4080] = '\0';
	sprintf(all, "%s\n" USER "\n", x);
	expect(all, "/home/app");
}
END_TEST

START_TEST(what_is_no_file_holds_nobody)
{
	char dir[64], path[128], got[HOME_MAX_BYTES];
	_cleanup_fd_ int root = -1;

	harness_mkdir(dir);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	home_find(root, 1000, got);
	ck_assert_str_eq(got, "/");
	snprintf(path, sizeof(path), "%s/etc", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/passwd", dir);
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	home_find(root, 1000, got);
	ck_assert_str_eq(got, "/");
	harness_rmdir(dir);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("home");
	TCase *t = tcase_create("passwd");

	tcase_add_loop_test(t, line_is_this_users_or_not, 0, ARRAY_SIZE(lines));
	tcase_add_test(t, file_is_searched_to_its_end);
	tcase_add_test(t, long_lines_are_nobodys_and_end_at_their_end);
	tcase_add_test(t, what_is_no_file_holds_nobody);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* What a service manager hears from us. */
#include "tests/lib/harness.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtimed/notify.h"

#define SAID "STOPPING=1\nEXTEND_TIMEOUT_USEC=7"

static char dir[64];

/* A manager's socket at the path that goes into the environment; "@" stands for no file. */
static int manager(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);

	if (path[0] == '@')
		a.sun_path[0] = '\0';
	ck_assert(s >= 0 && n > 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
			 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", path, 1), 0);
	return s;
}

static void expect_heard_at(const char *path)
{
	_cleanup_fd_ int s = manager(path);
	char got[128] = "";

	notify(SAID);
	ck_assert_int_eq(recv(s, got, sizeof(got) - 1, 0), (ssize_t)strlen(SAID));
	ck_assert_str_eq(got, SAID);
}

START_TEST(manager_hears_one_datagram)
{
	char path[96];

	harness_mkdir(dir);
	(void)snprintf(path, sizeof(path), "%s/notify", dir);
	expect_heard_at(path);
	harness_rmdir(dir);
}
END_TEST

START_TEST(manager_without_a_file_hears_it_too)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "@runtimed-test-%d", (int)getpid());
	expect_heard_at(path);
}
END_TEST

START_TEST(nobody_to_tell_is_no_error)
{
	char path[200];

	unsetenv("NOTIFY_SOCKET");
	notify(SAID);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	notify(SAID);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	setenv("NOTIFY_SOCKET", path, 1);
	notify(SAID);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("manager");

	tcase_add_test(t, manager_hears_one_datagram);
	tcase_add_test(t, manager_without_a_file_hears_it_too);
	tcase_add_test(t, nobody_to_tell_is_no_error);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

#include "tests/lib/harness.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

void harness_skip(const char *test, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	/* One write: the parent and other test processes share this stdout. */
	dprintf(STDOUT_FILENO, "# SKIP %s: %s\n", test, reason);
}

int harness_run(Suite *(*suite)(void))
{
	SRunner *sr;
	int failed;

	/* Check's own four seconds are too few where the machine is shared; a suite reads it when it is made. */
	setenv("CK_DEFAULT_TIMEOUT", "120", 0);
	sr = srunner_create(suite());
	setvbuf(stdout, NULL, _IOLBF, 0);
	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void harness_mkdir(char *path)
{
	strcpy(path, "/tmp/runtimed-test.XXXXXX");
	ck_assert_msg(mkdtemp(path) != NULL, "mkdtemp %s: %m", path);
}

void harness_rmdir(const char *path)
{
	struct err e = ERR_INIT;

	ck_ok(file_remove_tree(AT_FDCWD, path, &e), &e);
}

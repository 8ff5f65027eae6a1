/*
 * What every Check program of this tree shares: one main(), TAP on stdout, skips with a reason.
 *
 *	static Suite *suite(void) { ... }
 *	HARNESS_MAIN(suite)
 *
 *	START_TEST(root_is_read_only)
 *	{
 *		if (geteuid() != 0)
 *			TEST_SKIP("needs root");
 *		...
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>

/* Print the skip and leave the test; it is counted as skipped, not as passed. */
#define TEST_SKIP(...)                                                                             \
	do {                                                                                       \
		harness_skip(__func__, __VA_ARGS__);                                               \
		return;                                                                            \
	} while (0)

void harness_skip(const char *test, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Run the suite; the exit status says whether all passed. No test may take longer than two minutes. */
int harness_run(Suite *(*suite)(void));

/* A fresh directory, removed by harness_rmdir(); path is at least 64 bytes. */
void harness_mkdir(char *path);
void harness_rmdir(const char *path);

#define HARNESS_MAIN(suite_fn)                                                                     \
	int main(void)                                                                             \
	{                                                                                          \
		return harness_run(suite_fn);                                                      \
	}

/* ck_assert on an err-style call: shows the error's text. */
#define ck_ok(call, err)                                                                           \
	do {                                                                                       \
		int ck_r_ = (call);                                                                \
		ck_assert_msg(ck_r_ == 0, "%s: %d: %s", #call, ck_r_, (err)->text);                \
	} while (0)

#endif

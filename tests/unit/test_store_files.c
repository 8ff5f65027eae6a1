/* The store and its files: a full disk, kill -9, damage, foreign files, the log's bound. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/lib/store_fixture.h"

/*
 * A disk that lets no file of this process grow beyond 64 KiB: enough for what Check itself writes per
 * assertion, so few are made meanwhile.
 */
static void set_disk_full(bool is_full)
{
	struct rlimit lim;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &lim);
	lim.rlim_cur = is_full ? 64 << 10 : lim.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
}

/* Queue rows until one is refused; how many were taken. *ret_wrong: is_full told otherwise. */
static unsigned fill_queue(int *ret_wrong)
{
	struct record rec = fx_record("a", 0);
	struct err e = ERR_INIT;
	unsigned n = 0;

	*ret_wrong = 0;
	while (store_record(fx_store, &rec, &e) == 0) {
		struct store_stats stats;

		rec.received_wall_us = ++n;
		store_get_stats(fx_store, &stats);
		if (stats.failures > 0 &&
		    store_is_full(fx_store) != (stats.queued >= STORE_RECORDS_FULL))
			++*ret_wrong;
	}
	return n;
}

START_TEST(a_full_disk_bounds_the_queue_and_loses_nothing_it_took)
{
	static char big[128 << 10];
	struct fx_answer a = {.n = 0};
	struct store_stats stats;
	struct err e = ERR_INIT;
	struct usage got;
	unsigned n;
	int wrong;

	memset(big, 'x', sizeof(big) - 1);
	fx_open();
	ck_assert(!store_is_full(fx_store));
	set_disk_full(true);
	n = fill_queue(&wrong);
	ck_assert_int_eq(wrong, 0);
	ck_assert_uint_ge(n, STORE_RECORDS_MAX);
	ck_assert(store_is_full(fx_store));
	ck_assert_int_lt(store_drain(fx_store, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "ledger.db"));
	ck_assert_int_eq(store_usage(fx_store, "a", 0, fx_on_usage, &a), 0);
	fx_await(&a, 1);
	ck_assert_int_ne(a.code, 0);
	ck_assert_int_eq(store_put_function(fx_store, "f", big, fx_on_done, &a), 0);
	fx_await(&a, 2);
	ck_assert_int_ne(a.code, 0);

	set_disk_full(false);
	ck_ok(store_drain(fx_store, &e), &e);
	store_get_stats(fx_store, &stats);
	ck_assert_uint_eq(stats.written, n);
	ck_assert_uint_eq(stats.refused, 1);
	ck_assert_uint_gt(stats.failures, 0);
	got = fx_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), n);
	fx_put("f", big);
	store_close(fx_store);
}
END_TEST

static int count(void *arg, const char *name, const char *json, size_t n)
{
	(void)name, (void)json, (void)n;
	++*(uint32_t *)arg;
	return 0;
}

/* Report each durable put and drained row count to the parent, until killed. */
static _Noreturn void write_until_killed(int to_parent)
{
	struct err e = ERR_INIT;
	char name[32];

	fx_open();
	for (uint32_t i = 0;; i++) {
		snprintf(name, sizeof(name), "f%" PRIu32, i);
		fx_put(name, "{}");
		for (unsigned k = 0; k < 20; k++) {
			struct record rec = fx_record("a", i * 20 + k);

			if (store_record(fx_store, &rec, &e) < 0)
				abort();
		}
		if (i % 8 == 0 && store_drain(fx_store, &e) < 0)
			abort();
		if (write(to_parent, &i, sizeof(i)) != sizeof(i))
			abort();
	}
}

START_TEST(nothing_acknowledged_is_lost_by_kill_9)
{
	uint32_t n = 0, last = 0, stop_at = 50 + 60 * (uint32_t)_i;
	struct err e = ERR_INIT;
	struct usage got;
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		write_until_killed(fds[1]);
	close(fds[1]);
	while (last < stop_at && read(fds[0], &last, sizeof(last)) == sizeof(last))
		continue;
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	while (read(fds[0], &last, sizeof(last)) == sizeof(last))
		continue; /* acknowledged before it died */
	close(fds[0]);
	ck_assert_uint_ge(last, stop_at);

	fx_open(); /* checks integrity */
	ck_ok(store_load_functions(fx_store, count, &n, &e), &e);
	ck_assert_uint_ge(n, last + 1);
	got = fx_usage("a", 0);
	ck_assert_uint_ge(usage_invocations(&got), (last / 8 * 8 + 1) * 20);
	store_close(fx_store);
}
END_TEST

static void exec_sql(const char *file, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", fx_dir, file);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* clang-format off */
static const struct {
	const char *file, *sql;
	int code;
	const char *text;
} foreign_rows[] = {
	{"ledger.db",    "PRAGMA user_version=99; PRAGMA application_id=1920230476", ENOTSUP,
	 "ledger.db has version 99"},
	{"ledger.db",    "PRAGMA application_id=7",                   EUCLEAN, "belongs to another program"},
	{"functions.db", "CREATE TABLE t (a); PRAGMA user_version=1", EUCLEAN, "belongs to another program"},
};
/* clang-format on */

START_TEST(files_of_others_and_of_the_future_are_refused)
{
	struct err e = ERR_INIT;

	exec_sql(foreign_rows[_i].file, foreign_rows[_i].sql);
	ck_assert_int_eq(store_open(fx_dir, &fx_loop, &fx_store, &e), -foreign_rows[_i].code);
	ck_assert_msg(strstr(e.text, foreign_rows[_i].text) != NULL, "%s", e.text);
}
END_TEST

START_TEST(an_empty_database_is_migrated)
{
	char path[128];
	struct stat st;

	exec_sql("functions.db", "PRAGMA user_version=0");
	fx_open();
	fx_put("a", "{}");
	ck_assert_str_eq(fx_load(), "a={};");
	snprintf(path, sizeof(path), "%s/ledger.db-wal", fx_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	store_close(fx_store);
	ck_assert_int_eq(stat(path, &st), -1); /* nothing to replay after a clean end */
}
END_TEST

static void damage(const char *file, off_t from, size_t n)
{
	char junk[4096];
	char path[128];
	int fd;

	memset(junk, 0x5a, sizeof(junk));
	snprintf(path, sizeof(path), "%s/%s", fx_dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	while (n > 0) {
		size_t part = n < sizeof(junk) ? n : sizeof(junk);

		ck_assert_int_eq(pwrite(fd, junk, part, from), (ssize_t)part);
		from += (off_t)part;
		n -= part;
	}
	close(fd);
}

START_TEST(a_damaged_file_is_named)
{
	struct record rec = fx_record("a", 0);
	struct err e = ERR_INIT;

	fx_open();
	for (unsigned i = 0; i < 2000; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(fx_store, &rec, &e), &e);
	}
	store_close(fx_store);
	uv_run(&fx_loop, UV_RUN_DEFAULT);
	damage("ledger.db", _i ? 3 * 4096 : 0, _i ? 40960 : 100);
	ck_assert_int_eq(store_open(fx_dir, &fx_loop, &fx_store, &e), -EUCLEAN);
	ck_assert_msg(strstr(e.text, "ledger.db") != NULL, "%s", e.text);
	ck_assert_msg(strstr(e.text, fx_dir) != NULL, "%s", e.text);
}
END_TEST

START_TEST(a_missing_directory_is_an_error)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(store_open("/nonexistent/dir", &fx_loop, &fx_store, &e), -ENOENT);
}
END_TEST

START_TEST(the_write_ahead_log_stays_bounded)
{
	struct record rec = fx_record("a", 0);
	struct err e = ERR_INIT;
	char path[128];
	struct stat st;

	fx_open();
	for (unsigned i = 0; i < 200000; i++) {
		rec.received_wall_us = i * 7919 % 200000; /* spread: many pages per commit */
		while (store_is_full(fx_store))
			ck_ok(store_drain(fx_store, &e), &e);
		ck_ok(store_record(fx_store, &rec, &e), &e);
	}
	ck_ok(store_drain(fx_store, &e), &e);
	snprintf(path, sizeof(path), "%s/ledger.db-wal", fx_dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_lt(st.st_size, 80 << 20);
	store_close(fx_store);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("store_files");
	TCase *t = tcase_create("store_files");

	tcase_add_checked_fixture(t, fx_set_up, fx_tear_down);
	tcase_add_test(t, a_full_disk_bounds_the_queue_and_loses_nothing_it_took);
	tcase_add_loop_test(t, nothing_acknowledged_is_lost_by_kill_9, 0, 3);
	tcase_add_loop_test(t, files_of_others_and_of_the_future_are_refused, 0,
			    ARRAY_SIZE(foreign_rows));
	tcase_add_test(t, an_empty_database_is_migrated);
	tcase_add_loop_test(t, a_damaged_file_is_named, 0, 2);
	tcase_add_test(t, a_missing_directory_is_an_error);
	tcase_add_test(t, the_write_ahead_log_stays_bounded);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

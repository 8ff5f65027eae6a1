/* The store: durability, visibility, bounds, migrations, damage. Real SQLite in a fresh directory. */
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

#include "base/clk.h"
#include "base/file.h"
#include "base/mem.h"
#include "runtimed/store.h"

static char dir[64];
static uv_loop_t loop;
static struct store *store;

static void set_up(void)
{
	harness_mkdir(dir);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void tear_down(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	harness_rmdir(dir);
}

static void open_store(void)
{
	struct err e = ERR_INIT;

	ck_ok(store_open(dir, &loop, &store, &e), &e);
}

static void reopen_store(void)
{
	store_close(store);
	uv_run(&loop, UV_RUN_DEFAULT);
	open_store();
}

static struct record make_record(const char *function, unsigned i)
{
	struct record rec = {
		.outcome = (enum outcome)(i % OUTCOME_COUNT),
		.version = "$LATEST",
		.is_cold = i % 5 == 0,
		.way = i % 3,
		.received_wall_us = 1000000 + i,
		.queue_us = i,
		.sandbox_us = i * 2,
		.runtime_us = i * 3,
		.import_us = i * 5,
		.handler_us = i * 7919,
		.total_us = i * 8000,
		.billed_ms = i * 8,
		.memory_mb = 128 + i % 3 * 64,
		.memory_peak_bytes = 1000 * (i % 1000),
		.cpu_us = i * 11,
		.bytes_in = i * 13,
		.bytes_out = i * 17,
		.log_bytes = i * 19,
		.log_dropped_bytes = i % 2,
	};

	snprintf(rec.function, sizeof(rec.function), "%s", function);
	snprintf(rec.request_id, sizeof(rec.request_id), "01900000-0000-7000-8000-%012x", i);
	return rec;
}

struct answer {
	int n;
	int code;
	struct usage usage;
	char text[ERR_TEXT_MAX];
};

static void on_done(void *arg, const struct err *e)
{
	struct answer *a = arg;

	a->n++;
	a->code = e->code;
	memcpy(a->text, e->text, sizeof(a->text));
}

static void on_usage(void *arg, const struct usage *usage, const struct err *e)
{
	struct answer *a = arg;

	on_done(a, e);
	ck_assert((usage != NULL) == (e->code == 0));
	if (usage)
		a->usage = *usage;
}

static void await(struct answer *a, int n)
{
	while (a->n < n)
		uv_run(&loop, UV_RUN_ONCE);
}

static struct usage ask_usage(const char *function, uint64_t since_us)
{
	struct answer a = {.n = 0};

	ck_assert_int_eq(store_usage(store, function, since_us, on_usage, &a), 0);
	ck_assert_int_eq(a.n, 0);
	await(&a, 1);
	ck_assert_msg(a.code == 0, "%s", a.text);
	return a.usage;
}

static void put(const char *name, const char *json)
{
	struct answer a = {.n = 0};

	ck_assert_int_eq(store_put_function(store, name, json, on_done, &a), 0);
	ck_assert_int_eq(a.n, 0);
	await(&a, 1);
	ck_assert_msg(a.code == 0, "%s", a.text);
}

static int collect(void *arg, const char *name, const char *json, size_t n)
{
	char *out = arg;

	ck_assert_uint_eq(strlen(json), n);
	sprintf(out + strlen(out), "%s=%s;", name, json);
	return 0;
}

static const char *load(void)
{
	static char out[4096];
	struct err e = ERR_INIT;

	out[0] = '\0';
	ck_ok(store_load_functions(store, collect, out, &e), &e);
	return out;
}

START_TEST(functions_come_back_after_a_restart)
{
	struct answer a = {.n = 0};

	open_store();
	ck_assert_str_eq(load(), "");
	put("b", "{\"v\":1}");
	put("a", "{}");
	put("b", "{\"v\":2}");
	put("gone", "{}");
	ck_assert_int_eq(store_delete_function(store, "gone", on_done, &a), 0);
	ck_assert_int_eq(store_delete_function(store, "never was", on_done, &a), 0);
	await(&a, 2);
	ck_assert_int_eq(a.code, 0);
	reopen_store();
	ck_assert_str_eq(load(), "a={};b={\"v\":2};");
	store_close(store);
}
END_TEST

static int refuse(void *arg, const char *name, const char *json, size_t n)
{
	(void)name, (void)json, (void)n;
	++*(int *)arg;
	return -EINVAL;
}

START_TEST(loading_stops_where_the_caller_refuses)
{
	struct err e = ERR_INIT;
	int n = 0;

	open_store();
	put("a", "{}");
	put("b", "{}");
	ck_assert_int_eq(store_load_functions(store, refuse, &n, &e), -EINVAL);
	ck_assert_int_eq(n, 1);
	store_close(store);
}
END_TEST

START_TEST(usage_equals_the_sum_of_all_records_queued_before)
{
	struct usage want = {.n_cold = 0}, late = {.n_cold = 0}, got;
	struct err e = ERR_INIT;

	open_store();
	for (unsigned i = 0; i < 3000; i++) {
		struct record rec = make_record(i % 3 ? "a" : "b", i);

		ck_ok(store_record(store, &rec, &e), &e);
		if (i % 3)
			usage_add(&want, &rec);
		if (i % 3 && rec.received_wall_us >= 1002000)
			usage_add(&late, &rec);
	}
	got = ask_usage("a", 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	got = ask_usage("a", 1002000);
	ck_assert_mem_eq(&got, &late, sizeof(got));
	got = ask_usage("none", 0);
	ck_assert_uint_eq(usage_invocations(&got), 0);
	reopen_store();
	got = ask_usage("a", 0);
	ck_assert_mem_eq(&got, &want, sizeof(got));
	store_close(store);
}
END_TEST

START_TEST(a_record_counts_once_and_big_numbers_saturate)
{
	struct record rec = make_record("a", 1);
	struct err e = ERR_INIT;
	struct usage got;

	open_store();
	rec.cpu_us = UINT64_MAX;
	ck_ok(store_record(store, &rec, &e), &e);
	ck_ok(store_record(store, &rec, &e), &e);
	got = ask_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), 1);
	ck_assert_uint_eq(got.cpu_us, INT64_MAX);
	store_close(store);
}
END_TEST

START_TEST(rows_are_committed_in_groups)
{
	struct record rec = make_record("a", 0);
	struct store_stats stats;
	struct err e = ERR_INIT;

	open_store();
	for (unsigned i = 0; i < 1280; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(store, &rec, &e), &e);
	}
	ck_ok(store_drain(store, &e), &e);
	store_get_stats(store, &stats);
	ck_assert_uint_eq(stats.written, 1280);
	ck_assert_uint_eq(stats.queued, 0);
	ck_assert_uint_ge(stats.commits, 10);
	ck_assert_uint_lt(stats.commits, 1280);
	store_close(store);
}
END_TEST

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
	struct record rec = make_record("a", 0);
	struct err e = ERR_INIT;
	unsigned n = 0;

	*ret_wrong = 0;
	while (store_record(store, &rec, &e) == 0) {
		struct store_stats stats;

		rec.received_wall_us = ++n;
		store_get_stats(store, &stats);
		if (stats.failures > 0 &&
		    store_is_full(store) != (stats.queued >= STORE_RECORDS_FULL))
			++*ret_wrong;
	}
	return n;
}

START_TEST(a_full_disk_bounds_the_queue_and_loses_nothing_it_took)
{
	static char big[128 << 10];
	struct answer a = {.n = 0};
	struct store_stats stats;
	struct err e = ERR_INIT;
	struct usage got;
	unsigned n;
	int wrong;

	memset(big, 'x', sizeof(big) - 1);
	open_store();
	ck_assert(!store_is_full(store));
	set_disk_full(true);
	n = fill_queue(&wrong);
	ck_assert_int_eq(wrong, 0);
	ck_assert_uint_ge(n, STORE_RECORDS_MAX);
	ck_assert(store_is_full(store));
	ck_assert_int_lt(store_drain(store, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "ledger.db"));
	ck_assert_int_eq(store_usage(store, "a", 0, on_usage, &a), 0);
	await(&a, 1);
	ck_assert_int_ne(a.code, 0);
	ck_assert_int_eq(store_put_function(store, "f", big, on_done, &a), 0);
	await(&a, 2);
	ck_assert_int_ne(a.code, 0);

	set_disk_full(false);
	ck_ok(store_drain(store, &e), &e);
	store_get_stats(store, &stats);
	ck_assert_uint_eq(stats.written, n);
	ck_assert_uint_eq(stats.refused, 1);
	ck_assert_uint_gt(stats.failures, 0);
	got = ask_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), n);
	put("f", big);
	store_close(store);
}
END_TEST

START_TEST(close_writes_the_queue_and_answers_everybody)
{
	struct answer puts = {.n = 0}, sums = {.n = 0};
	struct record rec = make_record("a", 0);
	struct err e = ERR_INIT;
	struct usage got;

	open_store();
	for (unsigned i = 0; i < 500; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(store, &rec, &e), &e);
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(store_put_function(store, "f", "{}", on_done, &puts), 0);
		ck_assert_int_eq(store_usage(store, "a", 0, on_usage, &sums), 0);
	}
	store_close(store);
	ck_assert_int_eq(puts.n, 5);
	ck_assert_int_eq(puts.code, 0);
	ck_assert_int_eq(sums.n, 5);
	ck_assert(sums.code == 0 || sums.code == ECANCELED);
	uv_run(&loop, UV_RUN_DEFAULT);
	open_store();
	got = ask_usage("a", 0);
	ck_assert_uint_eq(usage_invocations(&got), 500);
	ck_assert_str_eq(load(), "f={};");
	store_close(store);
	store_close(NULL);
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

	open_store();
	for (uint32_t i = 0;; i++) {
		snprintf(name, sizeof(name), "f%" PRIu32, i);
		put(name, "{}");
		for (unsigned k = 0; k < 20; k++) {
			struct record rec = make_record("a", i * 20 + k);

			if (store_record(store, &rec, &e) < 0)
				abort();
		}
		if (i % 8 == 0 && store_drain(store, &e) < 0)
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

	open_store(); /* checks integrity */
	ck_ok(store_load_functions(store, count, &n, &e), &e);
	ck_assert_uint_ge(n, last + 1);
	got = ask_usage("a", 0);
	ck_assert_uint_ge(usage_invocations(&got), (last / 8 * 8 + 1) * 20);
	store_close(store);
}
END_TEST

static void exec_sql(const char *file, const char *sql)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static const struct {
	const char *file, *sql;
	int code;
	const char *text;
} foreign_rows[] = {
	{"ledger.db",    "PRAGMA user_version=99; PRAGMA application_id=1920230476", ENOTSUP,
	 "ledger.db has version 99"										       },
	{"ledger.db",    "PRAGMA application_id=7",					 EUCLEAN, "belongs to another program"},
	{"functions.db", "CREATE TABLE t (a); PRAGMA user_version=1",		      EUCLEAN,
	 "belongs to another program"										     },
};

START_TEST(files_of_others_and_of_the_future_are_refused)
{
	struct err e = ERR_INIT;

	exec_sql(foreign_rows[_i].file, foreign_rows[_i].sql);
	ck_assert_int_eq(store_open(dir, &loop, &store, &e), -foreign_rows[_i].code);
	ck_assert_msg(strstr(e.text, foreign_rows[_i].text) != NULL, "%s", e.text);
}
END_TEST

START_TEST(an_empty_database_is_migrated)
{
	char path[128];
	struct stat st;

	exec_sql("functions.db", "PRAGMA user_version=0");
	open_store();
	put("a", "{}");
	ck_assert_str_eq(load(), "a={};");
	snprintf(path, sizeof(path), "%s/ledger.db-wal", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	store_close(store);
	ck_assert_int_eq(stat(path, &st), -1); /* nothing to replay after a clean end */
}
END_TEST

static void damage(const char *file, off_t from, size_t n)
{
	char junk[4096];
	char path[128];
	int fd;

	memset(junk, 0x5a, sizeof(junk));
	snprintf(path, sizeof(path), "%s/%s", dir, file);
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
	struct record rec = make_record("a", 0);
	struct err e = ERR_INIT;

	open_store();
	for (unsigned i = 0; i < 2000; i++) {
		rec.received_wall_us = i;
		ck_ok(store_record(store, &rec, &e), &e);
	}
	store_close(store);
	uv_run(&loop, UV_RUN_DEFAULT);
	damage("ledger.db", _i ? 3 * 4096 : 0, _i ? 40960 : 100);
	ck_assert_int_eq(store_open(dir, &loop, &store, &e), -EUCLEAN);
	ck_assert_msg(strstr(e.text, "ledger.db") != NULL, "%s", e.text);
	ck_assert_msg(strstr(e.text, dir) != NULL, "%s", e.text);
}
END_TEST

START_TEST(a_missing_directory_is_an_error)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(store_open("/nonexistent/dir", &loop, &store, &e), -ENOENT);
}
END_TEST

START_TEST(the_write_ahead_log_stays_bounded)
{
	struct record rec = make_record("a", 0);
	struct err e = ERR_INIT;
	char path[128];
	struct stat st;

	open_store();
	for (unsigned i = 0; i < 200000; i++) {
		rec.received_wall_us = i * 7919 % 200000; /* spread: many pages per commit */
		while (store_is_full(store))
			ck_ok(store_drain(store, &e), &e);
		ck_ok(store_record(store, &rec, &e), &e);
	}
	ck_ok(store_drain(store, &e), &e);
	snprintf(path, sizeof(path), "%s/ledger.db-wal", dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_lt(st.st_size, 80 << 20);
	store_close(store);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("store");
	TCase *t = tcase_create("store");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, functions_come_back_after_a_restart);
	tcase_add_test(t, loading_stops_where_the_caller_refuses);
	tcase_add_test(t, usage_equals_the_sum_of_all_records_queued_before);
	tcase_add_test(t, a_record_counts_once_and_big_numbers_saturate);
	tcase_add_test(t, rows_are_committed_in_groups);
	tcase_add_test(t, a_full_disk_bounds_the_queue_and_loses_nothing_it_took);
	tcase_add_test(t, close_writes_the_queue_and_answers_everybody);
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

/* One function's log files when the disk refuses. */
#include "tests/lib/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "base/file.h"
#include "runtimed/logs_file.h"

#define FILE_BYTES (64 << 10)
#define PAGE_BYTES (1 << 20)

/* Files may grow to 4 KiB: less than half the bound, so no rotation helps. */
static void set_disk_full(bool is_full)
{
	struct rlimit lim;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &lim);
	lim.rlim_cur = is_full ? 4096 : lim.rlim_max;
	setrlimit(RLIMIT_FSIZE, &lim);
}

START_TEST(lines_a_full_disk_refuses_are_told_later)
{
	char dir[64], text[1000];
	struct err e = ERR_INIT;
	int root = -1;
	struct logfile *f;
	struct buf out;
	uint64_t last;
	bool is_gap;

	harness_mkdir(dir);
	ck_ok(file_open_dir(AT_FDCWD, dir, &root, &e), &e);
	memset(text, 'x', sizeof(text));
	ck_ok(logfile_new(root, "f", FILE_BYTES, &f, &e), &e);
	set_disk_full(
		true); /* Check's own files are limited too: no assertion until it is undone */
	for (int i = 0; i < 6; i++) {
		logfile_append(f, 1, "id", text, sizeof(text));
		logfile_flush(f);
	}
	set_disk_full(false);
	ck_assert_uint_eq(logfile_last(f), 3);
	logfile_append(f, 1, "id", "again", 5);
	logfile_flush(f);
	buf_init(&out, PAGE_BYTES);
	ck_ok(logfile_read(f, 3, PAGE_BYTES, &out, &last, &is_gap, &e), &e);
	ck_assert(is_gap);
	ck_assert_ptr_nonnull(strstr(out.data, "\"again\""));
	ck_assert_ptr_nonnull(strstr(out.data, "\"3 log lines dropped\""));
	ck_assert_uint_eq(f->n_lost, 3);
	buf_fini(&out);
	logfile_free(f);
	fd_close(&root);
	harness_rmdir(dir);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("logs_file");
	TCase *t = tcase_create("logs_file");

	tcase_add_test(t, lines_a_full_disk_refuses_are_told_later);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

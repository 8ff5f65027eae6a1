/* runtimed: the code store, and the unpack worker as a jailed process. */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"
#include "runtimed/codestore.h"
#include "runtimed/unpack.h"
#include "sandbox/mount.h"
#include "tests/lib/zip.h"

#define WORKER_UID 61234
#define HANDLER    "def handler(event, context): return event\n"

static const uint8_t sha_a[LAUNCH_SHA256_LEN] = {0xaa, 1}, sha_b[LAUNCH_SHA256_LEN] = {0xbb, 2};
static char dir[64];
static int state;
static struct codestore *store;

static void reopen(uint64_t bytes_max)
{
	struct err e = ERR_INIT;

	codestore_close(store);
	ck_ok(codestore_open(state, bytes_max, &store, &e), &e);
}

/* In a mount namespace of its own; the store must be opened in there. */
static void setup(void)
{
	struct err e = ERR_INIT;

	harness_mkdir(dir);
	if (geteuid() == 0) {
		ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
		ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	}
	ck_ok(file_open_dir(AT_FDCWD, dir, &state, &e), &e);
	store = NULL;
	if (geteuid() == 0)
		reopen(0);
}

static void teardown(void)
{
	codestore_close(store);
	fd_close(&state);
	harness_rmdir(dir);
}

/* What a worker leaves: app.py and n files in a directory. */
static struct codestore_info fill(uint64_t job, unsigned n)
{
	struct codestore_info info = {.n_entries = n + 2, .unpacked_bytes = strlen(HANDLER)};
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;
	char name[32];

	ck_ok(codestore_begin(store, job, WORKER_UID, &fd, &e), &e);
	ck_ok(file_replace(fd, "app.py", HANDLER, strlen(HANDLER), 0644, &e), &e);
	ck_ok(file_make_dirs(fd, "many", 0755, &e), &e);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "many/%u", i);
		ck_ok(file_replace(fd, name, "", 0, 0644, &e), &e);
	}
	return info;
}

static void install(uint64_t job, const uint8_t *sha256, unsigned n)
{
	struct codestore_info info = fill(job, n);
	struct err e = ERR_INIT;

	ck_ok(codestore_commit(store, job, sha256, &info, &e), &e);
}

static unsigned count_dirs(void)
{
	char path[80];
	struct dirent *d;
	unsigned n = 0;
	DIR *list;

	snprintf(path, sizeof(path), "%s/code", dir);
	list = opendir(path);
	ck_assert_ptr_nonnull(list);
	while ((d = readdir(list)))
		n += !str_is(d->d_name, ".") && !str_is(d->d_name, "..");
	closedir(list);
	return n;
}

START_TEST(committed_package_is_mounted_read_only)
{
	_cleanup_fd_ int mnt = -1, at = -1, fd = -1;
	struct err e = ERR_INIT;
	struct statvfs fs;
	char text[100], path[80];
	struct stat st;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	ck_assert_int_eq(codestore_mount(store, sha_a, &mnt, &e), -ENOENT);
	install(1, sha_a, 0);
	ck_ok(codestore_find_module(store, sha_a, "app", &e), &e);
	ck_assert_int_eq(codestore_find_module(store, sha_a, "other", &e), -ENOENT);
	ck_assert_int_eq(codestore_find_module(store, sha_b, "app", &e), -ENOENT);
	ck_ok(codestore_mount(store, sha_a, &mnt, &e), &e);
	snprintf(path, sizeof(path), "%s/task", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_ok(file_open_dir(AT_FDCWD, path, &at, &e), &e);
	ck_ok(mnt_attach(mnt, at, path, &e), &e);
	fd_close(&at);
	ck_ok(file_open_dir(AT_FDCWD, path, &at, &e), &e);
	ck_ok(file_read(at, "app.py", text, sizeof(text), &e), &e);
	ck_assert_int_eq(fstat(at, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_int_eq(fstatvfs(at, &fs), 0);
	ck_assert_uint_eq(fs.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV),
			  ST_RDONLY | ST_NOSUID | ST_NODEV);
	fd = openat(at, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
}
END_TEST

START_TEST(second_of_two_equal_jobs_finds_it_installed)
{
	struct codestore_info one, two, info;
	struct err e = ERR_INIT;
	struct codestore_usage usage;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	one = fill(1, 3);
	two = fill(2, 3);
	ck_ok(codestore_commit(store, 2, sha_a, &two, &e), &e);
	ck_ok(codestore_commit(store, 1, sha_a, &one, &e), &e);
	ck_assert(codestore_has(store, sha_a, &info));
	ck_assert_uint_eq(info.n_entries, 5);
	ck_assert_int_eq(codestore_tidy(store, 100, &e), 0);
	ck_assert_uint_eq(count_dirs(), 1);
	codestore_get_usage(store, &usage);
	ck_assert_uint_eq(usage.n_codes, 1);
	ck_assert_uint_eq(usage.counted_bytes, strlen(HANDLER) + 5 * CODESTORE_ENTRY_BYTES);
}
END_TEST

START_TEST(forgotten_package_is_removed_a_few_files_at_a_time)
{
	struct err e = ERR_INIT;
	unsigned n = 0;
	int r;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	install(1, sha_a, 100);
	install(2, sha_b, 0);
	ck_ok(codestore_forget(store, sha_a, &e), &e);
	ck_ok(codestore_forget(store, sha_a, &e), &e);
	ck_assert(!codestore_has(store, sha_a, NULL));
	ck_assert(codestore_has(store, sha_b, NULL));
	while ((r = codestore_tidy(store, 10, &e)) == 1)
		n++;
	ck_ok(r, &e);
	ck_assert_uint_eq(n, 10); /* 103 inodes */
	ck_assert_uint_eq(count_dirs(), 1);
	install(3, sha_a, 0);
	ck_assert(codestore_has(store, sha_a, NULL));
}
END_TEST

START_TEST(start_sweeps_what_is_half_and_measures_the_rest)
{
	struct codestore_info info;
	struct err e = ERR_INIT;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	install(1, sha_a, 7);
	install(2, sha_b, 0);
	(void)fill(3, 5);
	ck_ok(codestore_forget(store, sha_b, &e), &e);
	ck_assert_uint_eq(count_dirs(), 3);
	reopen(0);
	ck_assert_uint_eq(count_dirs(), 1);
	ck_assert(codestore_has(store, sha_a, &info));
	ck_assert_uint_eq(info.n_entries, 9);
	ck_assert_uint_eq(info.unpacked_bytes, strlen(HANDLER));
	ck_assert(!codestore_has(store, sha_b, NULL));
}
END_TEST

START_TEST(full_store_refuses_and_leaves_nothing)
{
	struct codestore_info info;
	struct err e = ERR_INIT;
	int fd = -1;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	reopen(5 * CODESTORE_ENTRY_BYTES);
	install(1, sha_a, 0);
	info = fill(2, 10);
	ck_assert_int_eq(codestore_commit(store, 2, sha_b, &info, &e), -ENOSPC);
	ck_assert_msg(strstr(e.text, "code store is full") != NULL, "%s", e.text);
	ck_assert_int_eq(codestore_tidy(store, 100, &e), 0);
	ck_assert_uint_eq(count_dirs(), 1);
	reopen(1);
	ck_assert_int_eq(codestore_begin(store, 3, WORKER_UID, &fd, &e), -ENOSPC);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(aborted_job_leaves_nothing)
{
	struct err e = ERR_INIT;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	(void)fill(1, 3);
	ck_ok(codestore_abort(store, 1, &e), &e);
	ck_ok(codestore_abort(store, 1, &e), &e);
	ck_assert_int_eq(codestore_tidy(store, 100, &e), 0);
	ck_assert_uint_eq(count_dirs(), 0);
}
END_TEST

/* ---- the worker ---- */

static int package_of(const struct zip_entry *entries, size_t n)
{
	struct err e = ERR_INIT;
	struct zip z;
	int fd = memfd_create("package", MFD_CLOEXEC);

	zip_init(&z);
	for (size_t i = 0; i < n; i++)
		zip_add(&z, &entries[i]);
	zip_finish(&z);
	ck_ok(file_write_all(fd, z.out.data, z.out.len, &e), &e);
	zip_fini(&z);
	return fd;
}

static int job_of(const char *module)
{
	struct unpack_job *job = calloc(1, sizeof(*job));
	int fd = memfd_create("job", MFD_CLOEXEC);
	struct err e = ERR_INIT;
	struct pol *p = NULL;

	unpack_drop_init(&job->drop, WORKER_UID);
	ck_ok(pol_load("policy/profiles/unpack.policy", &p, &e), &e);
	ck_ok(pol_compile(p, &job->drop.filter, &e), &e);
	pol_free(p);
	job->drop.has_filter = true;
	ck_assert(str_copy(job->module, sizeof(job->module), module));
	ck_ok(file_write_all(fd, job, sizeof(*job), &e), &e);
	free(job);
	return fd;
}

/* Run unpack_main() in a child with the descriptors it expects; its exit status. */
static int run_worker(int package, int to, int result, int job)
{
	const int fds[] = {package, to, result, job};
	int status = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct sbx_drop drop; /* what the launcher applies before the exec */
		struct err e = ERR_INIT;
		int high[ARRAY_SIZE(fds)];

		unpack_drop_init(&drop, WORKER_UID);
		drop.has_landlock = false;

		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			if (dup3(high[i], UNPACK_FD_PACKAGE + (int)i, 0) < 0)
				_exit(99);
		_exit(sbx_drop(&drop, &e) < 0 ? 98 : unpack_main());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void unpack_in_worker(const struct zip_entry *entry, struct unpack_result *ret)
{
	_cleanup_fd_ int package = package_of(entry, 1), job = job_of("app");
	_cleanup_fd_ int to = -1, ours = -1, theirs = -1;
	struct err e = ERR_INIT;
	size_t len = 0, n_fds = 0;
	int status;

	ck_ok(codestore_begin(store, 1, WORKER_UID, &to, &e), &e);
	ck_ok(sock_pair(SOCK_SEQPACKET, &ours, &theirs, &e), &e);
	status = run_worker(package, to, theirs, job);
	fd_close(&theirs);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "worker ended with 0x%x",
		      (unsigned)status);
	ck_ok(sock_recv(ours, ret, sizeof(*ret), &len, NULL, 0, &n_fds, &e), &e);
	ck_assert_uint_eq(len, sizeof(*ret));
}

START_TEST(jailed_worker_unpacks_for_the_store)
{
	static const struct zip_entry app = {.name = "app.py", .text = HANDLER};
	struct unpack_result result;
	struct codestore_info info;
	struct err e = ERR_INIT;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	unpack_in_worker(&app, &result);
	ck_ok(-result.err.code, &result.err);
	info = (struct codestore_info){result.n_entries, result.unpacked_bytes};
	ck_ok(codestore_commit(store, 1, sha_a, &info, &e), &e);
	reopen(0);
	ck_assert(codestore_has(store, sha_a, &info));
	ck_assert_uint_eq(info.n_entries, result.n_entries);
	ck_assert_uint_eq(info.unpacked_bytes, result.unpacked_bytes);
}
END_TEST

/* clang-format off */
static const struct {
	struct zip_entry entry;
	const char *text;
} refusals[] = {
	{{.name = "../app.py", .text = HANDLER}, "entry '../app.py': would leave the package ('..')"},
	{{.name = "a.py", .text = HANDLER}, "no file app.py in the package"},
	{{.name = "\xc3\xa9\xff", .flags = ZIP_FLAG_UTF8}, "entry number 1: is damaged"},
	{{.name = "app.py", .zeros_bytes = 2 << 20}, "more than 100 times"},
};
/* clang-format on */

START_TEST(jailed_worker_answers_a_refusal)
{
	struct unpack_result result;
	struct err e = ERR_INIT;

	if (geteuid() != 0)
		TEST_SKIP("needs root");
	unpack_in_worker(&refusals[_i].entry, &result);
	ck_assert_msg(strstr(result.err.text, refusals[_i].text) != NULL, "%s", result.err.text);
	ck_ok(codestore_abort(store, 1, &e), &e);
}
END_TEST

START_TEST(death_of_a_worker_is_explained)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(unpack_died(1, 0, &e), -EIO);
	ck_assert_int_eq(unpack_died(0, SIGXCPU, &e), -E2BIG);
	ck_assert_int_eq(unpack_died(0, SIGSYS, &e), -EBADMSG);
	ck_assert_int_eq(unpack_died(0, SIGSEGV, &e), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(e.text, "signal 11"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("codestore");
	TCase *t = tcase_create("store"), *w = tcase_create("worker");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, committed_package_is_mounted_read_only);
	tcase_add_test(t, second_of_two_equal_jobs_finds_it_installed);
	tcase_add_test(t, forgotten_package_is_removed_a_few_files_at_a_time);
	tcase_add_test(t, start_sweeps_what_is_half_and_measures_the_rest);
	tcase_add_test(t, full_store_refuses_and_leaves_nothing);
	tcase_add_test(t, aborted_job_leaves_nothing);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(w, setup, teardown);
	tcase_add_test(w, jailed_worker_unpacks_for_the_store);
	tcase_add_loop_test(w, jailed_worker_answers_a_refusal, 0, ARRAY_SIZE(refusals));
	tcase_add_test(w, death_of_a_worker_is_explained);
	suite_add_tcase(s, w);
	return s;
}

HARNESS_MAIN(suite)

/* runtimed: packages in the core, with a launcher made up by the test. */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/core.h"
#include "runtimed/package.h"

/* sha256 of "abc" */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char dir[64];
static struct core core;
static uint8_t sha_abc[LAUNCH_SHA256_LEN];

/* What the made-up launcher saw, and what it answers. */
static struct seen {
	unsigned n_unpacks, n_forgets, n_done;
	uint64_t job;
	char module[LAUNCH_MODULE_MAX + 1];
	char content[16];
	bool is_used, is_link_broken;
	struct package package;
	struct err err;
} seen;

static int on_unpack(struct core *c, uint64_t job, const uint8_t *sha256, const char *module,
		     int fd, struct err *e)
{
	(void)c;
	if (seen.is_link_broken)
		return err_set(e, EPIPE, "the launcher is gone");
	seen.n_unpacks++;
	seen.job = job;
	ck_assert_mem_eq(sha256, sha_abc, LAUNCH_SHA256_LEN);
	ck_assert(str_copy(seen.module, sizeof(seen.module), module));
	ck_assert_int_eq(file_pread(fd, seen.content, sizeof(seen.content)), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	return 0;
}

static int on_forget(struct core *c, const uint8_t *sha256, struct err *e)
{
	(void)c;
	ck_assert_mem_eq(sha256, sha_abc, LAUNCH_SHA256_LEN);
	if (seen.is_link_broken)
		return err_set(e, EPIPE, "the launcher is gone");
	seen.n_forgets++;
	return 0;
}

static bool is_used(struct core *c, const uint8_t *sha256)
{
	(void)c;
	(void)sha256;
	return seen.is_used;
}

static const struct package_env env = {
	.unpack = on_unpack, .forget = on_forget, .is_used = is_used};

static void on_done(void *arg, const struct package *p, const struct err *e)
{
	ck_assert_ptr_eq(arg, &core);
	ck_assert((p != NULL) == (e->code == 0));
	seen.n_done++;
	seen.err = *e;
	if (p)
		seen.package = *p;
}

static void setup(void)
{
	struct err e = ERR_INIT;

	harness_mkdir(dir);
	seen = (struct seen){.n_done = 0};
	memset(&core, 0, sizeof(core));
	ck_assert(str_unhex(ABC, sha_abc, sizeof(sha_abc)));
	ck_assert_int_eq(uv_loop_init(&core.loop), 0);
	ck_ok(file_open_dir(AT_FDCWD, dir, &core.state_dir, &e), &e);
	ck_ok(package_open(&core, &env, &e), &e);
}

static void teardown(void)
{
	package_close(&core);
	uv_run(&core.loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&core.loop), 0);
	fd_close(&core.state_dir);
	harness_rmdir(dir);
}

static unsigned count(const char *name)
{
	char path[96];
	struct dirent *d;
	unsigned n = 0;
	DIR *list;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	list = opendir(path);
	ck_assert_ptr_nonnull(list);
	while ((d = readdir(list)))
		n += d->d_name[0] != '.';
	closedir(list);
	return n;
}

static void submit(void)
{
	struct err e = ERR_INIT;
	unsigned n_done = seen.n_done;

	ck_ok(package_submit(&core, strdup("abc"), 3, "pkg/app.run", on_done, &core, &e), &e);
	ck_assert_uint_eq(seen.n_done, n_done);
	uv_run(&core.loop, UV_RUN_DEFAULT);
}

static bool answer(int code, const char *text)
{
	struct launch_unpacked m = {.type = LAUNCH_UNPACKED,
				    .n_entries = 2,
				    .job = seen.job,
				    .unpacked_bytes = 30,
				    .err = {.code = code}};

	ck_assert(str_copy(m.err.text, sizeof(m.err.text), text));
	return package_unpacked(&core, &m);
}

START_TEST(package_is_sent_and_its_code_held_until_released)
{
	submit();
	ck_assert_uint_eq(seen.n_unpacks, 1);
	ck_assert_str_eq(seen.module, "pkg/app");
	ck_assert_str_eq(seen.content, "abc");
	ck_assert_uint_eq(count("incoming"), 0);
	ck_assert_uint_eq(seen.n_done, 0);
	ck_assert(answer(0, ""));
	ck_assert(!answer(0, "")); /* the job is over */
	ck_assert_uint_eq(seen.n_done, 1);
	ck_assert_mem_eq(seen.package.sha256, sha_abc, sizeof(sha_abc));
	ck_assert_uint_eq(seen.package.packed_bytes, 3);
	ck_assert_uint_eq(seen.package.unpacked_bytes, 30);
	ck_assert_uint_eq(seen.package.n_entries, 2);
	package_gc(&core, sha_abc);
	ck_assert_uint_eq(seen.n_forgets, 0);
	seen.is_used = true;
	package_release(&core, sha_abc);
	package_gc_all(&core);
	ck_assert_uint_eq(seen.n_forgets, 0);
	ck_assert_uint_eq(count("codes"), 1);
	seen.is_used = false;
	package_gc(&core, sha_abc);
	package_gc(&core, sha_abc);
	ck_assert_uint_eq(seen.n_forgets, 1);
	ck_assert_uint_eq(count("codes"), 0);
}
END_TEST

START_TEST(refused_package_is_reported_with_its_handler_and_forgotten)
{
	submit();
	ck_assert(answer(ENOENT, "no file pkg/app.py in the package"));
	ck_assert_uint_eq(seen.n_done, 1);
	ck_assert_str_eq(seen.err.text, "handler 'pkg/app.run': no file pkg/app.py in the package");
	ck_assert_uint_eq(seen.n_forgets, 1);
	submit();
	ck_assert(answer(EINVAL, "entry '../x': would leave the package ('..')"));
	ck_assert_str_eq(seen.err.text, "entry '../x': would leave the package ('..')");
	ck_assert_uint_eq(count("codes"), 0);
}
END_TEST

START_TEST(broken_link_fails_the_job_and_keeps_the_mark)
{
	seen.is_link_broken = true;
	submit();
	ck_assert_uint_eq(seen.n_done, 1);
	ck_assert_int_eq(seen.err.code, EPIPE);
	ck_assert_uint_eq(count("codes"), 1);
}
END_TEST

START_TEST(code_of_an_earlier_run_is_forgotten_unless_used)
{
	struct err e = ERR_INIT;

	package_close(&core);
	ck_ok(file_replace(core.state_dir, "codes/" ABC, "", 0, 0600, &e), &e);
	ck_ok(file_replace(core.state_dir, "incoming/7", "x", 1, 0600, &e), &e);
	ck_ok(package_open(&core, &env, &e), &e);
	ck_assert_uint_eq(count("incoming"), 0);
	seen.is_used = true;
	package_gc_all(&core);
	ck_assert_uint_eq(seen.n_forgets, 0);
	seen.is_used = false;
	package_gc_all(&core);
	ck_assert_uint_eq(seen.n_forgets, 1);
	ck_assert_uint_eq(count("codes"), 0);
}
END_TEST

START_TEST(close_cancels_jobs_wherever_they_are)
{
	struct err e = ERR_INIT;

	submit(); /* waits for the launcher */
	ck_ok(package_submit(&core, strdup("abc"), 3, "app.run", on_done, &core, &e), &e);
	package_close(&core); /* the second is on a thread */
	ck_assert_uint_eq(seen.n_done, 2);
	ck_assert_int_eq(seen.err.code, ECANCELED);
	uv_run(&core.loop, UV_RUN_DEFAULT);
	ck_assert_uint_eq(seen.n_unpacks, 1);
	package_release(&core, sha_abc);
	ck_assert_uint_eq(seen.n_done, 2);
}
END_TEST

START_TEST(submit_refuses_at_once_and_leaves_the_zip)
{
	char *zip = strdup("abc");
	struct err e = ERR_INIT;

	ck_assert_int_eq(
		package_submit(&core, zip, PACKAGE_BYTES_MAX + 1, "a.f", on_done, &core, &e),
		-E2BIG);
	ck_assert_int_eq(package_submit(&core, zip, 3, "nodot", on_done, &core, &e), -EINVAL);
	ck_assert_int_eq(package_submit(&core, zip, 3, "../a.f", on_done, &core, &e), -EINVAL);
	for (unsigned i = 0; i < PACKAGE_JOBS_MAX; i++)
		ck_ok(package_submit(&core, strdup("abc"), 3, "a.f", on_done, &core, &e), &e);
	ck_assert_int_eq(package_submit(&core, zip, 3, "a.f", on_done, &core, &e), -EAGAIN);
	ck_assert_str_eq(zip, "abc");
	free(zip);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("package");
	TCase *t = tcase_create("core");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, package_is_sent_and_its_code_held_until_released);
	tcase_add_test(t, refused_package_is_reported_with_its_handler_and_forgotten);
	tcase_add_test(t, broken_link_fails_the_job_and_keeps_the_mark);
	tcase_add_test(t, code_of_an_earlier_run_is_forgotten_unless_used);
	tcase_add_test(t, close_cancels_jobs_wherever_they_are);
	tcase_add_test(t, submit_refuses_at_once_and_leaves_the_zip);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

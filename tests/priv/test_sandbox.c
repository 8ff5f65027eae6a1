/* The engine's isolation, seen from inside by the probe, for the plan that functions get. */
#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"
#include "tests/lib/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/landlock.h"

static struct sbt box;

static void start(void)
{
	sbt_start(&box, -1);
}

static void stop(void)
{
	sbt_stop(&box);
}

/* The words after "key:" of a /proc status file. */
static const char *field(const char *text, const char *key)
{
	static char value[256];
	const char *at = strstr(text, key);

	ck_assert_msg(at != NULL, "%s in %s", key, text);
	at += strlen(key) + strspn(at + strlen(key), ": \t");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\n"), at);
	return value;
}

/* ---- what is seen ---- */

START_TEST(only_the_processes_of_the_sandbox_are_seen)
{
	const char *names = sbt_probe(&box, "ls", "/proc");

	/* subset=pid: processes and the links to oneself, nothing of the kernel. hidepid: not pid 1,
	 * whose command line is the host's. */
	ck_assert_str_eq(names, "2 self thread-self ");
}
END_TEST

START_TEST(ids_are_a_range_of_the_instance)
{
	unsigned inside, outside, count;

	ck_assert_int_eq(sscanf(sbt_probe(&box, "cat", "/proc/self/uid_map"), "%u %u %u", &inside,
				&outside, &count),
			 3);
	ck_assert_uint_eq(inside, 0);
	ck_assert_uint_eq(outside, SBT_UID_BASE);
	ck_assert_uint_eq(count, SBX_FUNCTION_IDS);
	ck_assert_str_eq(field(sbt_probe(&box, "cat", "/proc/self/status"), "\nUid"),
			 "1000\t1000\t1000\t1000");
	ck_assert_str_eq(field(box.output, "\nGid"), "1000\t1000\t1000\t1000");
	ck_assert_str_eq(field(box.output, "\nGroups"), "");
}
END_TEST

/* All mounts there are: where, of which kind, and what their options must begin with. */
/* clang-format off */
static const struct {
	const char *at, *type, *options;
} mounts[] = {
	{"/",        "overlay", "rw,nosuid,nodev,"       },
	{"/proc",    "proc",    "rw,nosuid,nodev,noexec,"},
	{"/dev",     "tmpfs",   "ro,nosuid,noexec,"      },
	{"/dev/shm", "tmpfs",   "rw,nosuid,nodev,noexec,"},
	{"/tmp",     "tmpfs",   "rw,nosuid,nodev,"       },
};
/* clang-format on */

START_TEST(mounts_are_those_of_the_plan_and_tell_nothing_of_the_host)
{
	struct sbx_function f = sbt_function();
	char *save = NULL, *line;
	size_t n = 0;

	sbt_probe(&box, "cat", "/proc/self/mounts");
	ck_assert_ptr_null(strstr(box.output, f.image_root));
	ck_assert_ptr_null(strstr(box.output, f.stage));
	ck_assert_ptr_null(strstr(box.output, "/runtimed-test"));
	for (line = strtok_r(box.output, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char at[64], type[32], options[256];

		ck_assert_int_eq(sscanf(line, "%*s %63s %31s %255s", at, type, options), 3);
		ck_assert_msg(n < ARRAY_SIZE(mounts), "one too many: %s", line);
		ck_assert_str_eq(at, mounts[n].at);
		ck_assert_str_eq(type, mounts[n].type);
		ck_assert_msg(str_has_prefix(options, mounts[n].options), "%s", line);
		n++;
	}
	ck_assert_uint_eq(n, ARRAY_SIZE(mounts));
}
END_TEST

START_TEST(descriptors_are_those_given)
{
	/* 3 is the directory that is being read. */
	ck_assert_str_eq(sbt_probe(&box, "ls", "/proc/self/fd"), "0 1 2 3 ");
}
END_TEST

START_TEST(dev_is_minimal)
{
	ck_assert_str_eq(sbt_probe(&box, "ls", "/dev"),
			 "fd full null random shm stderr stdin stdout urandom zero ");
	ck_assert_str_eq(sbt_probe(&box, "write", "/dev/null"), "written");
}
END_TEST

/* A network namespace made with the sandbox, and one made before and joined. */
START_TEST(network_is_loopback_alone_and_up)
{
	_cleanup_fd_ int ns = -1;
	struct err e = ERR_INIT;

	if (_i == 1)
		ck_ok(sbx_net_create(&ns, &e), &e);
	sbt_start(&box, ns);
	ck_assert_str_eq(sbt_probe(&box, "net", NULL), "lo up ");
	sbt_stop(&box);
}
END_TEST

/* ---- what can be done ---- */

/* clang-format off */
static const struct {
	const char *path, *says;
} writes[] = {
	{"/x",                        "write: EACCES\n"},
	{"/probe",                    "write: EACCES\n"},
	{"/dev/x",                    "write: EROFS\n" },
	{"/proc/sys/kernel/hostname", "write: ENOENT\n"},
	{"/proc/1/oom_score_adj",     "write: ENOENT\n"},
	{"/proc/self/oom_score_adj",  "write: EACCES\n"},
	{"/tmp/x",                    "written"        },
	{"/dev/shm/x",                "written"        },
};
/* clang-format on */

START_TEST(writing_is_for_tmp_and_shm_alone)
{
	ck_assert_str_eq(sbt_probe(&box, "write", writes[_i].path), writes[_i].says);
}
END_TEST

START_TEST(tmp_is_limited_in_size)
{
	long long bytes = 0;
	char why[16] = "";

	sbt_probe(&box, "fill", "/tmp/x");
	ck_assert_int_eq(sscanf(box.output, "%lld %15s", &bytes, why), 2);
	ck_assert_str_eq(why, "ENOSPC");
	ck_assert_int_le(bytes, SBT_SCRATCH_BYTES);
	ck_assert_int_ge(bytes, SBT_SCRATCH_BYTES / 2);
	/* The same space. */
	ck_assert_str_eq(sbt_probe(&box, "fill", "/dev/shm/x"), "0 ENOSPC");
}
END_TEST

START_TEST(nothing_is_left_of_privilege)
{
	static const char *const sets[] = {"\nCapInh", "\nCapPrm", "\nCapEff", "\nCapBnd",
					   "\nCapAmb"};

	if (_i == 0) {
		sbt_probe(&box, "cat", "/proc/self/status");
	} else { /* pid 1, which the probe cannot see */
		char path[32];

		(void)snprintf(path, sizeof(path), "/proc/%d/status", box.init.pid);
		ck_assert_int_eq(file_read(AT_FDCWD, path, box.output, sizeof(box.output),
					   &(struct err)ERR_INIT),
				 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		ck_assert_str_eq(field(box.output, sets[i]), "0000000000000000");
	ck_assert_str_eq(field(box.output, "\nNoNewPrivs"), "1");
	ck_assert_str_eq(field(box.output, "\nSeccomp"), "2");
}
END_TEST

START_TEST(landlock_refuses_writes_outside_of_its_paths)
{
	if (landlock_abi() == 0)
		TEST_SKIP("this kernel has no landlock");
	/* The directory's mode would allow it, and does without landlock. */
	box.drop.n_writable = 1;
	strcpy(box.drop.writable[0], "/dev");
	ck_assert_str_eq(sbt_probe(&box, "write", "/tmp/x"), "write: EACCES\n");
	ck_assert_str_eq(sbt_probe(&box, "write", "/dev/shm/x"), "written");
	box.drop.has_landlock = false;
	ck_assert_str_eq(sbt_probe(&box, "write", "/tmp/x"), "written");
}
END_TEST

START_TEST(pid_1_reaps_orphans)
{
	ck_assert_str_eq(sbt_probe(&box, "orphan", NULL), "reaped");
}
END_TEST

/* ---- the end ---- */

static void wait_for_text(int fd, const char *text)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char got[16] = "";

	ck_assert_int_eq(poll(&p, 1, (int)(CGT_PATIENCE_US / CLK_US_PER_MS)), 1);
	ck_assert_int_gt(read(fd, got, sizeof(got) - 1), 0);
	ck_assert_str_eq(got, text);
}

/* pid 1 ends only when all of its namespace have been reaped, and the probe is ours to reap. */
START_TEST(killing_the_group_takes_everything)
{
	struct err e = ERR_INIT;
	struct sbx_proc probe;
	struct cgt_child c;
	int out[2], status;

	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	sbt_start(&box, -1);
	probe = sbt_enter(&box, "stay", NULL, out[1]);
	close(out[1]);
	wait_for_text(out[0], "ready");
	ck_ok(cg_kill(&cgt_group, &e), &e);
	c = (struct cgt_child){.pid = probe.pid, .pidfd = probe.pidfd};
	status = cgt_reap(&c);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	sbt_stop(&box);
	close(out[0]);
}
END_TEST

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static uint32_t checksum(const char *path)
{
	uint32_t sum = 0;
	FILE *f = fopen(path, "re");
	int c;

	ck_assert_ptr_nonnull(f);
	while ((c = getc(f)) != EOF)
		sum = sum * 31 + (uint32_t)c;
	fclose(f);
	return sum;
}

/* That the group can be removed is the fixture's to check. */
START_TEST(nothing_is_left_after_the_end)
{
	uint32_t mounts_before = checksum("/proc/self/mountinfo");
	int before = open_descriptors();

	sbt_start(&box, -1);
	ck_assert_str_eq(sbt_probe(&box, "write", "/tmp/x"), "written");
	sbt_stop(&box);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_uint_eq(checksum("/proc/self/mountinfo"), mounts_before);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

/* ---- failures ---- */

static const struct {
	size_t member; /* of struct sbx_function; its path will be missing */
	const char *says;
} missing[] = {
	{offsetof(struct sbx_function, image_root), "mount root: bind '/nonexistent': ENOENT"     },
	{offsetof(struct sbx_function, stage),      "mount root: attach at '/nonexistent': ENOENT"},
	{offsetof(struct sbx_function, dev_root),   "mount: '/dev': bind '/nonexistent': ENOENT"  },
};

START_TEST(failing_step_names_itself_and_leaves_nothing)
{
	struct sbx_place place = {.group = &cgt_group, .net_ns = -1};
	struct sbx_proc p = {.pid = -1, .pidfd = -1};
	struct sbx_function f = sbt_function();
	struct sbx_plan *plan = NULL;
	int before = open_descriptors();
	struct err e = ERR_INIT;

	*(const char **)((char *)&f + missing[_i].member) = "/nonexistent";
	ck_ok(sbx_plan_for_function(&f, &plan, &e), &e);
	ck_assert_int_eq(sbx_start(plan, &place, &p, &e), -ENOENT);
	ck_assert_msg(str_has_prefix(e.text, missing[_i].says), "%s", e.text);
	ck_assert_int_eq(p.pid, -1);
	ck_assert_int_eq(open_descriptors(), before);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	sbx_plan_free(plan);
}
END_TEST

START_TEST(entering_names_the_program_that_is_missing)
{
	static const char *const argv[] = {"/nonexistent", NULL}, *const env[] = {NULL};
	struct sbx_place place = {.group = &cgt_group, .net_ns = -1};
	struct sbx_proc p = {.pid = -1, .pidfd = -1};
	struct err e = ERR_INIT;

	ck_assert_int_eq(sbx_enter(box.init.pidfd, &place, argv, env, &p, &e), -ENOENT);
	ck_assert_msg(strstr(e.text, "execute '/nonexistent': ENOENT") != NULL, "%s", e.text);
}
END_TEST

START_TEST(host_root_is_never_mapped)
{
	struct sbx_function f = sbt_function();
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;

	f.uid_base = 0;
	ck_assert_int_eq(sbx_plan_for_function(&f, &plan, &e), -EINVAL);
	ck_assert_ptr_null(plan);
}
END_TEST

static TCase *tcase(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_unchecked_fixture(t, sbt_open, sbt_close);
	tcase_add_unchecked_fixture(t, cgt_open_root, cgt_close_root);
	tcase_add_checked_fixture(t, cgt_open_group, cgt_close_group);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("sandbox");
	TCase *standing = tcase("standing"), *life = tcase("life");

	tcase_add_checked_fixture(standing, start, stop);
	tcase_add_test(standing, only_the_processes_of_the_sandbox_are_seen);
	tcase_add_test(standing, ids_are_a_range_of_the_instance);
	tcase_add_test(standing, mounts_are_those_of_the_plan_and_tell_nothing_of_the_host);
	tcase_add_test(standing, descriptors_are_those_given);
	tcase_add_test(standing, dev_is_minimal);
	tcase_add_loop_test(standing, writing_is_for_tmp_and_shm_alone, 0, ARRAY_SIZE(writes));
	tcase_add_test(standing, tmp_is_limited_in_size);
	tcase_add_loop_test(standing, nothing_is_left_of_privilege, 0, 2);
	tcase_add_test(standing, landlock_refuses_writes_outside_of_its_paths);
	tcase_add_test(standing, pid_1_reaps_orphans);
	tcase_add_test(standing, entering_names_the_program_that_is_missing);
	suite_add_tcase(s, standing);
	tcase_add_loop_test(life, network_is_loopback_alone_and_up, 0, 2);
	tcase_add_test(life, killing_the_group_takes_everything);
	tcase_add_test(life, nothing_is_left_after_the_end);
	tcase_add_loop_test(life, failing_step_names_itself_and_leaves_nothing, 0,
			    ARRAY_SIZE(missing));
	tcase_add_test(life, host_root_is_never_mapped);
	suite_add_tcase(s, life);
	return s;
}

HARNESS_MAIN(suite)

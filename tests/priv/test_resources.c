/* linux.resources on the real kernel: what is written is read back, and has the effect that it promises. */
#include "tests/lib/cgroup.h"
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/plan.h"
#include "sandbox/resources.h"

static char top[64];
static struct cg all = CG_INIT; /* a group in every hierarchy that this host has */
static struct cg_paths *paths;
static struct arena *arena;

static void open_host(void)
{
	struct err e = ERR_INIT;

	snprintf(top, sizeof(top), "/test-resources-%d", (int)getpid());
	ck_ok(cg_probe(&cgt_host, &e), &e);
	paths = calloc(1, sizeof(*paths));
}

static void close_host(void)
{
	struct err e = ERR_INIT;

	ck_ok(cg_root_sweep(cgt_host, top + 1, &e), &e);
	cg_host_free(cgt_host);
	free(paths);
}

static void open_all(void)
{
	struct err e = ERR_INIT;
	char path[80];
	uint32_t depth = 0;

	snprintf(path, sizeof(path), "%s/t", top);
	arena = arena_new(1 << 20);
	ck_ok(cg_shared_create(cgt_host, path, cg_host_has(cgt_host), &all, &depth, &e), &e);
	ck_ok(cg_paths_get(&all, depth, paths, &e), &e);
}

static void close_all(void)
{
	struct err e = ERR_INIT;

	cg_close(&all);
	ck_ok(cg_paths_remove(cgt_host, paths, &e), &e);
	arena_free(arena);
}

static int apply(const char *json, struct err *e)
{
	struct cg_resources r = {0};
	int code = sbx_resources_parse(json, strlen(json), arena, &r, e);

	return code < 0 ? code : cg_resources_apply(&all, &r, e);
}

static bool is_v2(enum cg_hierarchy h)
{
	return all.dir[h] == all.dir[CG_CORE];
}

/* ---- written and read back ---- */

/* clang-format off */
static const struct {
	enum cg_hierarchy at;
	const char *json, *v1_file, *v1_text, *v2_file, *v2_text;
} knobs[] = {
	{CG_MEMORY, "{\"memory\": {\"limit\": 16777216}}", "memory.limit_in_bytes", "16777216", "memory.max", "16777216"},
	{CG_MEMORY, "{\"memory\": {\"limit\": 16777216}}", "memory.kmem.tcp.limit_in_bytes", "16777216", NULL, NULL},
	{CG_MEMORY, "{\"memory\": {\"limit\": 16777216, \"swap\": 20971520}}", "memory.memsw.limit_in_bytes", "20971520", "memory.swap.max", "4194304"},
	{CG_MEMORY, "{\"memory\": {\"reservation\": 8388608}}", "memory.soft_limit_in_bytes", "8388608", "memory.low", "8388608"},
	{CG_MEMORY, "{\"memory\": {\"swappiness\": 7}}", "memory.swappiness", "7", NULL, NULL},
	{CG_CPU, "{\"cpu\": {\"shares\": 2000}}", "cpu.shares", "2000", "cpu.weight", "170"},
	{CG_CPU, "{\"cpu\": {\"quota\": 5000, \"period\": 20000}}", "cpu.cfs_quota_us", "5000", "cpu.max", "5000 20000"},
	{CG_CPU, "{\"cpu\": {\"period\": 20000}}", "cpu.cfs_period_us", "20000", "cpu.max", "max 20000"},
	{CG_CPU, "{\"cpu\": {\"quota\": 5000, \"burst\": 1000}}", "cpu.cfs_burst_us", "1000", "cpu.max.burst", "1000"},
	{CG_CPU, "{\"cpu\": {\"idle\": 1, \"shares\": 500}}", "cpu.idle", "1", "cpu.idle", "1"},
	{CG_CPUSET, "{\"cpu\": {\"cpus\": \"0\", \"mems\": \"0\"}}", "cpuset.cpus", "0", "cpuset.cpus", "0"},
	{CG_PIDS, "{\"pids\": {\"limit\": 7}}", "pids.max", "7", "pids.max", "7"},
	{CG_PIDS, "{\"pids\": {\"limit\": 0}}", "pids.max", "1", "pids.max", "1"},
	{CG_PIDS, "{\"pids\": {\"limit\": -1}}", "pids.max", "max", "pids.max", "max"},
	{CG_HUGETLB, "{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]}", "hugetlb.2MB.limit_in_bytes", "4194304", "hugetlb.2MB.max", "4194304"},
	{CG_HUGETLB, "{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]}", "hugetlb.2MB.rsvd.limit_in_bytes", "4194304", "hugetlb.2MB.rsvd.max", "4194304"},
	{CG_HUGETLB, "{\"unified\": {\"hugetlb.2MB.max\": \"2097152\"}}", NULL, NULL, "hugetlb.2MB.max", "2097152"},
	{CG_MEMORY, "{\"memory\": {\"limit\": 16777216}, \"unified\": {\"memory.max\": \"8388608\"}}", NULL, NULL, "memory.max", "8388608"},
	{CG_NET_CLS, "{\"network\": {\"classID\": 1048577}}", "net_cls.classid", "1048577", NULL, NULL},
};
/* clang-format on */

START_TEST(number_is_read_back)
{
	const char *file, *wanted;
	struct err e = ERR_INIT;
	char text[256];

	if (all.dir[knobs[_i].at] < 0)
		TEST_SKIP("no %s on this host", cg_hierarchy_name(knobs[_i].at));
	file = is_v2(knobs[_i].at) ? knobs[_i].v2_file : knobs[_i].v1_file;
	wanted = is_v2(knobs[_i].at) ? knobs[_i].v2_text : knobs[_i].v1_text;
	if (!file)
		TEST_SKIP("%s is of the other version", knobs[_i].json);
	if (faccessat(all.dir[knobs[_i].at], file, F_OK, 0) < 0)
		TEST_SKIP("this kernel has no %s", file);
	ck_ok(apply(knobs[_i].json, &e), &e);
	ck_ok(file_read(all.dir[knobs[_i].at], file, text, sizeof(text), &e), &e);
	ck_assert_str_eq(text, wanted);
}
END_TEST

/* A loop device: every Linux of ours has one. */
START_TEST(throttle_is_read_back)
{
	const char *file = is_v2(CG_BLKIO) ? "io.max" : "blkio.throttle.write_bps_device",
		   *wanted = is_v2(CG_BLKIO) ? "rbps=max wbps=1048576 riops=max wiops=77"
					     : " 1048576";
	struct err e = ERR_INIT;
	char json[512], text[256], device[32];
	struct stat st;

	if (all.dir[CG_BLKIO] < 0)
		TEST_SKIP("no blkio on this host");
	if (stat("/sys/block/loop0", &st) < 0)
		TEST_SKIP("no block device to limit");
	ck_ok(file_read(AT_FDCWD, "/sys/block/loop0/dev", device, sizeof(device), &e), &e);
	*strchr(device, ':') = '\0';
	snprintf(json, sizeof(json),
		 "{\"blockIO\": {\"throttleWriteBpsDevice\": [{\"major\": %s, \"minor\": 0, "
		 "\"rate\": "
		 "1048576}], \"throttleWriteIOPSDevice\": [{\"major\": %s, \"minor\": 0, \"rate\": "
		 "77}]}}",
		 device, device);
	ck_ok(apply(json, &e), &e);
	ck_ok(file_read(all.dir[CG_BLKIO], file, text, sizeof(text), &e), &e);
	ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
}
END_TEST

/* ---- changes ---- */

/* clang-format off */
static const char *const both_ways[][4] = {
	{"{\"memory\": {\"limit\": 16777216, \"swap\": 20971520}}",
	 "{\"memory\": {\"limit\": 67108864, \"swap\": 83886080}}",
	 "{\"memory\": {\"limit\": 8388608, \"swap\": 8388608}}",
	 "{\"memory\": {\"limit\": -1, \"swap\": -1}}"},
	{"{\"cpu\": {\"quota\": 50000, \"period\": 100000, \"burst\": 40000}}",
	 "{\"cpu\": {\"quota\": 2000, \"period\": 10000, \"burst\": 1000}}",
	 "{\"cpu\": {\"quota\": 500000, \"period\": 1000000, \"burst\": 500000}}",
	 "{\"cpu\": {\"period\": 500000, \"burst\": 0}}"},
	/* Of an idle group the kernel takes no shares, so these are never asked for together. */
	{"{\"cpu\": {\"idle\": 1}}",
	 "{\"cpu\": {\"shares\": 1024, \"idle\": 0}}",
	 "{\"cpu\": {\"idle\": 0, \"shares\": 100}}",
	 "{\"cpu\": {\"idle\": 0}}"},
};
/* clang-format on */

START_TEST(limits_that_bound_each_other_move_up_and_down)
{
	struct err e = ERR_INIT;

	for (int from = 0; from < 4; from++)
		for (int to = 0; to < 4; to++) {
			ck_ok(apply(both_ways[_i][from], &e), &e);
			ck_ok(apply(both_ways[_i][to], &e), &e);
		}
}
END_TEST

START_TEST(change_of_one_leaves_the_others)
{
	struct err e = ERR_INIT;
	char text[64];

	ck_ok(apply("{\"cpu\": {\"quota\": 5000, \"period\": 20000, \"shares\": 2000}}", &e), &e);
	ck_ok(apply("{\"cpu\": {\"period\": 40000}}", &e), &e);
	ck_ok(file_read(all.dir[CG_CPU], is_v2(CG_CPU) ? "cpu.max" : "cpu.cfs_quota_us", text,
			sizeof(text), &e),
	      &e);
	ck_assert_str_eq(text, is_v2(CG_CPU) ? "5000 40000" : "5000");
	ck_ok(file_read(all.dir[CG_CPU], is_v2(CG_CPU) ? "cpu.weight" : "cpu.shares", text,
			sizeof(text), &e),
	      &e);
	ck_assert_str_eq(text, is_v2(CG_CPU) ? "170" : "2000");
}
END_TEST

/* The error names the member, and file and errno where the kernel is asked. */
/* clang-format off */
static const struct {
	const char *json, *v1, *v2;
} impossible[] = {
	{"{\"cpu\": {\"cpus\": \"4000\"}}",             "linux.resources.cpu.cpus: write '4000' to 'cpuset.cpus': E",
	 NULL},
	{"{\"memory\": {\"limit\": 5, \"kernel\": 4}}", NULL,
	 "linux.resources.memory.kernel: cgroup v2 has nothing like it"},
	{"{\"unified\": {\"memory.max\": \"max\"}}",
	 "linux.resources.unified[\"memory.max\"]: unified resource \"memory.max\" can't be set: " "controller \"memory\" not available",
	 NULL},
	{"{\"unified\": {\"memory.none\": \"1\"}}",     "linux.resources.unified[\"memory.none\"]: unified resource",
	 "linux.resources.unified[\"memory.none\"]: unified resource"},
	{"{\"rdma\": {\"mlx\": {\"hcaHandles\": 1}}}",
	 "linux.resources.rdma[\"mlx\"]: no group in the hierarchy 'rdma'",
	 NULL},
	{"{\"blockIO\": {\"leafWeight\": 10}}",
	 "linux.resources.blockIO.leafWeight: open 'blkio.leaf_weight': ENOENT",
	 "linux.resources.blockIO.leafWeight: cgroup v2 has nothing like it"},
};
/* clang-format on */

START_TEST(what_cannot_be_done_is_told)
{
	const char *wanted = is_v2(CG_MEMORY) ? impossible[_i].v2 : impossible[_i].v1;
	struct err e = ERR_INIT;

	if (!wanted)
		TEST_SKIP("of the other version");
	ck_assert_int_lt(apply(impossible[_i].json, &e), 0);
	ck_assert_msg(str_has_prefix(e.text, wanted), "%s", e.text);
}
END_TEST

static int hold_memory(void *arg)
{
	uint64_t bytes = 4 * CGT_MIB;

	return mlockall(MCL_FUTURE) < 0 || cgt_touch(&bytes) ? 1 : cgt_count(arg);
}

/* More than 4 MiB are in use: that much is held, and locked, so that no swap helps. */
static void refuse_below_use(const char *json)
{
	static const char says[] =
		"linux.resources.memory.limit: 1048576 bytes are asked for, but ";
	uint64_t *counter = cgt_shared_page();
	struct cgt_child c = cgt_spawn(&all, hold_memory, counter);
	struct err e = ERR_INIT;
	char *end;

	cgt_wait_for_change(counter);
	ck_assert_int_eq(apply(json, &e), -EBUSY);
	ck_assert_msg(str_has_prefix(e.text, says), "%s", e.text);
	ck_assert_uint_ge(strtoull(e.text + strlen(says), &end, 10), 4 * CGT_MIB);
	ck_assert_msg(str_has_prefix(end, " are in use"), "%s", e.text);
	ck_ok(cg_kill(&all, &e), &e);
	(void)cgt_reap(&c);
}

START_TEST(limit_below_use_is_rejected_when_asked_to)
{
	refuse_below_use("{\"memory\": {\"limit\": 1048576, \"checkBeforeUpdate\": true}}");
}
END_TEST

START_TEST(limit_below_use_is_always_rejected_by_v1)
{
	if (is_v2(CG_MEMORY))
		TEST_SKIP("v2 would kill");
	refuse_below_use("{\"memory\": {\"limit\": 1048576}}");
}
END_TEST

/* ---- effects ---- */

static int fork_until_refused(void *arg)
{
	int n = 0;

	(void)arg;
	for (; n < 20; n++) {
		pid_t pid = fork();

		if (pid == 0)
			cgt_pause(NULL);
		if (pid < 0)
			return errno == EAGAIN ? n : 99;
	}
	return n;
}

START_TEST(no_more_processes_than_allowed)
{
	struct err e = ERR_INIT;
	struct cgt_child c;
	int status;

	ck_ok(apply("{\"pids\": {\"limit\": 4}}", &e), &e);
	c = cgt_spawn(&all, fork_until_refused, NULL);
	status = cgt_reap(&c);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_ok(cg_kill(&all, &e), &e);
}
END_TEST

START_TEST(oom_is_counted_and_wakes_the_watcher)
{
	uint64_t bytes = 64 * CGT_MIB, kills = 0;
	_cleanup_fd_ int watch = -1;
	struct err e = ERR_INIT;
	struct cgt_child c;
	struct pollfd p;
	int status;

	ck_ok(apply("{\"memory\": {\"limit\": 16777216, \"swap\": 16777216}}", &e), &e);
	ck_ok(cg_oom_watch_open(&all, &watch, &e), &e);
	ck_ok(cg_oom_kills(&all, &kills, &e), &e);
	ck_assert_uint_eq(kills, 0);
	c = cgt_spawn(&all, cgt_touch, &bytes);
	status = cgt_reap(&c);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	p = (struct pollfd){.fd = watch, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, (int)(CGT_PATIENCE_US / CLK_US_PER_MS)), 1);
	cg_oom_watch_drain(watch);
	ck_ok(cg_oom_kills(&all, &kills, &e), &e);
	ck_assert_uint_eq(kills, 1);
}
END_TEST

START_TEST(statistics_are_one_object)
{
	static const char *const numbers[][3] = {
		{"cpu",    "usage", "total"},
		{"memory", "usage", "limit"},
		{"memory", "usage", "usage"},
		{"pids",   "limit", NULL   },
	};
	_cleanup_buf_ struct buf out;
	struct err e = ERR_INIT;
	json_error_t why;
	json_t *json;

	buf_init(&out, 1 << 20);
	ck_ok(apply("{\"memory\": {\"limit\": 16777216}, \"pids\": {\"limit\": 9}}", &e), &e);
	ck_ok(cg_stats_json(&all, &out, &e), &e);
	json = json_loads(out.data, 0, &why);
	ck_assert_msg(json != NULL, "%s", why.text);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const json_t *at = json;

		for (int k = 0; k < 3 && numbers[i][k]; k++)
			at = json_object_get(at, numbers[i][k]);
		ck_assert_msg(json_is_integer(at), "%s.%s", numbers[i][0], numbers[i][1]);
	}
	ck_assert_int_eq(
		json_integer_value(json_object_get(json_object_get(json, "pids"), "limit")), 9);
	ck_assert_uint_gt(json_object_size(json_object_get(json_object_get(json, "memory"), "raw")),
			  5);
	json_decref(json);
}
END_TEST

/* ---- devices ---- */

#define C(major, minor, access, allowed)                                                           \
	{                                                                                          \
		allowed, 'c', major, minor, access                                                 \
	}
#define EVERYTHING(allowed)                                                                        \
	{                                                                                          \
		allowed, 'a', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_ALL                                   \
	}
#define ANY CG_DEV_ANY
#define R   CG_DEV_READ
#define W   CG_DEV_WRITE
#define M   CG_DEV_MKNOD
#define RWM CG_DEV_ALL

/*
 * Rules, and whether 1:3 (null), 1:5 (zero), 1:11 (kmsg) may be opened to read and to write. Each set of rules is tried
 * as it is and as a BPF program.
 */
/* clang-format off */
static const struct {
	struct cg_device rules[8];
	size_t n;
	const char *opened; /* per device: r and w, or - */
} rule_sets[] = {
	{{C(0, 0, 0, 0)},                              0, "-- -- --"},
	{{EVERYTHING(true)},                           1, "rw rw rw"},
	{{EVERYTHING(false), C(1, 3, RWM, true)},      2, "rw -- --"},
	{{C(1, 3, R, true)},                           1, "r- -- --"},
	{{C(1, 3, R, true), C(1, 3, W, true)},         2, "rw -- --"},
	{{C(1, 3, RWM, true), C(1, 3, W, false)},      2, "r- -- --"},
	{{C(1, ANY, RWM, true)},                       1, "rw rw rw"},
	{{C(1, ANY, RWM, true), C(1, 11, RWM, false)}, 2, "rw rw --"},
	{{C(1, 11, RWM, false), C(1, ANY, RWM, true)}, 2, "rw rw rw"},
	{{C(1, 3, RWM, true), EVERYTHING(false), C(1, 5, R, true)}, 3, "-- r- --"},
	{{EVERYTHING(true), C(1, 11, RWM, false)},     2, "rw rw --"},
	{{EVERYTHING(true), C(1, ANY, W, false), C(1, 5, RWM, true)}, 3, "r- rw r-"},
	{{C(5, ANY, RWM, true), C(1, 5, M, true)},     2, "-- -- --"},
};
/* clang-format on */

static char nodes[64]; /* a directory with nodes */

static void make_nodes(void)
{
	static const int minors[] = {3, 5, 11};
	char path[96];

	harness_mkdir(nodes);
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		snprintf(path, sizeof(path), "%s/%d", nodes, minors[i]);
		ck_assert_int_eq(mknod(path, S_IFCHR | 0600, makedev(1, (unsigned int)minors[i])),
				 0);
	}
}

/* The child writes what it could open, in the form of the table. */
static int open_nodes(void *arg)
{
	static const int minors[] = {3, 5, 11};
	char *out = arg, path[96];

	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		snprintf(path, sizeof(path), "%s/%d", nodes, minors[i]);
		*out++ = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) >= 0 ? 'r' : '-';
		*out++ = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK) >= 0 ? 'w' : '-';
		*out++ = i + 1 < ARRAY_SIZE(minors) ? ' ' : '\0';
	}
	return 0;
}

START_TEST(rules_decide_what_can_be_opened)
{
	size_t set = (size_t)_i / 2;
	struct cg group = all;
	char *seen = cgt_shared_page();
	struct err e = ERR_INIT;
	struct cgt_child c;

	if (_i % 2)
		group.dir[CG_DEVICES] = -1;
	make_nodes();
	ck_ok(cg_devices_apply(&group, rule_sets[set].rules, rule_sets[set].n, &e), &e);
	c = cgt_spawn(&all, open_nodes, seen);
	ck_assert_int_eq(cgt_reap(&c), 0);
	harness_rmdir(nodes);
	ck_assert_str_eq(seen, rule_sets[set].opened);
}
END_TEST

START_TEST(new_rules_replace_the_old_program)
{
	static const struct cg_device first[] = {EVERYTHING(true)},
				      second[] = {EVERYTHING(false), C(1, 5, R, true)};
	struct cg group = all;
	char *seen = cgt_shared_page();
	struct err e = ERR_INIT;
	struct cgt_child c;

	group.dir[CG_DEVICES] = -1;
	make_nodes();
	ck_ok(cg_devices_apply(&group, second, 2, &e), &e);
	ck_ok(cg_devices_apply(&group, first, 1, &e), &e);
	c = cgt_spawn(&all, open_nodes, seen);
	ck_assert_int_eq(cgt_reap(&c), 0);
	ck_assert_str_eq(seen, "rw rw rw");
	ck_ok(cg_devices_apply(&group, second, 2, &e), &e);
	c = cgt_spawn(&all, open_nodes, seen);
	ck_assert_int_eq(cgt_reap(&c), 0);
	harness_rmdir(nodes);
	ck_assert_str_eq(seen, "-- r- --");
}
END_TEST

/* GHSA-g54h-m393-cpwq: a config without rules is not one that allows everything. */
/* clang-format off */
static const struct {
	const char *name;
	mode_t type;
	unsigned int major, minor;
	bool is_allowed;
} attacks[] = {
	{"null",    S_IFCHR, 1,   3,   true },
	{"urandom", S_IFCHR, 1,   9,   true },
	{"mem",     S_IFCHR, 1,   1,   false},
	{"kmsg",    S_IFCHR, 1,   11,  false},
	{"console", S_IFCHR, 5,   1,   false},
	{"fuse",    S_IFCHR, 10,  229, false},
	{"kvm",     S_IFCHR, 10,  232, false},
	{"tun",     S_IFCHR, 10,  200, false},
	{"sda",     S_IFBLK, 8,   0,   false},
	{"vda",     S_IFBLK, 254, 0,   false},
	{"loop",    S_IFBLK, 7,   0,   false},
};
/* clang-format on */

/* 0: opened; 1: refused by the controller (EPERM); 2: no node; 3: something else. */
static int mknod_and_open(void *arg)
{
	char path[96];
	int i = *(int *)arg;

	snprintf(path, sizeof(path), "%s/x", nodes);
	if (mknod(path, attacks[i].type | 0600, makedev(attacks[i].major, attacks[i].minor)) < 0)
		return 2;
	if (open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) >= 0)
		return 0;
	return errno == EPERM ? 1 : 3;
}

START_TEST(ghsa_g54h_m393_cpwq_no_rules_deny_devices)
{
	struct cg group = all;
	struct err e = ERR_INIT;
	struct cgt_child c;
	int which = _i / 2, status;

	if (_i % 2)
		group.dir[CG_DEVICES] = -1;
	harness_mkdir(nodes);
	ck_ok(cg_devices_apply(&group, cg_default_devices, cg_n_default_devices, &e), &e);
	c = cgt_spawn(&all, mknod_and_open, &which);
	status = cgt_reap(&c);
	harness_rmdir(nodes);
	ck_assert(WIFEXITED(status));
	ck_assert_msg(WEXITSTATUS(status) == (attacks[which].is_allowed ? 0 : 1), "%s: %d",
		      attacks[which].name, WEXITSTATUS(status));
}
END_TEST

/* ---- groups by their paths ---- */

START_TEST(kept_paths_find_the_group)
{
	_cleanup_cg_ struct cg again = CG_INIT;
	struct err e = ERR_INIT;
	struct stat a, b;

	ck_ok(cg_paths_open(paths, &again, &e), &e);
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		ck_assert_int_eq(again.dir[h] >= 0, all.dir[h] >= 0);
		if (all.dir[h] < 0)
			continue;
		ck_assert_int_eq(fstat(again.dir[h], &a) | fstat(all.dir[h], &b), 0);
		ck_assert(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	}
}
END_TEST

static const char *const bad_paths[] = {"", "relative", "/tmp", "/"};

START_TEST(kept_path_that_is_no_group_is_refused)
{
	static struct cg_paths bad;
	struct cg out = CG_INIT;
	struct err e = ERR_INIT;

	memset(&bad, 0, sizeof(bad));
	bad.depth = 1;
	strcpy(bad.dir[CG_CORE], bad_paths[_i]);
	ck_assert_int_eq(cg_paths_open(&bad, &out, &e), -EINVAL);
	ck_assert_int_eq(out.dir[CG_CORE], -1);
	ck_assert_int_lt(cg_paths_remove(NULL, &bad, &e), 0);
}
END_TEST

/* What a container with a writable cgroup tree leaves: groups in its group, processes in them. */
START_TEST(groups_of_the_container_are_found_killed_and_removed)
{
	_cleanup_cg_ struct cg inner = CG_INIT, inmost = CG_INIT;
	_cleanup_free_ pid_t *pids = NULL;
	struct cg core = CG_INIT;
	struct err e = ERR_INIT;
	struct cgt_child c;
	size_t n = 0;
	int status;

	core.dir[CG_CORE] = all.dir[CG_CORE];
	ck_ok(cg_create(&core, "inner", &inner, &e), &e);
	ck_ok(cg_create(&inner, "inmost", &inmost, &e), &e);
	c = cgt_spawn(&inmost, cgt_pause, NULL);
	ck_ok(cg_processes(&all, &pids, &n, &e), &e);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(pids[0], c.pid);
	ck_ok(cg_paths_remove(cgt_host, paths, &e), &e);
	status = cgt_reap(&c);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(access(paths->dir[CG_CORE], F_OK), -1);
	ck_ok(cg_paths_remove(cgt_host, paths, &e), &e);
}
END_TEST

START_TEST(frozen_group_says_so_and_can_be_removed)
{
	struct cgt_child c = cgt_spawn(&all, cgt_pause, NULL);
	struct err e = ERR_INIT;
	bool is_frozen = true;
	int status;

	ck_ok(cg_is_frozen(&all, &is_frozen, &e), &e);
	ck_assert(!is_frozen);
	ck_ok(cg_freeze(&all, true, &e), &e);
	ck_ok(cg_wait_frozen(&all, clk_now_us() + CGT_PATIENCE_US, &e), &e);
	ck_ok(cg_is_frozen(&all, &is_frozen, &e), &e);
	ck_assert(is_frozen);
	ck_ok(cg_paths_remove(cgt_host, paths, &e), &e);
	status = cgt_reap(&c);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("resources");
	TCase *t = tcase_create("kernel");

	tcase_add_unchecked_fixture(t, open_host, close_host);
	tcase_add_checked_fixture(t, open_all, close_all);
	tcase_add_loop_test(t, number_is_read_back, 0, ARRAY_SIZE(knobs));
	tcase_add_test(t, throttle_is_read_back);
	tcase_add_loop_test(t, limits_that_bound_each_other_move_up_and_down, 0,
			    ARRAY_SIZE(both_ways));
	tcase_add_test(t, change_of_one_leaves_the_others);
	tcase_add_loop_test(t, what_cannot_be_done_is_told, 0, ARRAY_SIZE(impossible));
	tcase_add_test(t, limit_below_use_is_rejected_when_asked_to);
	tcase_add_test(t, limit_below_use_is_always_rejected_by_v1);
	tcase_add_test(t, no_more_processes_than_allowed);
	tcase_add_test(t, oom_is_counted_and_wakes_the_watcher);
	tcase_add_test(t, statistics_are_one_object);
	tcase_add_loop_test(t, rules_decide_what_can_be_opened, 0, 2 * ARRAY_SIZE(rule_sets));
	tcase_add_test(t, new_rules_replace_the_old_program);
	tcase_add_loop_test(t, ghsa_g54h_m393_cpwq_no_rules_deny_devices, 0,
			    2 * ARRAY_SIZE(attacks));
	tcase_add_test(t, kept_paths_find_the_group);
	tcase_add_loop_test(t, kept_path_that_is_no_group_is_refused, 0, ARRAY_SIZE(bad_paths));
	tcase_add_test(t, groups_of_the_container_are_found_killed_and_removed);
	tcase_add_test(t, frozen_group_says_so_and_can_be_removed);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

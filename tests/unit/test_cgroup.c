/* cgroup parsers: recorded texts of hosts of every kind. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_parse.h"

#define UNIFIED_MOUNT                                                                              \
	"24 1 0:22 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"                                 \
	"29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

/* systemd in hybrid mode: cpu and cpuacct together. */
#define HYBRID_MOUNTS                                                                              \
	"28 23 0:25 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"               \
	"29 28 0:26 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"       \
	"30 28 0:27 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd\n" \
	"33 28 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct\n"    \
	"34 28 0:31 / /sys/fs/cgroup/cpuset rw shared:16 - cgroup cgroup rw,cpuset\n"              \
	"35 28 0:32 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory\n"              \
	"39 28 0:36 / /sys/fs/cgroup/pids rw shared:21 - cgroup cgroup rw,pids\n"

#define V1_MOUNTS                                                                                  \
	"33 28 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"                              \
	"35 28 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                        \
	"39 28 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"

#define OWN_HYBRID                                                                                 \
	"9:pids:/\n8:cpuset:/other\n5:memory:/agent/7\n3:cpu,cpuacct:/\n1:name=systemd:/x\n0::/\n"

static const struct {
	const char *what, *mounts, *own, *controllers;
	enum cg_mode mode;
	const char *path[CG_HIERARCHIES];
} good[] = {
	{
         .what = "unified service",
         .mounts = UNIFIED_MOUNT,
         .own = "0::/system.slice/runtimed.service\n",
         .controllers = "cpuset cpu io memory hugetlb pids",
         .mode = CG_UNIFIED,
         .path = {"/sys/fs/cgroup/system.slice/runtimed.service",
			 "/sys/fs/cgroup/system.slice/runtimed.service",
			 "/sys/fs/cgroup/system.slice/runtimed.service",
			 "/sys/fs/cgroup/system.slice/runtimed.service",
			 [CG_CPUSET] = "/sys/fs/cgroup/system.slice/runtimed.service",
			 [CG_BLKIO] = "/sys/fs/cgroup/system.slice/runtimed.service",
			 [CG_HUGETLB] = "/sys/fs/cgroup/system.slice/runtimed.service"},
	 },
	{
         .what = "hybrid, our own memory group is not the root",
         .mounts = HYBRID_MOUNTS,
         .own = OWN_HYBRID,
         .controllers = "hugetlb",
         .mode = CG_HYBRID,
         .path = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory/agent/7",
			 "/sys/fs/cgroup/cpu,cpuacct",
			 "/sys/fs/cgroup/pids", [CG_CPUACCT] = "/sys/fs/cgroup/cpu,cpuacct",
			 [CG_CPUSET] = "/sys/fs/cgroup/cpuset/other",
			 [CG_HUGETLB] = "/sys/fs/cgroup/unified"},
	 },
	{
         .what = "pids alone moved to v2",
         .mounts = UNIFIED_MOUNT V1_MOUNTS,
         .own = "5:memory:/m\n3:cpu:/c\n0::/u\n",
         .controllers = "pids",
         .mode = CG_HYBRID,
         .path = {"/sys/fs/cgroup/u", "/sys/fs/cgroup/memory/m", "/sys/fs/cgroup/cpu/c",
			 "/sys/fs/cgroup/u"},
	 },
	{
         .what = "a container's bind mount shows a part, the second mount all",
         .mounts = "29 23 0:26 /box/a /mnt rw - cgroup2 none rw\n"
			  "30 23 0:26 /box /mnt\\040two rw - cgroup2 none rw\n",				     .own = "0::/box/ab\n",
         .controllers = "memory cpu pids",
         .mode = CG_UNIFIED,
         .path = {"/mnt two/ab", "/mnt two/ab", "/mnt two/ab", "/mnt two/ab"},
	 },
};

START_TEST(own_group_is_found)
{
	static struct cg_layout layout;
	struct err e = ERR_INIT;
	char mounts[2048], own[512];

	ck_assert(str_copy(mounts, sizeof(mounts), good[_i].mounts));
	ck_assert(str_copy(own, sizeof(own), good[_i].own));
	ck_ok(cg_layout_parse(mounts, own, &layout, &e), &e);
	ck_ok(cg_layout_resolve(&layout, good[_i].controllers, &e), &e);
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++)
		ck_assert_msg(str_is(layout.path[h], good[_i].path[h] ? good[_i].path[h] : ""),
			      "%s: %s: %s", good[_i].what, cg_hierarchy_name(h), layout.path[h]);
	ck_assert_int_eq(cg_layout_mode(&layout), good[_i].mode);
}
END_TEST

/* clang-format off */
static const struct {
	const char *mounts, *own, *controllers;
	const char *says; /* part of the message */
} bad[] = {
	{V1_MOUNTS,                                     "5:memory:/\n3:cpu:/\n9:pids:/\n",       "",
	 "this kernel has no cgroup v2"},
	{V1_MOUNTS,                                     "5:memory:/\n3:cpu:/\n9:pids:/\n0::/\n", "",
	 "mount -t cgroup2"},
	{UNIFIED_MOUNT,                                 "0::/../other\n",                        "",
	 "no cgroup2 mount shows our own group"},
	{"29 23 0:26 /box /mnt rw - cgroup2 none rw\n", "0::/boxer\n",                           "",
	 "no cgroup2 mount shows"},
	{"",                                            "",                                      "",
	 "no cgroup2 mount"},
	{"garbage\n29 23 0:26 / - cgroup2\n - \n",      ":\n0\n",                                "",
	 "no cgroup2 mount"},
	{UNIFIED_MOUNT,                                 "0::/app\n",                             "io cpuset",
	 "no controller for memory cpu pids"},
	{UNIFIED_MOUNT,                                 "0::/app\n",                             "",
	 "memory cpu pids"},
	{UNIFIED_MOUNT,                                 "0::/app\n",                             "cpu memory",
	 "no controller for pids: neither"},
	{UNIFIED_MOUNT V1_MOUNTS,                       "5:memory:/\n9:pids:/\n0::/\n",          "hugetlb",
	 "controller for cpu:"},
};
/* clang-format on */

START_TEST(unusable_host_is_refused_naming_what_is_missing)
{
	static struct cg_layout layout;
	struct err e = ERR_INIT;
	char mounts[2048], own[512];
	int r;

	ck_assert(str_copy(mounts, sizeof(mounts), bad[_i].mounts));
	ck_assert(str_copy(own, sizeof(own), bad[_i].own));
	r = cg_layout_parse(mounts, own, &layout, &e);
	if (r == 0)
		r = cg_layout_resolve(&layout, bad[_i].controllers, &e);
	ck_assert_int_eq(r, -ENOTSUP);
	ck_assert_msg(strstr(e.text, bad[_i].says) != NULL, "'%s' is not in '%s'", bad[_i].says,
		      e.text);
}
END_TEST

/* Which directories are tops; v2 is in front. */
static const char *const *usual_tops;

static bool is_top(const char *dir, bool is_v2)
{
	for (const char *const *top = usual_tops; *top; top++)
		if (str_is(dir, *top))
			return is_v2 == (top == usual_tops);
	return false;
}

/* clang-format off */
static const struct {
	const char *own;
	const char *tops[5];
	const char *core, *memory, *cpu; /* core NULL: not the usual places */
} usual[] = {
	{"0::/a\n",                              {"/sys/fs/cgroup"},                      "/sys/fs/cgroup/a",       "",
	 ""},
	{"5:memory:/m\n3:cpu,cpuacct:/\n0::/\n",
	 {"/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu,cpuacct"},
	 "/sys/fs/cgroup/unified",
	 "/sys/fs/cgroup/memory/m",
	 "/sys/fs/cgroup/cpu,cpuacct"},
	{"5:memory:/m\n0::/\n",
	 {"/sys/fs/cgroup/unified"},
	 NULL,
	 NULL,
	 NULL},
	{"5:memory:/m\n0::/\n",
	 {"/elsewhere", "/sys/fs/cgroup/memory"},
	 NULL,
	 NULL,
	 NULL},
	{"0::/../a\n",
	 {"/sys/fs/cgroup"},
	 NULL,
	 NULL,
	 NULL},
	{"",
	 {"/sys/fs/cgroup"},
	 NULL,
	 NULL,
	 NULL},
};
/* clang-format on */

START_TEST(own_group_is_found_in_the_usual_places)
{
	static struct cg_layout layout;
	char own[512];

	usual_tops = usual[_i].tops;
	ck_assert(str_copy(own, sizeof(own), usual[_i].own));
	ck_assert_int_eq(cg_layout_usual(own, is_top, &layout), usual[_i].core != NULL);
	if (!usual[_i].core)
		return;
	ck_assert_str_eq(layout.path[CG_CORE], usual[_i].core);
	ck_assert_str_eq(layout.path[CG_MEMORY], usual[_i].memory);
	ck_assert_str_eq(layout.path[CG_CPU], usual[_i].cpu);
}
END_TEST

static const char cpu_stat[] = "usage_usec 2345678\nuser_usec 2000000\nsystem_usec 345678\n"
			       "nr_periods 21\nnr_throttled 20\nthrottled_usec 1900000\n";
static const char memory_events[] = "low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\noom_group_kill 0\n";
static const char oom_control[] = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";

/* clang-format off */
static const struct {
	const char *text, *key;
	bool found;
	uint64_t value;
} values[] = {
	{cpu_stat,                     "usage_usec",     true,  2345678   },
	{cpu_stat,                     "throttled_usec", true,  1900000   },
	{cpu_stat,                     "throttled_time", false, 0         },
	{cpu_stat,                     "usec",           false, 0         },
	{memory_events,                "oom",            true,  2         },
	{memory_events,                "oom_kill",       true,  1         },
	{oom_control,                  "oom_kill",       true,  3         }, /* not oom_kill_disable */
	{"populated 1\nfrozen 0",      "frozen",         true,  0         },
	{"big 18446744073709551615\n", "big",            true,  UINT64_MAX},
	{"bad x\nbad 7\n",             "bad",            false, 0         },
	{"",                           "any",            false, 0         },
	{"any",                        "any",            false, 0         },
};
/* clang-format on */

START_TEST(value_of_a_key_is_the_whole_word)
{
	uint64_t v = 0;

	ck_assert_int_eq(cg_flat_value(values[_i].text, values[_i].key, &v), values[_i].found);
	ck_assert_uint_eq(v, values[_i].value);
}
END_TEST

START_TEST(word_is_not_part_of_another)
{
	ck_assert(cg_has_word("cpuset cpu io\n", ' ', "cpu"));
	ck_assert(cg_has_word("cpuset cpu io\n", ' ', "io"));
	ck_assert(!cg_has_word("cpuset cpuacct", ' ', "cpu"));
	ck_assert(!cg_has_word("misc_cpu", ' ', "cpu"));
	ck_assert(!cg_has_word("", ',', "cpu"));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("parse");

	tcase_add_loop_test(t, own_group_is_found, 0, ARRAY_SIZE(good));
	tcase_add_loop_test(t, own_group_is_found_in_the_usual_places, 0, ARRAY_SIZE(usual));
	tcase_add_loop_test(t, unusable_host_is_refused_naming_what_is_missing, 0, ARRAY_SIZE(bad));
	tcase_add_loop_test(t, value_of_a_key_is_the_whole_word, 0, ARRAY_SIZE(values));
	tcase_add_test(t, word_is_not_part_of_another);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

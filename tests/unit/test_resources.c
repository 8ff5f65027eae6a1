/* linux.resources: conversions, and which files and texts they become on v1 and on v2. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_resources.h"
#include "sandbox/plan.h"

/* ---- conversions ---- */

/* The three points the formula is made of, its edges, and what runc 1.4 and crun 1.23 answer between. */
/* clang-format off */
static const struct {
	uint64_t shares, weight;
} weights[] = {
	{0,      1    },
	{1,      1    },
	{2,      1    },
	{1024,   100  },
	{2000,   170  },
	{4096,   303  },
	{262143, 10000},
	{262144, 10000},
	{300000, 10000},
};
/* clang-format on */

START_TEST(shares_become_weight)
{
	ck_assert_uint_eq(cg_weight_of_shares(weights[_i].shares), weights[_i].weight);
}
END_TEST

START_TEST(weight_never_falls_as_shares_rise)
{
	uint64_t last = 0;

	for (uint64_t shares = 2; shares <= 262144; shares++) {
		uint64_t weight = cg_weight_of_shares(shares);

		ck_assert(weight >= last && weight >= 1 && weight <= 10000);
		last = weight;
	}
}
END_TEST

static const struct {
	uint64_t v1, v2;
} io_weights[] = {
	{10,   1    },
	{100,  910  },
	{500,  4950 },
	{1000, 10000},
};

START_TEST(io_weight_is_stretched)
{
	ck_assert_uint_eq(cg_io_weight(io_weights[_i].v1), io_weights[_i].v2);
}
END_TEST

static const struct {
	int64_t sum, memory, swap;
	int result;
} swaps[] = {
	{0,   100, 0,  CG_E_NO_SWAP_LIMIT},
	{0,   0,   0,  CG_E_NO_SWAP_LIMIT},
	{0,   -1,  -1, 0                 },
	{-1,  100, -1, 0                 },
	{-1,  0,   -1, 0                 },
	{100, 100, 0,  0                 },
	{150, 100, 50, 0                 },
	{100, 150, 0,  -EINVAL           },
	{100, 0,   0,  -EINVAL           },
	{100, -1,  0,  -EINVAL           },
};

START_TEST(sum_of_memory_and_swap_becomes_swap)
{
	struct err e = ERR_INIT;
	int64_t swap = 0;

	ck_assert_int_eq(cg_swap_of_sum(swaps[_i].sum, swaps[_i].memory, &swap, &e),
			 swaps[_i].result);
	ck_assert_int_eq(swap, swaps[_i].swap);
}
END_TEST

/* ---- writes ---- */

#define V1 1
#define V2 2

/* clang-format off */
/* JSON of linux.resources; what is written, in order: "file=text;". A text that begins with ! is the error's. */
static const struct {
	int version;
	const char *json, *writes;
} compiled[] = {
	{V1, "{}", ""},
	{V1, "{\"memory\": {\"limit\": 4096}}",
	 "memory.limit_in_bytes=4096;memory.kmem.tcp.limit_in_bytes=4096?;"},
	{V2, "{\"memory\": {\"limit\": 4096}}", "memory.max=4096;"},
	{V1, "{\"memory\": {\"limit\": -1}}",
	 "memory.limit_in_bytes=-1;memory.kmem.tcp.limit_in_bytes=-1?;memory.memsw.limit_in_bytes=-1?;"},
	{V2, "{\"memory\": {\"limit\": -1}}", "memory.max=max;"},
	{V2, "{\"memory\": {\"limit\": 0, \"swap\": 0, \"reservation\": 0}}", ""},
	{V1, "{\"memory\": {\"limit\": 4096, \"swap\": 8192, \"kernelTCP\": 100}}",
	 "memory.limit_in_bytes=4096;memory.memsw.limit_in_bytes=8192;memory.kmem.tcp.limit_in_bytes=100;"},
	{V2, "{\"memory\": {\"limit\": 4096, \"swap\": 8192}}", "memory.max=4096;memory.swap.max=4096;"},
	{V2, "{\"memory\": {\"limit\": 4096, \"swap\": 4096}}", "memory.max=4096;memory.swap.max=0;"},
	{V2, "{\"memory\": {\"swap\": -1}}", "memory.swap.max=max?;"},
	{V2, "{\"memory\": {\"swap\": 5}}", "!linux.resources.memory.swap: unable to set swap"},
	{V1, "{\"memory\": {\"reservation\": 5}}", "memory.soft_limit_in_bytes=5;"},
	{V2, "{\"memory\": {\"reservation\": 5}}", "memory.low=5;"},
	{V1, "{\"memory\": {\"swappiness\": 0, \"disableOOMKiller\": true, \"useHierarchy\": true}}",
	 "memory.swappiness=0;memory.oom_control=1;"},
	{V2, "{\"memory\": {\"swappiness\": 0}}", "!linux.resources.memory.swappiness: cgroup v2 has"},
	{V2, "{\"memory\": {\"disableOOMKiller\": true}}",
	 "!linux.resources.memory.disableOOMKiller: cgroup v2 has"},
	{V2, "{\"memory\": {\"disableOOMKiller\": false, \"checkBeforeUpdate\": true}}", ""},
	{V1, "{\"memory\": {\"limit\": 50, \"kernel\": 49}}",
	 "memory.limit_in_bytes=50;memory.kmem.tcp.limit_in_bytes=50?;memory.kmem.limit_in_bytes=49;"},
	{V2, "{\"memory\": {\"limit\": 50, \"kernel\": 50, \"kernelTCP\": 50}}", "memory.max=50;"},
	{V2, "{\"memory\": {\"limit\": 50, \"kernel\": 49}}",
	 "!linux.resources.memory.kernel: cgroup v2 has"},
	{V1, "{\"cpu\": {\"shares\": 2000, \"idle\": 0}}", "cpu.shares=2000;cpu.idle=0;"},
	{V2, "{\"cpu\": {\"shares\": 2000, \"idle\": 1}}", "cpu.weight=170;cpu.idle=1;"},
	{V1, "{\"cpu\": {\"quota\": 5000, \"period\": 10000, \"burst\": 7}}",
	 "cpu.cfs_period_us=10000;cpu.cfs_quota_us=5000;cpu.cfs_burst_us=7;"},
	{V2, "{\"cpu\": {\"quota\": 5000, \"period\": 10000, \"burst\": 7}}",
	 "cpu.max=5000 10000;cpu.max.burst=7;"},
	{V2, "{\"cpu\": {\"quota\": -1}}", "cpu.max=max;"},
	{V2, "{\"cpu\": {\"quota\": -9999}}", "cpu.max=max;"},
	{V1, "{\"cpu\": {\"quota\": -9999}}", "cpu.cfs_quota_us=-1;"},
	{V2, "{\"cpu\": {\"period\": 10000}}", "cpu.max=7000 10000;"},
	{V1, "{\"cpu\": {\"realtimeRuntime\": 5, \"realtimePeriod\": 6}}",
	 "cpu.rt_period_us=6;cpu.rt_runtime_us=5;"},
	{V2, "{\"cpu\": {\"realtimeRuntime\": 5}}", "!linux.resources.cpu.realtimeRuntime: cgroup v2 has"},
	{V1, "{\"cpu\": {\"cpus\": \"0-1\", \"mems\": \"0\"}}", "cpuset.cpus=0-1;cpuset.mems=0;"},
	{V2, "{\"cpu\": {\"cpus\": \"0-1\", \"mems\": \"\"}}", "cpuset.cpus=0-1;"},
	{V1, "{\"pids\": {\"limit\": -1}}", "pids.max=max;"},
	{V2, "{\"pids\": {\"limit\": -1}}", "pids.max=max;"},
	{V2, "{\"pids\": {\"limit\": 0}}", "pids.max=1;"},
	{V2, "{\"pids\": {\"limit\": 7}}", "pids.max=7;"},
	{V1, "{\"blockIO\": {\"weight\": 500}}", "blkio.bfq.weight=500|blkio.weight=500;"},
	{V2, "{\"blockIO\": {\"weight\": 500}}", "io.bfq.weight=500|io.weight=4950;"},
	{V2, "{\"blockIO\": {\"leafWeight\": 500}}", "!linux.resources.blockIO.leafWeight: cgroup v2 has"},
	{V1,
	 "{\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 1, \"weight\": 100, \"leafWeight\": 50}]}}",
	 "blkio.bfq.weight_device=8:1 100|blkio.weight_device=8:1 100;blkio.leaf_weight_device=8:1 50;"},
	{V2, "{\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 1, \"weight\": 100}]}}",
	 "io.bfq.weight=8:1 100|io.weight=8:1 910;"},
	{V1, "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 1, \"rate\": 9}]}}",
	 "blkio.throttle.read_bps_device=8:1 9;"},
	{V2,
	 "{\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"minor\": 1, \"rate\": 9}],"
	 "\"throttleWriteIOPSDevice\": [{\"major\": 8, \"minor\": 1, \"rate\": 0}]}}",
	 "io.max=8:1 rbps=9;io.max=8:1 wiops=max;"},
	{V1, "{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 4194304}]}",
	 "hugetlb.2MB.limit_in_bytes=4194304;hugetlb.2MB.rsvd.limit_in_bytes=4194304?;"},
	{V2, "{\"hugepageLimits\": [{\"pageSize\": \"1GB\", \"limit\": 0}]}",
	 "hugetlb.1GB.max=0;hugetlb.1GB.rsvd.max=0?;"},
	{V1, "{\"network\": {\"classID\": 1048577, \"priorities\": [{\"name\": \"eth0\", \"priority\": 5}]}}",
	 "net_cls.classid=1048577;net_prio.ifpriomap=eth0 5;"},
	{V2, "{\"network\": {\"classID\": 1}}", "!linux.resources.network.classID: no group in the hierarchy "
						"'net_cls' (cgroup v1)"},
	{V2, "{\"rdma\": {\"mlx5_1\": {\"hcaHandles\": 3, \"hcaObjects\": 10000}}}",
	 "rdma.max=mlx5_1 hca_handle=3;rdma.max=mlx5_1 hca_object=10000;"},
	{V2, "{\"pids\": {\"limit\": 7}, \"unified\": {\"pids.max\": \"9\", \"memory.high\": \"max\"}}",
	 "pids.max=7;pids.max=9;memory.high=max;"},
};
/* clang-format on */

static void describe(const struct cg_write *w, char *out, size_t size)
{
	size_t used = strlen(out);

	used += (size_t)snprintf(out + used, size - used, "%s=%s", w->file,
				 w->long_text ? w->long_text : w->text);
	if (w->other_file[0])
		used += (size_t)snprintf(out + used, size - used, "|%s=%s", w->other_file,
					 w->other_text);
	(void)snprintf(out + used, size - used, "%s;", w->may_lack ? "?" : "");
}

START_TEST(resources_become_writes)
{
	struct cg_now now = {.in = CG_SET_ALL, .v2 = CG_SET_ALL, .quota = "7000"};
	struct arena *arena = arena_new(1 << 20);
	struct cg_resources r = {0};
	struct cg_write *writes;
	struct err e = ERR_INIT;
	char text[1024] = "";
	size_t n = 0;

	if (compiled[_i].version == V1)
		now.v2 = CG_BIT(CG_CORE);
	else
		now.in &= ~(CG_BIT(CG_NET_CLS) | CG_BIT(CG_NET_PRIO) | CG_BIT(CG_DEVICES));
	ck_ok(sbx_resources_parse(compiled[_i].json, strlen(compiled[_i].json), arena, &r, &e), &e);
	writes = calloc(cg_compile_room(&r), sizeof(*writes));
	if (compiled[_i].writes[0] == '!') {
		ck_assert_int_lt(cg_compile(&r, &now, writes, &n, &e), 0);
		ck_assert_msg(str_has_prefix(e.text, compiled[_i].writes + 1), "%s", e.text);
	} else {
		ck_ok(cg_compile(&r, &now, writes, &n, &e), &e);
		ck_assert_uint_le(n, cg_compile_room(&r));
		for (size_t i = 0; i < n; i++)
			describe(&writes[i], text, sizeof(text));
		ck_assert_str_eq(text, compiled[_i].writes);
	}
	free(writes);
	arena_free(arena);
}
END_TEST

/* clang-format off */
static const struct {
	const char *json;
	cg_set need;
} needs[] = {
	{"{}",                                          0                 },
	{"{\"memory\": {\"limit\": 1}, \"pids\": {\"limit\": 1}}", 0                 },
	{"{\"cpu\": {\"cpus\": \"0\"}}",                CG_BIT(CG_CPUSET) },
	{"{\"blockIO\": {\"weight\": 10}}",             CG_BIT(CG_BLKIO)  },
	{"{\"network\": {\"classID\": 0}}",             CG_BIT(CG_NET_CLS)},
	{"{\"hugepageLimits\": [{\"pageSize\": \"2MB\", \"limit\": 1}]}", CG_BIT(CG_HUGETLB)},
	{"{\"unified\": {\"hugetlb.2MB.max\": \"0\"}}", CG_BIT(CG_HUGETLB)},
	{"{\"unified\": {\"memory.max\": \"0\"}}",      0                 },
};
/* clang-format on */

START_TEST(a_group_is_needed_where_something_is_limited)
{
	struct arena *arena = arena_new(1 << 20);
	struct cg_resources r = {0};
	struct err e = ERR_INIT;

	ck_ok(sbx_resources_parse(needs[_i].json, strlen(needs[_i].json), arena, &r, &e), &e);
	ck_assert_uint_eq(cg_resources_need(&r), needs[_i].need);
	arena_free(arena);
}
END_TEST

START_TEST(update_names_the_member_that_is_wrong)
{
	static const char json[] = "{\"memory\": {\"limit\": \"x\"}}";
	struct arena *arena = arena_new(1 << 20);
	struct cg_resources r = {0};
	struct err e = ERR_INIT;

	ck_assert_int_eq(sbx_resources_parse(json, strlen(json), arena, &r, &e), -EINVAL);
	ck_assert_msg(str_has_prefix(e.text, "resources: memory.limit: "), "%s", e.text);
	ck_assert_int_eq(sbx_resources_parse("{", 1, arena, &r, &e), -EINVAL);
	ck_assert(cg_resources_is_empty(&r));
	arena_free(arena);
}
END_TEST

/* ---- refused before anything is created ---- */

/* clang-format off */
static const struct {
	const char *part, *error;
} refused[] = {
	{"\"resources\": {\"pids\": {\"limit\": -2}}", "linux.resources.pids.limit: not a number in -1.."},
	{"\"resources\": {\"memory\": {\"limit\": -2}}", "linux.resources.memory.limit: not a number"},
	{"\"resources\": {\"memory\": {\"limit\": 9, \"swap\": 8}}", "linux.resources.memory.swap: memory and swap together"},
	{"\"resources\": {\"memory\": {\"swappiness\": 101}}", "linux.resources.memory.swappiness: not a number in 0..100"},
	{"\"resources\": {\"cpu\": {\"cpus\": \"0;1\"}}", "linux.resources.cpu.cpus: not a list"},
	{"\"resources\": {\"cpu\": {\"shares\": 1}}", "linux.resources.cpu.shares: not a number in 2..262144"},
	{"\"resources\": {\"cpu\": {\"quota\": 999}}", "linux.resources.cpu.quota: not a number in 1000.."},
	{"\"resources\": {\"blockIO\": {\"weight\": 9}}", "linux.resources.blockIO.weight: not a number in 10..1000"},
	{"\"resources\": {\"blockIO\": {\"throttleReadBpsDevice\": [{\"major\": 8, \"rate\": 1}]}}", "linux.resources.blockIO.throttleReadBpsDevice[0].minor: is missing"},
	{"\"resources\": {\"blockIO\": {\"weightDevice\": [{\"major\": 8, \"minor\": 0, \"weight\": 5}]}}", "linux.resources.blockIO.weightDevice[0].weight: not a number in 10..1000"},
	{"\"resources\": {\"cpu\": {\"idle\": 2}}", "linux.resources.cpu.idle: not a number in 0..1"},
	{"\"resources\": {\"cpu\": {\"period\": 999}}", "linux.resources.cpu.period: not a number in 1000..1000000"},
	{"\"resources\": {\"hugepageLimits\": [{\"pageSize\": \"2mB\", \"limit\": 1}]}", "linux.resources.hugepageLimits[0].pageSize: '2mB'"},
	{"\"resources\": {\"hugepageLimits\": [{\"pageSize\": \"../MB\", \"limit\": 1}]}", "linux.resources.hugepageLimits[0].pageSize: not a name"},
	{"\"resources\": {\"network\": {\"classID\": 4294967296}}", "linux.resources.network.classID: not a number"},
	{"\"resources\": {\"network\": {\"priorities\": [{\"name\": \"a b\", \"priority\": 1}]}}", "linux.resources.network.priorities[0].name: not a name"},
	{"\"resources\": {\"unified\": {\"../memory.max\": \"1\"}}", "linux.resources.unified.../memory.max: not a file of a known"},
	{"\"resources\": {\"unified\": {\"cgroup.procs\": \"1\"}}", "linux.resources.unified.cgroup.procs: not a file of a known"},
	{"\"resources\": {\"unified\": {\"memory\": \"1\"}}", "linux.resources.unified.memory: not a file of a known"},
	{"\"resources\": {\"unified\": {\"memory.max\": 1}}", "linux.resources.unified.memory.max: not a string"},
	{"\"resources\": {\"rdma\": {\"mlx 5\": {\"hcaHandles\": 1}}}", "linux.resources.rdma.mlx 5: not a name"},
	{"\"resources\": {\"devices\": [{\"access\": \"rwm\"}]}", "linux.resources.devices[0].allow: is missing"},
	{"\"resources\": {\"devices\": [{\"allow\": true}]}", "linux.resources.devices[0].access: is missing"},
	{"\"resources\": {\"devices\": [{\"allow\": true, \"access\": \"rx\"}]}", "linux.resources.devices[0].access: 'rx'"},
	{"\"resources\": {\"devices\": [{\"allow\": true, \"access\": \"rwa\"}]}", "linux.resources.devices[0].access: 'rwa'"},
	{"\"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rx\"}]}", "linux.resources.devices[0].access: 'rx'"},
	{"\"resources\": {\"devices\": [{\"allow\": true, \"access\": \"r\", \"type\": \"p\"}]}", "linux.resources.devices[0].type: 'p'"},
};
/* clang-format on */

static const char *part_with_comma(const char *part)
{
	static char text[512];

	(void)snprintf(text, sizeof(text), "%s,", part);
	return text;
}

START_TEST(what_no_host_can_do_is_refused_by_its_path)
{
	oci_refused(OCI_WITH(.linux_part = part_with_comma(refused[_i].part)), refused[_i].error);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("resources");
	TCase *t = tcase_create("conversions");

	tcase_add_loop_test(t, shares_become_weight, 0, ARRAY_SIZE(weights));
	tcase_add_test(t, weight_never_falls_as_shares_rise);
	tcase_add_loop_test(t, io_weight_is_stretched, 0, ARRAY_SIZE(io_weights));
	tcase_add_loop_test(t, sum_of_memory_and_swap_becomes_swap, 0, ARRAY_SIZE(swaps));
	suite_add_tcase(s, t);
	t = tcase_create("writes");
	tcase_add_loop_test(t, resources_become_writes, 0, ARRAY_SIZE(compiled));
	tcase_add_loop_test(t, a_group_is_needed_where_something_is_limited, 0, ARRAY_SIZE(needs));
	tcase_add_test(t, update_names_the_member_that_is_wrong);
	suite_add_tcase(s, t);
	t = tcase_create("refused");
	tcase_add_loop_test(t, what_no_host_can_do_is_refused_by_its_path, 0, ARRAY_SIZE(refused));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* config.json: namespaces by path, and what is set inside of namespaces. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <sched.h>

#include "base/mem.h"

#define ALL_NEW                                                                                    \
	.namespaces = "{\"type\": \"mount\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}, "      \
		      "{\"type\": \"uts\"}, {\"type\": \"time\"}"
#define LINUX(member) .linux_part = member ","
#define SYSCTL(name)  .linux_part = "\"sysctl\": {\"" name "\": \"1\"},"

START_TEST(namespaces_are_joined_by_path)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.namespaces =
				 "{\"type\": \"mount\"}, {\"type\": \"network\", \"path\": "
				 "\"/run/netns/x\"}, {\"type\": \"user\", \"path\": \"/u\"}"));

	ck_assert_uint_eq(p->namespaces, CLONE_NEWNS);
	ck_assert_uint_eq(p->joined, CLONE_NEWNET | CLONE_NEWUSER);
	ck_assert_uint_eq(p->n_joins, 2);
	ck_assert_str_eq(p->joins[0].path, "/run/netns/x");
	ck_assert_uint_eq(p->joins[1].flag, CLONE_NEWUSER);
	sbx_plan_free(p);
}
END_TEST

START_TEST(time_offsets_are_compiled)
{
	struct sbx_plan *p =
		oci_plan(OCI_WITH(ALL_NEW, LINUX("\"timeOffsets\": {\"monotonic\": {\"secs\": -5, "
						 "\"nanosecs\": 999999999}}")));

	ck_assert(p->has_time_offsets);
	ck_assert_int_eq(p->monotonic.secs, -5);
	ck_assert_uint_eq(p->monotonic.nanosecs, 999999999);
	ck_assert_int_eq(p->boottime.secs, 0);
	sbx_plan_free(p);
}
END_TEST

static const struct {
	const char *name, *file;
	uint64_t flag;
} sysctls[] = {
	{"net.ipv4.ip_forward",      "net/ipv4/ip_forward",      CLONE_NEWNET},
	{"net/ipv4/ip_forward",      "net/ipv4/ip_forward",      CLONE_NEWNET},
	{"net.ipv4.conf.eth0/1.mtu", "net/ipv4/conf/eth0.1/mtu", CLONE_NEWNET},
	{"net/ipv4/conf/eth0.1/mtu", "net/ipv4/conf/eth0.1/mtu", CLONE_NEWNET},
	{"kernel.shmmax",            "kernel/shmmax",            CLONE_NEWIPC},
	{"fs.mqueue.msg_max",        "fs/mqueue/msg_max",        CLONE_NEWIPC},
	{"kernel.domainname",        "kernel/domainname",        CLONE_NEWUTS},
};

START_TEST(a_sysctl_has_a_file_and_a_namespace)
{
	char text[128];
	struct sbx_plan *p;

	snprintf(text, sizeof(text), "\"sysctl\": {\"%s\": \"1\"},", sysctls[_i].name);
	p = oci_plan(OCI_WITH(ALL_NEW, .linux_part = text));
	ck_assert_uint_eq(p->n_sysctls, 1);
	ck_assert_str_eq(p->sysctls[0].file, sysctls[_i].file);
	ck_assert_str_eq(p->sysctls[0].value, "1");
	ck_assert_uint_eq(p->sysctls[0].flag, sysctls[_i].flag);
	sbx_plan_free(p);
}
END_TEST

START_TEST(network_devices_keep_or_change_their_names)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(
		ALL_NEW, LINUX("\"netDevices\": {\"eth0\": {}, \"eth1\": {\"name\": \"a\"}}")));

	ck_assert_uint_eq(p->n_net_devices, 2);
	ck_assert_str_eq(p->net_devices[0].new_name, "eth0");
	ck_assert_str_eq(p->net_devices[1].name, "eth1");
	ck_assert_str_eq(p->net_devices[1].new_name, "a");
	sbx_plan_free(p);
}
END_TEST

/* clang-format off */
static const struct {
	struct oci_parts parts;
	const char *says;
} refused[] = {
	{{.namespaces = "{\"type\": \"network\", \"path\": \"netns/x\"}"},
	 "linux.namespaces[0].path: not an absolute path"},
	{{.namespaces = "{\"type\": \"uts\", \"path\": \"/x\"}, {\"type\": \"uts\"}"},
	 "linux.namespaces[1].type: 'uts' is given twice"},
	{{LINUX("\"timeOffsets\": {\"boottime\": {\"secs\": 1}}")},
	 "linux.timeOffsets: needs a new namespace of type time"},
	{{ALL_NEW, LINUX("\"timeOffsets\": {\"realtime\": {\"secs\": 1}}")},
	 "linux.timeOffsets.realtime: no clock that can have an offset"},
	{{ALL_NEW, LINUX("\"timeOffsets\": {\"boottime\": {\"nanosecs\": 1000000000}}")},
	 "linux.timeOffsets.boottime.nanosecs: not a number in 0..999999999"},
	{{ALL_NEW, LINUX("\"timeOffsets\": {\"boottime\": {\"secs\": \"1\"}}")},
	 "linux.timeOffsets.boottime.secs: not a number"},
	{{ALL_NEW, LINUX("\"sysctl\": []")},
	 "linux.sysctl: not an object"},
	{{ALL_NEW, LINUX("\"sysctl\": {\"net.core.somaxconn\": 5}")},
	 "linux.sysctl.net.core.somaxconn: not a string"},
	{{ALL_NEW, SYSCTL("kernel.core_pattern")},
	 "linux.sysctl.kernel.core_pattern: is not in a separate kernel namespace"},
	{{ALL_NEW, SYSCTL("vm.swappiness")},
	 "linux.sysctl.vm.swappiness: is not in a separate kernel namespace"},
	{{ALL_NEW, SYSCTL("network")},
	 "linux.sysctl.network: is not in a separate"},
	{{ALL_NEW, SYSCTL("kernel.shmmax.x")},
	 "linux.sysctl.kernel.shmmax.x: is not in a separate"},
	{{ALL_NEW, SYSCTL("net/../kernel/core_pattern")},
	 "linux.sysctl.net/../kernel/core_pattern: no name of a sysctl"},
	{{ALL_NEW, SYSCTL("net.//.kernel.core_pattern")},
	 "linux.sysctl.net.//.kernel.core_pattern: no"},
	{{ALL_NEW, SYSCTL("net.")},
	 "linux.sysctl.net.: no name of a sysctl"},
	{{ALL_NEW, SYSCTL("net..ipv4")},
	 "linux.sysctl.net..ipv4: no name of a sysctl"},
	{{ALL_NEW, SYSCTL("/net/core/somaxconn")},
	 "linux.sysctl./net/core/somaxconn: no name"},
	{{ALL_NEW, SYSCTL("")},
	 "linux.sysctl.: no name of a sysctl"},
	{{ALL_NEW, SYSCTL("kernel.hostname")},
	 "linux.sysctl.kernel.hostname: conflicts with the member 'hostname'"},
	{{ALL_NEW, .top = "\"domainname\": \"d\",", SYSCTL("kernel.domainname")},
	 "linux.sysctl.kernel.domainname: conflicts with the member 'domainname'"},
	{{SYSCTL("net.core.somaxconn")},
	 "linux.sysctl.net.core.somaxconn: needs a namespace of type network"},
	{{SYSCTL("kernel.sem")},
	 "linux.sysctl.kernel.sem: needs a namespace of type ipc"},
	{{SYSCTL("kernel.domainname")},
	 "linux.sysctl.kernel.domainname: needs a namespace of type uts"},
	{{LINUX("\"netDevices\": {\"a\": {}}")},
	 "linux.netDevices: needs a namespace of type network"},
	{{ALL_NEW, LINUX("\"netDevices\": {\"a/b\": {}}")},
	 "linux.netDevices.a/b: no name of a network device"},
	{{ALL_NEW, LINUX("\"netDevices\": {\"a\": {\"name\": \"eth%d\"}}")},
	 "linux.netDevices.a.name: 'eth%d' is no name of a network device"},
	{{ALL_NEW, LINUX("\"netDevices\": {\"a\": {\"name\": \"0123456789abcdef\"}}")},
	 "linux.netDevices.a.name: '0123456789abcdef' is no name"},
	{{ALL_NEW, LINUX("\"netDevices\": {\"a\": {\"name\": \"c\"}, \"b\": {\"name\": \"c\"}}")},
	 "linux.netDevices.b.name: 'c' is given twice"},
	{{LINUX("\"intelRdt\": {\"closID\": \"a\"}")},
	 "linux.intelRdt: is not supported"},
};
/* clang-format on */

START_TEST(what_cannot_be_set_is_refused_by_its_path)
{
	oci_refused(oci_merge(&refused[_i].parts), refused[_i].says);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_oci_spaces");
	TCase *t = tcase_create("config");

	tcase_add_test(t, namespaces_are_joined_by_path);
	tcase_add_test(t, time_offsets_are_compiled);
	tcase_add_loop_test(t, a_sysctl_has_a_file_and_a_namespace, 0, ARRAY_SIZE(sysctls));
	tcase_add_test(t, network_devices_keep_or_change_their_names);
	tcase_add_loop_test(t, what_cannot_be_set_is_refused_by_its_path, 0, ARRAY_SIZE(refused));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* config.json as a plan: what is honoured. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/caps.h"
#include "sandbox/sys.h"

START_TEST(unknown_and_empty_members_are_ignored)
{
	sbx_plan_free(oci_plan(
		OCI_WITH(.top = "\"annotations\": {\"a\": \"b\"}, \"vendor\": 1, \"hooks\": {},",
			 .process = "\"terminal\": false, \"apparmorProfile\": \"\", \"x\": [],",
			 .linux_part = "\"seccomp\": null, \"sysctl\": {}, \"devices\": [],")));
}
END_TEST

START_TEST(process_is_compiled)
{
	struct sbx_plan *p =
		oci_plan(OCI_WITH(.args = "\"a\", \"b\"", .cwd = "\"/tmp\"",
				  .process = "\"env\": [\"A=1\"], \"noNewPrivileges\": true, "
					     "\"oomScoreAdj\": -5,"
					     "\"user\": {\"uid\": 7, \"gid\": 8, \"umask\": 63,"
					     "\"additionalGids\": [9, 4294967294]},"));

	ck_assert_str_eq(p->argv[1], "b");
	ck_assert_ptr_null(p->argv[2]);
	ck_assert_str_eq(p->env[0], "A=1");
	ck_assert_ptr_eq(&p->env[1], p->home);
	ck_assert_ptr_null(p->env[2]);
	ck_assert_str_eq(p->cwd, "/tmp");
	ck_assert_uint_eq(p->drop.uid, 7);
	ck_assert_uint_eq(p->drop.gid, 8);
	ck_assert_uint_eq(p->drop.umask, 077);
	ck_assert_uint_eq(p->drop.n_groups, 2);
	ck_assert_uint_eq(p->drop.groups[1], 4294967294);
	ck_assert(p->drop.no_new_privs && p->has_oom_score_adj);
	ck_assert_int_eq(p->oom_score_adj, -5);
	sbx_plan_free(p);
}
END_TEST

START_TEST(size_of_a_terminal_counts_only_with_a_terminal)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(.process = "\"terminal\": true, \"consoleSize\": "
							  "{\"height\": 24, \"width\": 80},"));

	ck_assert(p->terminal.is_wanted);
	ck_assert_uint_eq(p->terminal.rows, 24);
	ck_assert_uint_eq(p->terminal.columns, 80);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(.process = "\"consoleSize\": {\"height\": -1},"));
	ck_assert(!p->terminal.is_wanted && p->terminal.rows == 0);
	sbx_plan_free(p);
}
END_TEST

START_TEST(capabilities_default_to_none_and_ambient_needs_inheritable)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(.top = NULL));

	ck_assert_uint_eq(p->drop.cap_bounding | p->drop.cap_permitted, 0);
	sbx_plan_free(p);
	p = oci_plan(
		OCI_WITH(.process =
				 "\"capabilities\": {\"bounding\": [\"CAP_KILL\"],"
				 "\"permitted\": [\"CAP_KILL\", \"CAP_CHOWN\"],"
				 "\"effective\": [\"CAP_CHOWN\"], \"inheritable\": [\"CAP_CHOWN\"],"
				 "\"ambient\": [\"CAP_KILL\", \"CAP_CHOWN\"]},"));
	ck_assert_uint_eq(p->drop.cap_bounding, 1 << CAP_KILL);
	ck_assert_uint_eq(p->drop.cap_permitted, 1 << CAP_KILL | 1 << CAP_CHOWN);
	ck_assert_uint_eq(p->drop.cap_effective, 1 << CAP_CHOWN);
	ck_assert_uint_eq(p->drop.cap_ambient, 1 << CAP_CHOWN);
	sbx_plan_free(p);
}
END_TEST

START_TEST(rlimits_know_infinity)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.process = "\"rlimits\": [{\"type\": \"RLIMIT_CORE\", \"soft\": 0,"
				    "\"hard\": 18446744073709551615}],"));

	ck_assert_uint_eq(p->drop.n_rlimits, 1);
	ck_assert_uint_eq(p->drop.rlimits[0].resource, RLIMIT_CORE);
	ck_assert_uint_eq(p->drop.rlimits[0].soft, 0);
	ck_assert(p->drop.rlimits[0].hard == RLIM_INFINITY);
	sbx_plan_free(p);
}
END_TEST

START_TEST(no_processes_meant_unlimited_once)
{
	static const struct {
		const char *version;
		int64_t limit;
	} cases[] = {
		{"1.0.2-dev", -1},
		{"1.2.1",     -1},
		{"1.3.0",     0 },
		{"1.10.0",    0 },
	};
	struct sbx_plan *p =
		oci_plan(OCI_WITH(.version = cases[_i].version,
				  .linux_part = "\"resources\": {\"pids\": {\"limit\": 0}},"));

	ck_assert(p->resources.has[CG_PIDS_LIMIT]);
	ck_assert_int_eq(p->resources.number[CG_PIDS_LIMIT], cases[_i].limit);
	sbx_plan_free(p);
}
END_TEST

START_TEST(resources_become_limits)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.linux_part =
				 "\"resources\": {\"memory\": {\"limit\": 1048576, \"swap\": "
				 "3145728},"
				 "\"cpu\": {\"shares\": 512, \"quota\": 20000, \"period\": 50000},"
				 "\"pids\": {\"limit\": 20}}, \"cgroupsPath\": \"//a/b/\","));

	ck_assert(p->resources.has[CG_MEMORY_LIMIT] && p->resources.has[CG_CPU_SHARES]);
	ck_assert_int_eq(p->resources.number[CG_MEMORY_LIMIT], 1 << 20);
	ck_assert_int_eq(p->resources.number[CG_MEMORY_SWAP], 3 << 20);
	ck_assert_int_eq(p->resources.number[CG_CPU_SHARES], 512);
	ck_assert_int_eq(p->resources.number[CG_CPU_QUOTA], 20000);
	ck_assert_int_eq(p->resources.number[CG_CPU_PERIOD], 50000);
	ck_assert_int_eq(p->resources.number[CG_PIDS_LIMIT], 20);
	ck_assert(!p->resources.has[CG_CPU_IDLE] && p->resources.n_items == 0);
	ck_assert_str_eq(p->cgroup_path, "/a/b");
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(.linux_part = "\"cgroupsPath\": \"a//b\","));
	ck_assert_str_eq(p->cgroup_path, "a/b");
	ck_assert(cg_resources_is_empty(&p->resources));
	sbx_plan_free(p);
}
END_TEST

START_TEST(devices_are_denied_but_for_the_default_ones)
{
	struct sbx_plan *p = oci_plan(OCI_WITH(
			.linux_part =
				"\"resources\": {\"devices\": [{\"allow\": false, \"access\": "
				"\"rwm\"},"
				"{\"allow\": true, \"type\": \"c\", \"major\": 10, \"minor\": 229, "
				"\"access\": \"rw\"},"
				"{\"allow\": false, \"type\": \"c\", \"access\": \"ra\"}]},"));
	const struct cg_device *d = p->resources.devices;

	ck_assert(p->resources.limits_devices && !p->resources.devices_may_fail);
	ck_assert_uint_eq(p->resources.n_devices, 3 + cg_n_default_devices);
	ck_assert(!d[0].is_allowed && d[0].type == 'a' && d[0].major == CG_DEV_ANY);
	ck_assert(d[1].is_allowed && d[1].major == 10 && d[1].minor == 229);
	ck_assert_uint_eq(d[1].access, CG_DEV_READ | CG_DEV_WRITE);
	ck_assert(!d[2].is_allowed && d[2].type == 'c' && d[2].access == CG_DEV_ALL);
	ck_assert_int_eq(memcmp(d + 3, cg_default_devices, cg_n_default_devices * sizeof(*d)), 0);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(.linux_part = ""));
	ck_assert(p->resources.limits_devices);
	ck_assert_uint_eq(p->resources.n_devices, cg_n_default_devices);
	sbx_plan_free(p);
}
END_TEST

START_TEST(host_paths_begin_in_the_bundle_and_targets_at_the_root)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.mounts =
				 "{\"destination\": \"data/\", \"source\": \"d\", \"type\": "
				 "\"bind\"},"
				 "{\"destination\": \"/x\", \"source\": \"/y\", \"type\": \"none\","
				 "\"options\": [\"rbind\"]}"));

	ck_assert_str_eq(p->root.path, "/bundle/rootfs");
	ck_assert_str_eq(p->mounts[0].source, "/bundle/d");
	ck_assert_str_eq(p->mounts[0].target, "/data");
	ck_assert(!p->mounts[0].is_recursive);
	ck_assert_int_eq(p->mounts[1].kind, SBX_MOUNT_BIND);
	ck_assert(p->mounts[1].is_recursive);
	ck_assert_str_eq(p->mounts[1].source, "/y");
	sbx_plan_free(p);
}
END_TEST

START_TEST(all_kinds_of_namespaces_can_be_new)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.namespaces =
				 "{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"ipc\"},"
				 "{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"user\"},"
				 "{\"type\":\"cgroup\"},{\"type\":\"time\",\"path\":\"\"}",
			 .linux_part = "\"uidMappings\": [{\"hostID\": 1000, \"size\": 10}],"
				       "\"gidMappings\": [{\"hostID\": 2000, \"size\": 20},"
				       "{\"containerID\": 20, \"hostID\": 1, \"size\": 1}],"));

	ck_assert_uint_eq(p->namespaces, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
						 CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP |
						 0x80);
	ck_assert_uint_eq(p->n_uid_maps, 1);
	ck_assert_uint_eq(p->n_gid_maps, 2);
	ck_assert_uint_eq(p->uid_maps[0].outside, 1000);
	ck_assert_uint_eq(p->gid_maps[1].inside, 20);
	sbx_plan_free(p);
}
END_TEST

/* ---- the file, and names ---- */

START_TEST(bundle_is_read_from_its_directory)
{
	static const char config[] = "{\"ociVersion\": \"1.0\"}";
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;
	char dir[64], path[128];

	harness_mkdir(dir);
	snprintf(path, sizeof(path), "%s/config.json", dir);
	ck_assert_int_eq(sbx_plan_from_oci(dir, &plan, &e), -ENOENT);
	ck_assert_msg(strstr(e.text, "config.json") && strstr(e.text, dir), "%s", e.text);
	ck_ok(file_replace(AT_FDCWD, path, config, strlen(config), 0600, &e), &e);
	ck_assert_int_eq(sbx_plan_from_oci(dir, &plan, &e), -EINVAL);
	ck_assert_str_eq(e.text, "config.json: root: is missing");
	ck_assert_int_eq(sbx_plan_from_oci("/nonexistent", &plan, &e), -ENOENT);
	harness_rmdir(dir);
}
END_TEST

START_TEST(capability_names_are_the_specification_s)
{
	static const char *const wrong[] = {"cap_kill", "KILL", "CAP_", "CAP_KILL ", "5", ""};
	_cleanup_buf_ struct buf out;
	struct err e = ERR_INIT;
	uint64_t mask = 0;

	ck_ok(caps_from_name("CAP_KILL", &mask, &e), &e);
	ck_assert_uint_eq(mask, 1 << CAP_KILL);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_int_eq(caps_from_name(wrong[i], &mask, &e), -EINVAL);
	buf_init(&out, 1000);
	caps_print(1 << CAP_KILL | 1 << CAP_CHOWN, &out);
	ck_assert_str_eq(out.data, "CAP_CHOWN CAP_KILL");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_oci");
	TCase *t = tcase_create("config");

	tcase_add_test(t, unknown_and_empty_members_are_ignored);
	tcase_add_test(t, process_is_compiled);
	tcase_add_test(t, size_of_a_terminal_counts_only_with_a_terminal);
	tcase_add_test(t, capabilities_default_to_none_and_ambient_needs_inheritable);
	tcase_add_test(t, rlimits_know_infinity);
	tcase_add_test(t, resources_become_limits);
	tcase_add_loop_test(t, no_processes_meant_unlimited_once, 0, 4);
	tcase_add_test(t, devices_are_denied_but_for_the_default_ones);
	tcase_add_test(t, host_paths_begin_in_the_bundle_and_targets_at_the_root);
	tcase_add_test(t, all_kinds_of_namespaces_can_be_new);
	tcase_add_test(t, bundle_is_read_from_its_directory);
	tcase_add_test(t, capability_names_are_the_specification_s);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

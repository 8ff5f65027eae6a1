/* config.json: what is refused, and with which words. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MOUNT(rest)   .mounts = "{\"destination\": \"/m\", " rest "}"
#define OPTION(words) MOUNT("\"type\": \"tmpfs\", \"options\": [" words "]")
#define LINUX(member) .linux_part = member ","
#define PROC(member)  .process = member ","
#define USER_NS       .namespaces = "{\"type\": \"mount\"}, {\"type\": \"user\"}"

/* clang-format off */
static const struct {
	struct oci_parts parts;
	const char *says;
} refused[] = {
	{{.top = "\"hooks\": {\"prestart\": [{}]},"},
	 "hooks.prestart[0].path: is missing"},
	{{.top = "\"hostname\": \"x\","},
	 "hostname: needs a namespace of type uts"},
	{{.top = "\"hostname\": 5,"},
	 "hostname: not a string"},
	{{.root = "\"readonly\": true"},
	 "root.path: is missing"},
	{{.root = "\"path\": \"\""},
	 "root.path: an empty path"},
	{{.root = "\"path\": \"r\", \"readonly\": 1"},
	 "root.readonly: neither true nor false"},
	{{.args = "\"\""},
	 "process.args: no program is named"},
	{{.args = "\"a\", 7"},
	 "process.args[1]: not a string"},
	{{.args = "\"a\", null"},
	 "process.args[1]: is missing"},
	{{.cwd = "\"tmp\""},
	 "process.cwd: not an absolute path"},
	{{.cwd = "null"},
	 "process.cwd: is missing"},
	{{PROC("\"env\": {}")},
	 "process.env: not an array"},
	{{PROC("\"terminal\": 1")},
	 "process.terminal: neither true nor false"},
	{{PROC("\"terminal\": true, \"consoleSize\": {\"height\": 65536}")},
	 "process.consoleSize.height: not a number in 0..65535"},
	{{PROC("\"user\": {\"uid\": 4294967295}")},
	 "process.user.uid: not a number in 0..4294967294"},
	{{PROC("\"user\": {\"gid\": -1}")},
	 "process.user.gid: not a number in 0..4294967294"},
	{{PROC("\"user\": {\"uid\": 1.5}")},
	 "process.user.uid: not a number in 0..4294967294"},
	{{PROC("\"user\": {\"uid\": \"0\"}")},
	 "process.user.uid: not a number in 0..4294967294"},
	{{PROC("\"user\": {\"umask\": 512}")},
	 "process.user.umask: not a number"},
	{{PROC("\"user\": {\"additionalGids\": [1, -2]}")},
	 "process.user.additionalGids[1]: not a number"},
	{{PROC("\"capabilities\": {\"effective\": [\"CAP_KILL\"]}")},
	 "process.capabilities: effective ones must be permitted"},
	{{PROC("\"rlimits\": [{\"type\": \"RLIMIT_X\", \"soft\": 1, \"hard\": 1}]")},
	 "process.rlimits[0].type: 'RLIMIT_X' is no limit"},
	{{PROC("\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"hard\": 1}]")},
	 "process.rlimits[0].soft: is missing"},
	{{PROC("\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 2, \"hard\": 1}]")},
	 "process.rlimits[0]: soft is over hard"},
	{{PROC("\"rlimits\": [{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}," "{\"type\": \"RLIMIT_CPU\", \"soft\": 1, \"hard\": 1}]")},
	 "process.rlimits[1].type: RLIMIT_CPU is given twice"},
	{{PROC("\"oomScoreAdj\": 1001")},
	 "process.oomScoreAdj: not a number in -1000..1000"},
	{{.mounts = "{\"type\": \"tmpfs\"}"},
	 "mounts[0].destination: is missing"},
	{{.mounts = "{\"destination\": \"//\", \"type\": \"tmpfs\"}"},
	 "mounts[0].destination: the root itself"},
	{{MOUNT("\"source\": \"x\"")},
	 "mounts[0].type: is missing"},
	{{MOUNT("\"type\": \"bind\"")},
	 "mounts[0].source: is missing"},
	{{MOUNT("\"type\": \"bind\", \"source\": \"x\", \"options\": [\"size=1\"]")},
	 "mounts[0].options[0]: 'size=1' is no option of a bind mount"},
	{{MOUNT("\"type\": \"tmpfs\", \"uidMappings\": [{}]")},
	 "mounts[0].uidMappings[0].size: is missing"},
	{{MOUNT("\"type\": \"bind\", \"source\": \"x\", \"uidMappings\": [{\"size\": 1}]")},
	 "mounts[0]: uidMappings and gidMappings need each other"},
	{{MOUNT("\"type\": \"tmpfs\", \"uidMappings\": [{\"size\": 1}], \"gidMappings\": " "[{\"size\": 1}]")},
	 "mounts[0]: id mappings are for a bind mount"},
	{{MOUNT("\"type\": \"bind\", \"source\": \"x\", \"options\": [\"ridmap\"]")},
	 "mounts[0]: 'idmap' needs uidMappings and gidMappings, or a user namespace"},
	{{MOUNT("\"type\": \"bind\", \"source\": \"x\", \"options\": [\"tmpcopyup\"]")},
	 "mounts[0].options: 'tmpcopyup' is for a tmpfs"},
	{{MOUNT("\"options\": [\"bind\", \"remount\", \"size=1\"]")},
	 "mounts[0].options[2]: 'size=1' is no option of a bind mount"},
	{{OPTION("\"\"")},
	 "mounts[0].options[0]: an empty option"},
	{{.namespaces = "{\"type\": \"pid\"}"},
	 "linux.namespaces: a namespace of type mount is needed"},
	{{.namespaces = "{\"type\": \"mnt\"}"},
	 "linux.namespaces[0].type: 'mnt' is no kind of namespace"},
	{{.namespaces = "{\"type\": \"mount\"}, {\"type\": \"mount\"}"},
	 "linux.namespaces[1].type: 'mount' is given twice"},
	{{USER_NS},
	 "linux.uidMappings: and gidMappings are needed"},
	{{LINUX("\"uidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]")},
	 "linux.uidMappings: needs a namespace of type user"},
	{{LINUX("\"uidMappings\": [{\"hostID\": 4294967290, \"size\": 65536}]")},
	 "linux.uidMappings[0]: goes beyond the last id"},
	{{LINUX("\"gidMappings\": [{\"hostID\": 1, \"size\": 0}]")},
	 "linux.gidMappings[0].size: not a number in 1..4294967295"},
	{{LINUX("\"devices\": [{\"path\": \"dev/x\"}]")},
	 "linux.devices[0].path: not the absolute path of a file"},
	{{LINUX("\"devices\": [{\"path\": \"/dev/x\", \"type\": \"d\"}]")},
	 "linux.devices[0].type: 'd' is no type of device"},
	{{LINUX("\"devices\": [{\"path\": \"/dev/x\", \"type\": \"c\", \"major\": 1}]")},
	 "linux.devices[0].minor: is missing"},
	{{LINUX("\"devices\": [{\"path\": \"/dev/x\", \"type\": \"b\", \"major\": 4096, \"minor\": " "0}]")},
	 "linux.devices[0].major: not a number in 0..4095"},
	{{LINUX("\"devices\": [{\"path\": \"/dev/..\", \"type\": \"p\"}]")},
	 "linux.devices[0].path: not the absolute path of a file"},
	{{LINUX("\"devices\": [{}]")},
	 "linux.devices[0].path: is missing"},
	{{LINUX("\"mountLabel\": \"a\\\"b\"")},
	 "linux.mountLabel: not a label"},
	{{LINUX("\"maskedPaths\": [\"/a\", \"b\"]")},
	 "linux.maskedPaths[1]: not an absolute path"},
	{{LINUX("\"cgroupsPath\": \"/a/../../b\"")},
	 "linux.cgroupsPath: '.' and '..' are not allowed"},
	{{LINUX("\"cgroupsPath\": \"a.slice:x:y\"")},
	 "linux.cgroupsPath: 'a.slice:x:y': slices of systemd"},
};
/* clang-format on */

START_TEST(what_cannot_be_honoured_is_refused_by_its_path)
{
	oci_refused(oci_merge(&refused[_i].parts), refused[_i].says);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text, *says;
} no_configs[] = {
	{"",                          "config.json:"                         },
	{"[]",                        "config.json: not an object"           },
	{"{}",                        "config.json: ociVersion: is missing"  },
	{"{\"ociVersion\": \"2.0\"}", "config.json: ociVersion: '2.0': only 1.x is understood"},
	{"{\"ociVersion\": 1}",       "config.json: ociVersion: not a string"},
	{"{\"ociVersion\": \"1.0\", \"ociVersion\": \"1.0\"}",
	 "config.json:1: duplicate object key near"},
	{"{\"ociVersion\": \"1.0\"}", "config.json: root: is missing"        },
	{"{\"ociVersion\": \"1.0\", \"root\": {\"path\": \"r\"}}", "config.json: process: is missing"     },
	{"{\"ociVersion\": \"1.0\", \"root\": {\"path\": \"r\"}, " "\"process\": {\"args\": [\"a\"], \"cwd\": \"/\"}}",
	 "config.json: linux: is missing"},
};
/* clang-format on */

START_TEST(what_is_no_config_is_refused)
{
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;

	ck_assert_int_eq(
		plan_oci_parse(no_configs[_i].text, strlen(no_configs[_i].text), "/b", &plan, &e),
		-EINVAL);
	ck_assert_msg(strncmp(e.text, no_configs[_i].says, strlen(no_configs[_i].says)) == 0, "%s",
		      e.text);
}
END_TEST

/* n times item, separated by commas. */
static char *repeat(const char *item, size_t n)
{
	char *text = malloc(n * (strlen(item) + 1) + 1), *at = text;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "%s%s", i ? "," : "", item);
	return text;
}

START_TEST(lists_have_a_maximum)
{
	static const struct {
		const char *item, *says;
		size_t n, member;
	} lists[] = {
		{"\"a\"",				       "config.json: process.args: more than 4096 elements",   SBX_ARGS_MAX + 1,
		 offsetof(struct oci_parts, args)      },
		{"{\"destination\":\"/a\",\"type\":\"tmpfs\"}",
		 "config.json: mounts: more than 256 elements",                                                         SBX_MOUNTS_MAX + 1,
		 offsetof(struct oci_parts, mounts)    },
		{"{\"type\":\"pid\"}",                          "config.json: linux.namespaces: more than 32 elements", 33,
		 offsetof(struct oci_parts, namespaces)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_cleanup_free_ char *text = repeat(lists[i].item, lists[i].n);
		struct sbx_plan *plan = NULL;
		struct err e = ERR_INIT;
		struct oci_parts p = OCI_WITH(.top = NULL);

		*(const char **)((char *)&p + lists[i].member) = text;
		ck_assert_int_eq(oci_parse(&p, &plan, &e), -EINVAL);
		ck_assert_str_eq(e.text, lists[i].says);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_oci_refused");
	TCase *t = tcase_create("config");

	tcase_add_loop_test(t, what_cannot_be_honoured_is_refused_by_its_path, 0,
			    ARRAY_SIZE(refused));
	tcase_add_loop_test(t, what_is_no_config_is_refused, 0, ARRAY_SIZE(no_configs));
	tcase_add_test(t, lists_have_a_maximum);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

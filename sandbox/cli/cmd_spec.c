/* sandbox spec: a config.json to begin with, as other runtimes' `spec` writes it. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cli/cli.h"

const struct opt spec_opts[] = {
	{"bundle",   'b', OPT_TEXT, offsetof(struct cli, bundle),              "DIR",
	 "the bundle; default the current directory"                },
	{"rootless", 0,   OPT_FLAG, offsetof(struct cli, wants_rootless_spec), NULL,
	 "for the user who calls: without limits, root inside is he"},
	OPT_ROW_END,
};

static const char config_text[] =
	"{\n"
	"  'ociVersion': '" CLI_OCI_SPEC "',\n"
	"  'process': {\n"
	"    'terminal': true,\n"
	"    'user': {'uid': 0, 'gid': 0},\n"
	"    'args': ['sh'],\n"
	"    'env': ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', "
	"'TERM=xterm'],\n"
	"    'cwd': '/',\n"
	"    'capabilities': {\n"
	"      'bounding': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],\n"
	"      'effective': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'],\n"
	"      'permitted': ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE']\n"
	"    },\n"
	"    'rlimits': [{'type': 'RLIMIT_NOFILE', 'hard': 1024, 'soft': 1024}],\n"
	"    'noNewPrivileges': true\n"
	"  },\n"
	"  'root': {'path': 'rootfs', 'readonly': true},\n"
	"  'hostname': 'sandbox',\n"
	"  'mounts': [\n"
	"    {'destination': '/proc', 'type': 'proc', 'source': 'proc'},\n"
	"    {'destination': '/dev', 'type': 'tmpfs', 'source': 'tmpfs',\n"
	"     'options': ['nosuid', 'strictatime', 'mode=755', 'size=65536k']},\n"
	"    {'destination': '/dev/pts', 'type': 'devpts', 'source': 'devpts',\n"
	"     'options': ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', "
	"'gid=5']},\n"
	"    {'destination': '/dev/shm', 'type': 'tmpfs', 'source': 'shm',\n"
	"     'options': ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']},\n"
	"    {'destination': '/dev/mqueue', 'type': 'mqueue', 'source': 'mqueue',\n"
	"     'options': ['nosuid', 'noexec', 'nodev']},\n"
	"    {'destination': '/sys', 'type': 'sysfs', 'source': 'sysfs',\n"
	"     'options': ['nosuid', 'noexec', 'nodev', 'ro']},\n"
	"    {'destination': '/sys/fs/cgroup', 'type': 'cgroup', 'source': 'cgroup',\n"
	"     'options': ['nosuid', 'noexec', 'nodev', 'relatime', 'ro']}\n"
	"  ],\n"
	"  'linux': {\n"
	"    'resources': {'devices': [{'allow': false, 'access': 'rwm'}]},\n"
	"    'namespaces': [\n"
	"      {'type': 'pid'}, {'type': 'network'}, {'type': 'ipc'}, {'type': 'uts'},\n"
	"      {'type': 'mount'}\n"
	"    ],\n"
	"    'maskedPaths': [\n"
	"      '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys',\n"
	"      '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi', '/proc/timer_list',\n"
	"      '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware'\n"
	"    ],\n"
	"    'readonlyPaths': [\n"
	"      '/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'\n"
	"    ]\n"
	"  }\n"
	"}\n";

/*
 * What an ordinary user's container replaces. It shares the host's network, whose sysfs it may then not
 * mount, only bind; one id of his is all he can map, so there is no group 5; and nobody gave him a group to
 * set limits in.
 */
static const char rootless_text[] =
	"{\n"
	"  'pts': {'destination': '/dev/pts', 'type': 'devpts', 'source': 'devpts',\n"
	"   'options': ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']},\n"
	"  'sys': {'destination': '/sys', 'type': 'none', 'source': '/sys',\n"
	"   'options': ['rbind', 'nosuid', 'noexec', 'nodev', 'ro']},\n"
	"  'namespaces': [\n"
	"    {'type': 'pid'}, {'type': 'ipc'}, {'type': 'uts'}, {'type': 'mount'},\n"
	"    {'type': 'cgroup'}, {'type': 'user'}\n"
	"  ]\n"
	"}\n";

static void free_json(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(free_json)))

/* The texts above, which write ' for ". */
static json_t *load(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	json_error_t why;

	for (char *at = copy; at && *at; at++)
		if (*at == '\'')
			*at = '"';
	return copy ? json_loads(copy, 0, &why) : NULL;
}

/* One row, [{"containerID": 0, "hostID": id, "size": 1}]. */
static int map_id(json_t *part, const char *key, unsigned id)
{
	return json_object_set_new(part, key,
				   json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
					     (json_int_t)id, "size", 1));
}

static int replace_mounts(json_t *mounts, const json_t *with)
{
	static const char *const keys[] = {"pts", "sys"};
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		json_t *new = json_object_get(with, keys[k]);
		const char *target = json_string_value(json_object_get(new, "destination"));
		json_t *old;
		size_t i;

		json_array_foreach(mounts, i,
				   old) if (json_equal(json_object_get(old, "destination"),
						       json_object_get(new, "destination"))) break;
		r |= target ? json_array_set(mounts, i, new) : -1;
	}
	return r;
}

/* False when out of memory. */
static bool make_rootless(json_t *config)
{
	_cleanup_json_ json_t *with = load(rootless_text);
	json_t *part = json_object_get(config, "linux");
	int r = with ? 0 : -1;

	if (r == 0)
		r = replace_mounts(json_object_get(config, "mounts"), with);
	if (r == 0)
		r = json_object_set(part, "namespaces", json_object_get(with, "namespaces"));
	if (r == 0)
		r = json_object_del(part, "resources");
	if (r == 0)
		r = map_id(part, "uidMappings", geteuid());
	return r == 0 && map_id(part, "gidMappings", getegid()) == 0;
}

/*
 * On a host of cgroup v2 alone. Where there is v1, tools that runc's users have look for groups by the paths that a
 * container sees.
 */
static bool add_cgroup_namespace(json_t *config)
{
	json_t *spaces = json_object_get(json_object_get(config, "linux"), "namespaces");
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return true;
	return json_array_append_new(spaces, json_pack("{s:s}", "type", "cgroup")) == 0;
}

static bool complete(json_t *config, bool is_rootless)
{
	return is_rootless ? make_rootless(config) : add_cgroup_namespace(config);
}

int cmd_spec(struct cli *c, struct err *e)
{
	_cleanup_json_ json_t *config = load(config_text);
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int dir = -1, fd = -1;
	int r;

	if (config && complete(config, c->wants_rootless_spec))
		text = json_dumps(config, JSON_INDENT(2));
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	r = file_open_dir(AT_FDCWD, c->bundle, &dir, e);
	if (r < 0)
		return err_wrap(e, "bundle");
	fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "File config.json exists. Remove it first");
	if (fd < 0)
		return err_errno(e, "create '%s/config.json'", c->bundle);
	r = file_write_all(fd, text, strlen(text), e);
	return r < 0 ? r : file_write_all(fd, "\n", 1, e);
}

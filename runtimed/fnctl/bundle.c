/*
 * See bundle.h. What is asked for is what every OCI runtime has: namespaces, limits, ids without privilege, a
 * read-only root. The daemon's own id maps, landlock rules and filter are no part of it.
 */
#include "runtimed/fnctl/bundle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FUNCTION_ID   1000
#define CPU_PERIOD_US 100000

/* "K=V" of each variable. */
static json_t *env_of(json_t *variables)
{
	json_t *env = json_array(), *value;
	const char *key;

	json_object_foreach(variables, key, value)
		json_array_append_new(env, json_sprintf("%s=%s", key, json_string_value(value)));
	return env;
}

/* python -I -B RUNNER INIT; INIT is the daemon's, without env. */
static json_t *args_of(const json_t *init, const char *python)
{
	json_auto_t *rest = json_copy((json_t *)init);
	json_t *args;
	char *text;

	json_object_del(rest, "env");
	text = json_dumps(rest, JSON_COMPACT | JSON_ENSURE_ASCII);
	args = json_pack("[s,s,s,s,s]", python, "-I", "-B", BUNDLE_RUNNER, text);
	free(text);
	return args;
}

static json_t *process_of(const json_t *init, const char *python)
{
	return json_pack("{s:b,s:{s:i,s:i},s:o,s:o,s:s,s:b,s:{s:[],s:[],s:[]},s:[{s:s,s:i,s:i}]}",
			 "terminal", 0, "user", "uid", FUNCTION_ID, "gid", FUNCTION_ID, "args",
			 args_of(init, python), "env", env_of(json_object_get(init, "env")), "cwd",
			 BUNDLE_TASK, "noNewPrivileges", 1, "capabilities", "bounding", "effective",
			 "permitted", "rlimits", "type", "RLIMIT_NOFILE", "hard", 1024, "soft",
			 1024);
}

static json_t *mount_of(const char *at, const char *type, const char *flags[], const char *size)
{
	json_t *options = json_array();

	for (; *flags; flags++)
		json_array_append_new(options, json_string(*flags));
	if (size)
		json_array_append_new(options, json_string(size));
	return json_pack("{s:s,s:s,s:s,s:o}", "destination", at, "type", type, "source", type,
			 "options", options);
}

static json_t *mounts_of(json_int_t tmp_bytes)
{
	static const char *proc[] = {"nosuid", "noexec", "nodev", NULL};
	static const char *dev[] = {"nosuid", "mode=755", "size=64k", NULL};
	static const char *tmp[] = {"nosuid", "nodev", "mode=1777", NULL};
	char size[32];

	snprintf(size, sizeof(size), "size=%" JSON_INTEGER_FORMAT, tmp_bytes);
	return json_pack("[o,o,o,o]", mount_of("/proc", "proc", proc, NULL),
			 mount_of("/dev", "tmpfs", dev, NULL),
			 mount_of("/dev/shm", "tmpfs", tmp, "size=64m"),
			 mount_of("/tmp", "tmpfs", tmp, size));
}

static json_t *linux_of(const json_t *doc)
{
	return json_pack("{s:[{s:s},{s:s},{s:s},{s:s},{s:s},{s:s}],s:{s:{s:O},s:{s:O,s:i},s:{s:O}},"
			 "s:[s,s,s,s,s,s],s:[s,s,s,s,s]}",
			 "namespaces", "type", "pid", "type", "network", "type", "ipc", "type",
			 "uts", "type", "mount", "type", "cgroup", "resources", "memory", "limit",
			 json_object_get(doc, "memory_bytes"), "cpu", "quota",
			 json_object_get(doc, "cpu_quota_us"), "period", CPU_PERIOD_US, "pids",
			 "limit", json_object_get(doc, "pids_max"), "maskedPaths", "/proc/acpi",
			 "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/sched_debug",
			 "/proc/timer_list", "readonlyPaths", "/proc/bus", "/proc/fs", "/proc/irq",
			 "/proc/sys", "/proc/sysrq-trigger");
}

int bundle_config(const json_t *doc, const char *python, json_t **ret, struct err *e)
{
	json_int_t tmp_bytes;
	json_t *init, *config;

	if (json_unpack((json_t *)doc, "{s:o,s:I}", "init", &init, "tmp_bytes", &tmp_bytes) < 0)
		return err_set(e, EPROTO, "the daemon's answer has no init and tmp_bytes");
	config = json_pack("{s:s,s:o,s:{s:s,s:b},s:s,s:o,s:o}", "ociVersion", "1.0.2", "process",
			   process_of(init, python), "root", "path", "rootfs", "readonly", 1,
			   "hostname", "function", "mounts", mounts_of(tmp_bytes), "linux",
			   linux_of(doc));
	if (!config)
		return err_set(e, EPROTO, "the daemon's answer lacks a limit");
	*ret = config;
	return 0;
}

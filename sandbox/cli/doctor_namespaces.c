/* doctor: namespaces, each tried in a child, and what user namespaces need. See doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/doctor.h"
#include "sandbox/sys.h"
#include "sandbox/userns.h"

static int new_namespace(const void *flag)
{
	return unshare(*(const int *)flag) < 0 ? errno : 0;
}

static void namespace_of(struct finding *f, int flag, const char *config, enum doctor_state without)
{
	int code = doctor_try(new_namespace, &flag);

	doctor_say(f->found, "%s", code ? err_name(code) : "can be made");
	if (code == 0)
		return;
	f->state = without;
	doctor_say(f->effect, "bundles with a namespace of type %s do not start", config);
	if (code == EPERM)
		doctor_say(f->advice, "run as root, or allow user namespaces to ordinary users");
	else if (code == ENOSPC)
		doctor_say(f->advice, "raise the limit in /proc/sys/user");
	else
		doctor_say(f->advice, "a kernel with this kind of namespace");
}

#define NAMESPACE(name, flag, without)                                                             \
	static void ns_##name(struct finding *f)                                                   \
	{                                                                                          \
		namespace_of(f, flag, #name, without);                                             \
	}

NAMESPACE(mount, CLONE_NEWNS, DOCTOR_MISSING)
NAMESPACE(pid, CLONE_NEWPID, DOCTOR_LIMITED)
NAMESPACE(network, CLONE_NEWNET, DOCTOR_LIMITED)
NAMESPACE(ipc, CLONE_NEWIPC, DOCTOR_LIMITED)
NAMESPACE(uts, CLONE_NEWUTS, DOCTOR_LIMITED)
NAMESPACE(cgroup, CLONE_NEWCGROUP, DOCTOR_LIMITED)
NAMESPACE(time, CLONE_NEWTIME, DOCTOR_LIMITED)
NAMESPACE(user, CLONE_NEWUSER, DOCTOR_LIMITED)

/* ---- what limits user namespaces ---- */

static void user_limits(struct finding *f)
{
	doctor_say(f->found, "%s", "");
	for (const struct userns_switch *s = userns_switches; s->path; s++) {
		char value[32], text[128];
		struct err e = ERR_INIT;

		if (file_read(AT_FDCWD, s->path, value, sizeof(value), &e) < 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s %s", strrchr(s->path, '/') + 1, value);
		doctor_add(f->found, text);
		if (!str_is(value, s->forbids))
			continue;
		f->state = userns_is_host_root() ? DOCTOR_LIMITED : DOCTOR_MISSING;
		doctor_say(f->effect,
			   "ordinary users cannot make user namespaces, so no "
			   "containers (%s)",
			   s->path);
		doctor_say(f->advice, "%s", s->advice);
	}
}

/* "name:first:count" or "uid:first:count". */
static bool has_range(const char *path, const char *user)
{
	_cleanup_free_ char *line = NULL;
	FILE *file = fopen(path, "re");
	size_t size = 0, n = strlen(user);
	char uid[16];
	bool found = false;

	(void)snprintf(uid, sizeof(uid), "%u:", getuid());
	while (file && !found && getline(&line, &size, file) > 0)
		found = (strncmp(line, user, n) == 0 && line[n] == ':') ||
			str_has_prefix(line, uid);
	if (file)
		(void)fclose(file);
	return found;
}

static void id_ranges(struct finding *f)
{
	const char *user = getenv("USER") ?: "";

	if (geteuid() == 0) {
		doctor_say(f->found, "root maps any id");
		return;
	}
	if (!has_range("/etc/subuid", user) || !has_range("/etc/subgid", user))
		doctor_add(f->advice, "give the user a line in /etc/subuid and /etc/subgid");
	for (int i = 0; i < 2; i++) {
		struct err e = ERR_INIT;

		if (userns_helper_check(&userns_helpers[i], &e) < 0)
			doctor_add(f->advice, e.text);
	}
	doctor_say(f->found, "user %u", getuid());
	if (!*f->advice)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "containers can have one user id, the caller's own");
}

/* ---- id-mapped mounts ---- */

/* Wait at the pipe, in a user namespace of its own; the parent maps an id there. */
static void wait_in_user_namespace(int ready, int go)
{
	char byte = unshare(CLONE_NEWUSER) < 0 ? 'n' : 'y';

	if (write(ready, &byte, 1) == 1)
		(void)!read(go, &byte, 1);
	_exit(0);
}

static int map_one_id(pid_t pid, int *ret_ns)
{
	static const char *const maps[] = {"uid_map", "gid_map"};
	char path[64];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, maps[i]);
		if (file_write(AT_FDCWD, path, "0 1 1", &e) < 0)
			return e.code;
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	*ret_ns = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_ns < 0 ? errno : 0;
}

static int map_mount(int user_ns)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_ns};
	_cleanup_fd_ int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC), mount = -1;

	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno;
	mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount < 0 || sys_mount_setattr(mount, "", AT_EMPTY_PATH, &attr) < 0)
		return errno;
	return 0;
}

static int try_idmap(const void *arg)
{
	_cleanup_fd_ int ns = -1;
	int ready[2], go[2], code = 0;
	char byte = 'n';
	pid_t pid;

	(void)arg;
	/* Of the child of doctor_try(), with which these descriptors end. */
	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return errno;
	if (pid == 0) {
		close(go[1]);
		wait_in_user_namespace(ready[1], go[0]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1 || byte != 'y')
		code = EPERM;
	if (code == 0)
		code = map_one_id(pid, &ns);
	if (code == 0)
		code = map_mount(ns);
	close(go[1]);
	(void)waitpid(pid, NULL, 0);
	return code;
}

static void idmap(struct finding *f)
{
	int code = doctor_try(try_idmap, NULL);

	doctor_say(f->found, "%s", code ? err_name(code) : "on tmpfs");
	if (code == 0)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "mounts with uidMappings, or the option idmap, are refused");
	doctor_say(f->advice, code == EPERM ? "run as root" : "Linux 6.3 or newer");
}

/* clang-format off */
const struct check doctor_namespaces[] = {
	{"namespace mount",   true,  ns_mount   },
	{"namespace pid",     false, ns_pid     },
	{"namespace network", false, ns_network },
	{"namespace ipc",     false, ns_ipc     },
	{"namespace uts",     false, ns_uts     },
	{"namespace cgroup",  false, ns_cgroup  },
	{"namespace time",    false, ns_time    },
	{"namespace user",    false, ns_user    },
	{"user namespaces",   false, user_limits},
	{"id ranges",         false, id_ranges  },
	{"idmapped mounts",   false, idmap      },
	{NULL,                false, NULL       },
};
/* clang-format on */

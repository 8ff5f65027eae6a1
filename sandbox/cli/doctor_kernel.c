/* doctor: the kernel's system calls and file systems. See doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/cli/doctor.h"
#include "sandbox/landlock.h"
#include "sandbox/sys.h"

#define ACTIONS_BYTES 256

static void kernel(struct finding *f)
{
	struct utsname u;

	if (uname(&u) == 0)
		doctor_say(f->found, "%s %s %s", u.sysname, u.release, u.machine);
}

/* ---- mounts ---- */

static int open_in_root(const void *arg)
{
	_cleanup_fd_ int fd = sys_open_in_root(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	return fd < 0 ? errno : 0;
}

static void safe_paths(struct finding *f)
{
	int code = doctor_try(open_in_root, NULL);

	doctor_say(f->found, "openat2%s%s", code ? ": " : "", code ? err_name(code) : "");
	if (code == 0)
		return;
	f->state = DOCTOR_MISSING;
	doctor_say(f->effect, "paths in a root file system cannot be walked safely");
	doctor_say(f->advice, "Linux 5.6 or newer; a filter around us may forbid the call");
}

/* A file system that is attached nowhere, so it ends with its descriptor. */
static int new_mount(const char *type, int *ret_fd)
{
	_cleanup_fd_ int fs = sys_fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno;
	*ret_fd = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	return *ret_fd < 0 ? errno : 0;
}

static int set_attributes(const void *arg)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_fd_ int mount = -1;
	int code = new_mount("tmpfs", &mount);

	(void)arg;
	if (code == 0 && sys_mount_setattr(mount, "", AT_EMPTY_PATH, &attr) < 0)
		code = errno;
	return code;
}

static void mount_api(struct finding *f)
{
	int code = doctor_try(set_attributes, NULL);

	doctor_say(f->found, "fsopen, fsmount, mount_setattr%s%s", code ? ": " : "",
		   code ? err_name(code) : "");
	if (code == 0)
		return;
	f->state = DOCTOR_MISSING;
	doctor_say(f->effect, "nothing can be mounted for a container");
	doctor_say(f->advice,
		   code == EPERM ? "run as root, or allow user namespaces" : "Linux 5.12 or newer");
}

static int know_file_system(const void *type)
{
	_cleanup_fd_ int fs = sys_fsopen(type, FSOPEN_CLOEXEC);

	return fs < 0 ? errno : 0;
}

static void file_system(struct finding *f, const char *type, const char *effect)
{
	int code = doctor_try(know_file_system, type);

	doctor_say(f->found, "%s", code ? err_name(code) : "can be mounted");
	if (code == 0)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "%s", effect);
	doctor_say(f->advice,
		   code == ENODEV ? "load the kernel module %s" : "mount %s file systems as root",
		   type);
}

static void overlay(struct finding *f)
{
	file_system(f, "overlay",
		    "functions do not start, since their root is an overlay; "
		    "bundles do");
}

static void erofs(struct finding *f)
{
	file_system(f, "erofs", "images of functions cannot be mounted; bundles are not concerned");
}

static void mqueue(struct finding *f)
{
	file_system(f, "mqueue", "bundles that mount mqueue, as default ones do, do not start");
}

/* ---- filters ---- */

/* Actions that a profile may name; without one of these it is refused, not weakened. */
static void seccomp(struct finding *f)
{
	static const char *const wanted[] = {"kill_process", "kill_thread", "trap", "errno",
					     "user_notif",   "trace",       "log",  "allow"};
	char actions[ACTIONS_BYTES] = "", version[32], missing[ACTIONS_BYTES] = "";
	struct err e = ERR_INIT;

	pol_library_version(version, sizeof(version));
	if (file_read(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", actions, sizeof(actions),
		      &e) < 0) {
		f->state = DOCTOR_MISSING;
		doctor_say(f->found, "%.200s", e.text);
		doctor_say(f->effect,
			   "no filter of system calls: a container that asks for one, and "
			   "every function, is refused");
		doctor_say(f->advice, "a kernel with CONFIG_SECCOMP_FILTER");
		return;
	}
	doctor_say(f->found, "actions %s; libseccomp %s", actions, version);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(actions, wanted[i]))
			doctor_add(missing, wanted[i]);
	if (!*missing)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "filters with %s are refused", missing);
}

static void landlock(struct finding *f)
{
	int abi = landlock_abi();

	doctor_say(f->found, "ABI %d", abi);
	if (abi > 0)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "the second line of defence of functions' files is missing");
	doctor_say(f->advice, "Linux 5.13 or newer, with landlock in the boot parameter lsm=");
}

const struct check doctor_kernel[] = {
	{"kernel",      false, kernel    },
	{"safe paths",  true,  safe_paths},
	{"mount calls", true,  mount_api },
	{"overlay",     false, overlay   },
	{"erofs",       false, erofs     },
	{"mqueue",      false, mqueue    },
	{"seccomp",     false, seccomp   },
	{"landlock",    false, landlock  },
	{NULL,          false, NULL      },
};

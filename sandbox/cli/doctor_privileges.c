/* doctor: cgroups, and what we may do ourselves. See doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup.h"
#include "sandbox/caps.h"
#include "sandbox/cli/doctor.h"
#include "sandbox/userns.h"

/* ---- cgroups ---- */

static void cgroups(struct finding *f)
{
	struct cg_host *host = NULL;
	char missing[DOCTOR_TEXT_MAX] = "";
	struct err e = ERR_INIT;

	if (cg_probe(&host, &e) < 0) {
		f->state = userns_is_host_root() ? DOCTOR_MISSING : DOCTOR_LIMITED;
		doctor_say(f->found, "%.400s", e.text);
		doctor_say(f->effect, f->state == DOCTOR_MISSING
					      ? "no container starts: each has a group of its own"
					      : "containers have no groups, so limits are refused");
		doctor_say(f->advice,
			   "mount cgroup2 with memory, cpu and pids, or those three on v1 "
			   "beside it");
		return;
	}
	doctor_say(f->found, "%s", cg_host_mode(host) == CG_UNIFIED ? "v2" : "v1 and v2 (hybrid)");
	for (int h = 0; h < CG_HIERARCHIES; h++) {
		char place[DOCTOR_TEXT_MAX];

		(void)snprintf(place, sizeof(place), "%s %s", cg_hierarchy_name(h),
			       cg_host_path(host, h));
		if (cg_host_has(host) & CG_BIT(h))
			doctor_add(f->found, place);
		else
			doctor_add(missing, cg_hierarchy_name(h));
	}
	cg_host_free(host);
	if (!*missing)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "not there: %.400s; what config.json asks of them is refused",
		   missing);
}

static void delegation(struct finding *f)
{
	struct cg_host *host = NULL;
	struct err e = ERR_INIT;
	const char *missing = NULL;

	if (cg_probe(&host, &e) < 0) {
		f->state = userns_is_host_root() ? DOCTOR_MISSING : DOCTOR_LIMITED;
		doctor_say(f->found, "see cgroups");
		return;
	}
	for (int h = 0; h < CG_HIERARCHIES && !missing; h++) {
		const char *path = cg_host_path(host, h);

		if (*path && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
			missing = cg_hierarchy_name(h);
	}
	doctor_say(f->found, "%s",
		   missing ? "our own group is not ours to divide"
			   : "our own group may be divided");
	if (missing && !userns_is_host_root()) {
		f->state = DOCTOR_LIMITED;
		doctor_say(
			f->effect,
			"no group can be made in the hierarchy of %s: containers run without a "
			"group, in a pid namespace; limits, pause, update and events are refused",
			missing);
	} else if (missing) {
		f->state = DOCTOR_MISSING;
		doctor_say(f->effect,
			   "no group can be made in the hierarchy of %s, so no container "
			   "starts",
			   missing);
	}
	if (missing)
		doctor_say(f->advice,
			   "start sandbox in a delegated group (systemd-run --user --scope "
			   "-p Delegate=yes), or as root");
	cg_host_free(host);
}

/* ---- capabilities ---- */

/* What a step needs that is not done for those who do not ask for it. */
static const struct {
	const char *name, *effect;
} needs[] = {
	{"CAP_SYS_ADMIN",    "nothing can be mounted, no namespace made"              },
	{"CAP_SETUID",       "process.user cannot be another one"                     },
	{"CAP_SETGID",       "process.user cannot be of other groups"                 },
	{"CAP_SETPCAP",      "the bounding set cannot be lowered"                     },
	{"CAP_NET_ADMIN",    "loopback stays down in new network namespaces"          },
	{"CAP_SYS_CHROOT",   "a mount namespace cannot be joined"                     },
	{"CAP_KILL",         "containers of other users cannot be signalled"          },
	{"CAP_DAC_OVERRIDE", "files of other users cannot be reached"                 },
	{"CAP_CHOWN",        "a terminal cannot be given to the container's user"     },
	{"CAP_MKNOD",        "linux.devices cannot be made"                           },
	{"CAP_SYS_RESOURCE",
	 "rlimits over our own hard ones and an oomScoreAdj below our own are refused"},
	{"CAP_SYS_NICE",     "real-time schedulers and a higher priority are refused" },
	{"CAP_BPF",          "device rules on cgroup v2 cannot be loaded"             },
	{"CAP_SYS_PTRACE",   "namespaces of processes of other users cannot be joined"},
};

static bool read_effective(uint64_t *ret)
{
	unsigned long long mask = 0;
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, "CapEff: %llx", &mask) == 1;
	if (file)
		(void)fclose(file);
	*ret = mask;
	return found;
}

static void capabilities(struct finding *f)
{
	char missing[DOCTOR_TEXT_MAX] = "";
	uint64_t mine = 0, mask;
	struct err e = ERR_INIT;

	if (geteuid() != 0) {
		doctor_say(f->found, "those of a user namespace: not asked");
		return;
	}
	if (!read_effective(&mine)) {
		f->state = DOCTOR_LIMITED;
		doctor_say(f->found, "/proc/self/status does not tell");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (caps_from_name(needs[i].name, &mask, &e) < 0 || mine & mask)
			continue;
		doctor_add(missing, needs[i].name);
		doctor_add(f->effect, needs[i].effect);
	}
	if (!*missing) {
		doctor_say(f->found, "all that we use");
		return;
	}
	f->state = DOCTOR_LIMITED;
	doctor_say(f->found, "without %.400s", missing);
	doctor_say(f->advice, "start sandbox with them, if a bundle asks for such things");
}

static void open_files(struct finding *f)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	doctor_say(f->found, "%llu, at most %llu", (unsigned long long)l.rlim_cur,
		   (unsigned long long)l.rlim_max);
	if (l.rlim_max >= 1024)
		return;
	f->state = DOCTOR_LIMITED;
	doctor_say(f->effect, "RLIMIT_NOFILE 1024, as default bundles ask for, is refused without "
			      "CAP_SYS_RESOURCE");
	doctor_say(f->advice, "raise the hard limit: ulimit -Hn 1024");
}

const struct check doctor_privileges[] = {
	{"cgroups",      true,  cgroups     },
	{"delegation",   true,  delegation  },
	{"capabilities", false, capabilities},
	{"open files",   false, open_files  },
	{NULL,           false, NULL        },
};

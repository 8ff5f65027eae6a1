/*
 * The launcher's world: kernel objects made once at start and undone at the end, in reverse order.
 *
 *	RUN/            locked by one daemon at a time
 *	RUN/cgroup      name of our group below our own: what a crashed daemon left is found by it
 *	RUN/img/N       image N, mounted   } in the launcher's own mount namespace only: they end with
 *	RUN/dev         the minimal /dev   } the last process in it, whatever happens
 *	RUN/stage       empty; covered by each instance in its namespace
 *	STATE/code      unpacked packages
 *	STATE/core      the core's own directory
 *
 * The groups: <own>/NAME/{daemon, zygote, i<slot>}.
 */
#ifndef RUNTIMED_HOST_H
#define RUNTIMED_HOST_H

#include "base/err.h"
#include "policy/policy.h"
#include "runtimed/config.h"
#include "runtimed/launch.h"
#include "sandbox/cgroup.h"
#include "sandbox/plan.h"

#define HOST_GROUP_MAX 32
#define HOST_PATH_MAX  1100

struct host {
	const struct config *cfg;
	int state, run; /* directories */
	int lock;       /* RUN/lock, held */
	int null;       /* /dev/null: standard input of all that is started; ours may be anything */
	struct cg_host *cgroups;
	char group_name[HOST_GROUP_MAX];
	bool has_group;
	bool peak_resets; /* struct cg_meter's, of all groups here */
	struct cg group;  /* ours, parent of all others */
	struct cg zygotes;
	uint32_t n_images;
	struct launch_image images[LAUNCH_IMAGES_MAX];
	char python[LAUNCH_IMAGES_MAX][128];
	char image_path[LAUNCH_IMAGES_MAX][HOST_PATH_MAX];
	char dev_path[HOST_PATH_MAX], stage_path[HOST_PATH_MAX];
	struct pol_program *init_filter; /* heap: 32 KiB each */
	struct sbx_drop *function_drop;
	struct sbx_drop *unpack_drop;
	struct sbx_drop *core_drop;
};

/* Everything up to mounted images. Removes what an earlier daemon on the same RUN left behind. */
int host_open(struct host *h, const struct config *cfg, struct err *e);

/* Kill and remove everything of ours; logs what it cannot remove. Accepts a half-opened host. */
void host_close(struct host *h);

#endif

/*
 * User namespaces: which one we are in, whose ids can be mapped into a new one, and why none can be made.
 *
 * Who maps what:
 *	root, of the host or of a user namespace	any id that he has himself, by writing /proc/PID/uid_map
 *	an ordinary user				his own id alone, in the same way; setgroups(2) is lost by it
 *	an ordinary user with /etc/subuid, /etc/subgid	those ranges too, by newuidmap and newgidmap
 */
#ifndef SANDBOX_USERNS_H
#define SANDBOX_USERNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

/* Are we in the host's, where root is the host's root? */
bool userns_is_initial(void);

/* Root of the host: power over groups, devices and mounts of all others. */
bool userns_is_host_root(void);

enum userns_map { USERNS_UIDS, USERNS_GIDS };

/* Map the ids of a process that was just born into a new user namespace: a child of ours, not yet reaped. */
int userns_map(pid_t pid, enum userns_map which, const struct sbx_idmap *maps, uint32_t n,
	       struct err *e);

/* Of one that was joined: are these its maps? */
int userns_check_map(pid_t pid, enum userns_map which, const struct sbx_idmap *maps, uint32_t n,
		     struct err *e);

/* The programs for ranges, and where the ranges are listed; i < 2. */
struct userns_helper {
	const char *file, *program, *list;
};
extern const struct userns_helper userns_helpers[];

/* Is it there, and can it do what an ordinary user cannot? */
int userns_helper_check(const struct userns_helper *h, struct err *e);

/* What forbids user namespaces to ordinary users when it has this value. path NULL ends the table. */
struct userns_switch {
	const char *path, *forbids, *advice;
};
extern const struct userns_switch userns_switches[];

/* After a failure that may be theirs: name the one that forbids, in *e. Returns -e->code. */
int userns_explain(struct err *e);

#endif

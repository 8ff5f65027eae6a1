/*
 * Running the programs that config.json names as hooks.
 *
 * One implementation for both halves: the starter runs those of its own namespaces, the child those of the
 * container's. So it is libc and raw calls alone, without allocation, and needs of a filter that is in force
 * already only what starting any program needs.
 *
 * A hook gets its configured environment and nothing of ours or the container's (CVE-2025-23266); the state JSON on
 * stdin; the bundle as working directory. But createContainer hooks get the container's root, as runc gives it to
 * them: they change it by relative paths, which from any other place would change the host.
 */
#ifndef SANDBOX_HOOK_H
#define SANDBOX_HOOK_H

#include "base/err.h"
#include "sandbox/plan.h"

/* "prestart", ... */
const char *hook_kind_name(enum sbx_hook_kind kind);

/*
 * Run hook i of a kind to its end. state is a file that holds the state JSON; dir its working directory, "/"
 * if that is gone. -ECHILD if it fails, -ETIMEDOUT if it had to be killed (its process group is), with the
 * first words it wrote to stdout or stderr.
 */
int hook_run(const struct sbx_plan *p, enum sbx_hook_kind kind, uint32_t i, int state,
	     const char *dir, struct err *e);

/* All of a kind, in order, up to the first that fails. */
int hook_run_all(const struct sbx_plan *p, enum sbx_hook_kind kind, int state, const char *dir,
		 struct err *e);

#endif

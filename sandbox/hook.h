/*
 * Running the programs that config.json names as hooks.
 *
 * One implementation for both halves: the starter runs those of its own namespaces, the child those of the
 * container's. So it is libc and raw calls alone, without allocation, and needs of a filter that is in force
 * already only what starting any program needs.
 *
 * A hook gets the state JSON on stdin and its configured environment. If none is configured, a startContainer hook
 * gets that of the container's process, as a program of the container. All others are programs of the host and get
 * that of the runtime: what an image says must not reach their loader (CVE-2025-23266).
 *
 * The bundle is the working directory. But createContainer hooks get the container's root, as runc gives it to
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

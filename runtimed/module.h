/*
 * Modules: the part of a handler that names a file of the package.
 *
 * handler "pkg/app.run" or "pkg.app.run" -> module "pkg/app" -> one of pkg/app.py, pkg/app/__init__.py,
 * pkg/app.<anything>.so. Both the worker that unpacks and the launcher that finds a package already
 * installed ask module_find(), so that they cannot disagree.
 */
#ifndef RUNTIMED_MODULE_H
#define RUNTIMED_MODULE_H

#include <stdbool.h>

#include "base/err.h"
#include "runtimed/launch.h"

/*
 * The module of a handler, '.' made '/'. -EINVAL: no '.', an empty part, too long, or letters other than
 * [A-Za-z0-9_].
 */
int module_from_handler(const char *handler, char ret_module[LAUNCH_MODULE_MAX + 1], struct err *e);

/* Whether a module has the form above: what the launcher checks before it believes the core. */
bool module_is_valid(const char *module);

/*
 * Look for the module's file beneath dirfd; symlinks that stay beneath are followed. -ENOENT: "no file
 * app.py in the package". module is valid.
 */
int module_find(int dirfd, const char *module, struct err *e);

#endif

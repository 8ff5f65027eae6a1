/* The config.json of a function's bundle (cmd_export.c writes the rest). */
#ifndef FNCTL_BUNDLE_H
#define FNCTL_BUNDLE_H

#include <jansson.h>

#include "base/err.h"

#define BUNDLE_RUNNER "/usr/lib/runtimed/bundle.py"
#define BUNDLE_TASK   "/var/task"

/*
 * doc is the daemon's answer to GET /v1/functions/NAME/bundle, python the interpreter's path in the image.
 * *ret is a new reference.
 */
int bundle_config(const json_t *doc, const char *python, json_t **ret, struct err *e);

#endif

/*
 * Names inside a package: pure functions on hostile bytes.
 *
 * The errors say what is wrong without the name; unpack.c puts "entry 'NAME': " before them.
 */
#ifndef RUNTIMED_UNPACK_NAME_H
#define RUNTIMED_UNPACK_NAME_H

#include <stddef.h>

#include "base/err.h"
#include "runtimed/unpack.h"

#define UNPACK_SHOWN_MAX 160

struct unpack_name {
	char path[UNPACK_PATH_MAX + 1]; /* no "", "." or ".." part, no leading or trailing '/' */
	unsigned depth;                 /* parts; 0 = the package's own directory, path "" */
};

/* Check a name and bring it into the one form. Linux rules alone: "C:" is an ordinary name. */
int unpack_name(const char *raw, struct unpack_name *ret, struct err *e);

/*
 * Check the target of a symlink at name. ".." may lead only, and not above the package: the link's own
 * directory and those above are real directories, so that is decided by counting; a ".." after a part that
 * is itself a symlink would not be. Every symlink passing this, no chain of them leaves.
 */
int unpack_symlink(const struct unpack_name *name, const char *target, struct err *e);

/* The name as it may stand in a message: one line, UTF-8, other bytes as \xNN, shortened. */
void unpack_show(const char *raw, char out[UNPACK_SHOWN_MAX]);

#endif

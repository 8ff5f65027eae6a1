/*
 * The working directory of the process, as steps of the child. cwd is an absolute path in the root, or NULL:
 * then nothing is done.
 */
#ifndef SANDBOX_CWD_H
#define SANDBOX_CWD_H

#include <stdbool.h>

#include "base/err.h"

/* Missing, it is made beneath root (a directory's descriptor), as engines expect; while that is writable. */
int cwd_make(int root, const char *cwd, struct err *e);

/*
 * Enter it before the drop, since images name directories that only root can enter, and runc enters them.
 * Where root may not (a network file system, FUSE) the user perhaps may: then *ret_is_in is false, and
 * cwd_enter_dropped() comes after the drop.
 */
int cwd_enter(const char *cwd, bool *ret_is_in, struct err *e);
int cwd_enter_dropped(const char *cwd, struct err *e);

#endif

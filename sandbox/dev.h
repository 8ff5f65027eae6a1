/* What every /dev has, that of functions (sbx_dev_fill()) and that of bundles (root_dev.c). */
#ifndef SANDBOX_DEV_H
#define SANDBOX_DEV_H

#include "base/err.h"

/* The links fd, stdin, stdout and stderr in the directory. What has such a name already stays. May run after clone3(). */
int dev_links(int dirfd, struct err *e);

#endif

/* An image of the store as a mount. The daemon's and fnctl's: the store itself knows files only. */
#ifndef RUNTIMED_IMGMOUNT_H
#define RUNTIMED_IMGMOUNT_H

#include "base/err.h"
#include "images/store.h"

/*
 * Mount it read-only, detached: EROFS straight from the file (Linux 6.12), else the unpacked copy
 * (docs/SECURITY.md, fallbacks). Needs CAP_SYS_ADMIN. *ret is the caller's to close.
 */
int imgmount(struct img_store *store, const struct img *img, int *ret, struct err *e);

#endif

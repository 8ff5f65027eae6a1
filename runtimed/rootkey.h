/* The root key of the API: "AKID\nSECRET\n" in STATE/root-key, mode 0600, made at the first start. */
#ifndef RUNTIMED_ROOTKEY_H
#define RUNTIMED_ROOTKEY_H

#include "base/err.h"

/* Make it unless it is there, and open it read-only. */
int rootkey_open(int state, int *ret, struct err *e);

#endif

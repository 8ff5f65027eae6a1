/* Network namespaces from inside. */
#ifndef SANDBOX_NET_H
#define SANDBOX_NET_H

#include "base/err.h"

/* Bring the loopback device of the caller's network namespace up. */
int net_loopback_up(struct err *e);

#endif

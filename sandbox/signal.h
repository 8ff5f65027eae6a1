/* Signals as users and engines spell them. */
#ifndef SANDBOX_SIGNAL_H
#define SANDBOX_SIGNAL_H

#include "base/err.h"

/* "TERM", "SIGTERM", "sigterm", "RTMIN+3", "15": -EINVAL for anything else. */
int sbx_signal_parse(const char *text, int *ret, struct err *e);

#endif

/* The listening sockets, made by root and handed to the core. */
#ifndef RUNTIMED_LISTEN_H
#define RUNTIMED_LISTEN_H

#include <stdint.h>

#include "base/err.h"

/* RUN/runtimed.sock; who may use it is decided by peer uid, so its mode is open. */
int listen_unix(const char *run_dir, int *ret, struct err *e);

/* 127.0.0.1:port (0 = any free one); the port is written to RUN/port. */
int listen_loopback(int run, uint16_t port, int *ret, struct err *e);

#endif

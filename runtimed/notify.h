/*
 * The service manager's protocol, sd_notify(3): one datagram of lines "NAME=VALUE" to the socket that it names in
 * the environment. Started by anybody else, nothing is said.
 */
#ifndef RUNTIMED_NOTIFY_H
#define RUNTIMED_NOTIFY_H

/* E.g. "READY=1". A manager that does not hear it judges by its own timeouts. */
void notify(const char *state);

#endif

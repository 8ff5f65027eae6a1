/*
 * What instance.c and instance_stream.c share. Nobody else includes this.
 *
 *	instance.c          its states, its log pipe, its counters; open and free
 *	instance_stream.c   its frames to and from the guest
 */
#ifndef RUNTIMED_INSTANCE_PRIVATE_H
#define RUNTIMED_INSTANCE_PRIVATE_H

#include "runtimed/instance.h"

/* The metrics follow. */
void instance_set_state(struct instance *in, enum instance_state to);

/* A guest that does not keep to the protocol has been taken over by its tenant: end it. */
void instance_broken(struct instance *in, const char *what);

/* OPENING: listen to the guest, and send in->out, which is its GUEST_INIT. */
void instance_stream_open(struct instance *in);

/* BUSY: send the frame of the invocation, which is or becomes in->inv; what does not fit follows from the loop. */
void instance_stream_send(struct instance *in, struct invocation *inv);

#endif

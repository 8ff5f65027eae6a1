/*
 * One HTTP client over the daemon's unix socket. Blocks.
 *
 *  1. client_init()
 *  2. client_call() as often as wanted; the connection is kept
 *  3. client_fini()
 */
#ifndef FNCTL_CLIENT_H
#define FNCTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

#define CLIENT_PATH_MAX  255
#define CLIENT_REPLY_MAX (64 << 20)

struct client {
	void *curl; /* CURL: only client.c knows libcurl */
	const char *socket;
};

struct request {
	const char *method; /* "GET" */
	char path[CLIENT_PATH_MAX + 1];
	const char *header; /* one more header line, or NULL */
	const void *body;   /* borrowed; NULL = none */
	size_t body_size;
};

struct reply {
	long status;
	struct buf body;
};

int client_init(struct client *c, const char *socket, struct err *e);
void client_fini(struct client *c);
#define _cleanup_client_ __attribute__((cleanup(client_fini)))

/*
 * Send and wait for the whole answer, whatever its status. The reply is to be freed with reply_fini(),
 * also after a failure. Negative when the daemon cannot be reached or the connection breaks.
 */
int client_call(struct client *c, const struct request *rq, struct reply *ret, struct err *e);

/* The same for what must succeed: a status of 300 or more is an error too (client_error()). */
int client_must(struct client *c, const struct request *rq, struct reply *ret, struct err *e);

/* A header of the last reply, borrowed until the next call; NULL if it had none. */
const char *client_header(struct client *c, const char *name);

/* Say in *e what the daemon said against a request: "ResourceNotFoundException: ...". Returns -EPROTO. */
int client_error(struct client *c, const struct reply *r, struct err *e);

void reply_init(struct reply *r);
void reply_fini(struct reply *r);
#define _cleanup_reply_ __attribute__((cleanup(reply_fini)))

/* The body as JSON, a new reference: keep it in a json_auto_t. */
int reply_json(const struct reply *r, json_t **ret, struct err *e);

#endif

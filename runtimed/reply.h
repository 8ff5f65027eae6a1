/* The head of an answer. Pure. */
#ifndef RUNTIMED_REPLY_H
#define RUNTIMED_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtimed/api.h"

#define REPLY_HEAD_MAX 512

/*
 * Status line and the fields every answer has, without r->headers and without the empty line that ends
 * the head. Returns its length.
 */
size_t reply_head(const struct reply *r, const char *request_id, const char *date, bool is_last,
		  char out[REPLY_HEAD_MAX]);

#endif

/*
 * A change of one function, from the request's body to the durable row. Private to api_change.c (what
 * each operation means) and change.c (how any change goes).
 *
 *  1. change_begin()     the body is parsed and the package decoded on the thread pool
 *  2. apply()            on the loop: checks, makes the new version, then one of
 *       change_install()   the package goes into the code store, then
 *       change_store()     the row is written; then the registry changes and the request is answered
 *       change_fail()
 *
 * One change of a function at a time: a second one is refused (409) until the first is answered.
 */
#ifndef RUNTIMED_CHANGE_H
#define RUNTIMED_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

#include "base/list.h"
#include "runtimed/api.h"
#include "runtimed/launch.h"

struct change {
	struct list link; /* call_changes(), once claimed */
	uv_work_t work;
	struct call *call;
	void (*apply)(struct change *ch);
	char name[FUNC_NAME_MAX + 1]; /* claimed */
	json_t *body;
	bool has_zip;
	char *zip; /* decoded ZipFile, heap */
	size_t zip_size;
	struct func *fn; /* the new version; NULL = the function is deleted */
	unsigned status; /* of the answer */
	uint8_t code[LAUNCH_SHA256_LEN];
	bool holds_code;
	struct err err; /* of the thread */
};

/* Start; answers by itself when it fails. */
void change_begin(struct call *c, void (*apply)(struct change *ch));

/* Make this the one change of the function; false when there is another (then it has been answered). */
bool change_claim(struct change *ch, const char *name);

void change_install(struct change *ch);
void change_store(struct change *ch);

/* Answer without a change, and end it. */
void change_fail(struct change *ch, enum api_error kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void change_answer(struct change *ch, const struct func *f);

#endif

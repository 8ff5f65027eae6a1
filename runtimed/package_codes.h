/*
 * The codes that the launcher may have: one row each, with a mark on disk that is made and removed with the
 * row. Private to package.c, which has the jobs.
 */
#ifndef RUNTIMED_PACKAGE_CODES_H
#define RUNTIMED_PACKAGE_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "runtimed/package.h"

struct known {
	uint8_t sha256[LAUNCH_SHA256_LEN];
	unsigned n_holds;
	struct list link;
};

struct codes {
	struct core *core;
	struct package_env env;
	int incoming, marks;
	struct list known, jobs;
	unsigned n_jobs; /* in the list, or abandoned with a thread at work */
	uint64_t last_id;
	bool is_closed;
};

/* A row without a mark of its own making: the mark was found on disk. NULL = out of memory. */
struct known *codes_add(struct codes *c, const uint8_t *sha256);

/* The row of a code, with one hold more; marked on disk if it is new. */
int codes_hold(struct codes *c, const uint8_t *sha256, struct known **ret, struct err *e);

/*
 * Have it forgotten if nobody holds or uses it; then k is freed. If the launcher cannot be told the row
 * stays, and its mark for the next start.
 */
void codes_collect(struct codes *c, struct known *k);

/* All jobs are gone. */
void codes_free(struct codes *c);

#endif

/*
 * Packages, seen by the core: a zip from the API becomes code that functions can name by its SHA-256.
 *
 *  1. package_open()      finds the codes of earlier runs
 *  2. package_gc_all()    once the functions are loaded
 *  3. package_submit()    for each upload; done() comes later, from the loop
 *  4. package_release()   when the function that wanted the code is registered, or will never be
 *  5. package_gc()        after a function was deleted or updated, and after an instance ended
 *  6. package_close(), then run the loop to its end
 *
 * The zip is hashed and written to STATE/core/incoming/<job> on the thread pool; the launcher gets the
 * open file, never a path, and the file is unlinked at once. STATE/core/codes/<sha256> is an empty file
 * for each code that the launcher may have: the memory of what to forget, made before the launcher is asked
 * and removed after it was told to forget.
 *
 * A code is kept while a function in the registry, a live instance, a job, or a hold (see
 * package_submit()) uses it.
 */
#ifndef RUNTIMED_PACKAGE_H
#define RUNTIMED_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/launch.h"

#define PACKAGE_BYTES_MAX UINT64_C(52428800)
#define PACKAGE_JOBS_MAX  16 /* uploads at work at one time; more are refused (EAGAIN: answer 429) */

struct core;

struct package {
	uint8_t sha256[LAUNCH_SHA256_LEN];
	uint64_t packed_bytes, unpacked_bytes;
	uint32_t n_entries;
};

/* What this module needs of its neighbours, so that it can be tested without them. */
struct package_env {
	/* Send UNPACK. fd is borrowed until the call returns; package_unpacked() answers. */
	int (*unpack)(struct core *core, uint64_t job, const uint8_t sha256[LAUNCH_SHA256_LEN],
		      const char *module, int fd, struct err *e);
	/* Send FORGET. */
	int (*forget)(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN], struct err *e);
	/*
	 * Whether a registered function, an instance (idle, busy or starting) or a waiting invocation has
	 * this code.
	 */
	bool (*is_used)(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN]);
};

/* p is NULL when e->code is not 0: EINVAL, E2BIG, EBADMSG, ENOENT are the package's fault. */
typedef void package_done_fn(void *arg, const struct package *p, const struct err *e);

/* Set core->codes. core->loop and core->state_dir are open. Removes what is in incoming/. Blocks. */
int package_open(struct core *core, const struct package_env *env, struct err *e);

/*
 * Fail the jobs at work with ECANCELED (done() is called from here), drop core->codes. Threads at work end
 * by themselves in the loop. Without package_open() it does nothing.
 */
void package_close(struct core *core);

/*
 * Install a package and look for handler's module in it. zip is heap; it moves to us on success (0), and
 * done() is called exactly once, never from within this call. When it succeeds the caller holds the code:
 * one package_release() each. Negative: refused at once, done() is not called, zip stays the caller's.
 */
int package_submit(struct core *core, char *zip, size_t n, const char *handler,
		   package_done_fn *done, void *arg, struct err *e);

/* Give back one hold, and package_gc(). */
void package_release(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN]);

/*
 * UNPACKED arrived. False: no such job is waiting, which is the launcher's fault (a job whose caller is gone
 * still waits).
 */
bool package_unpacked(struct core *core, const struct launch_unpacked *m);

/*
 * Somebody stopped using this code: have the launcher forget it if nobody else does. A code that we do not
 * know is fine.
 */
void package_gc(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN]);

/* The same for every code: at start. Looks at all functions for each. */
void package_gc_all(struct core *core);

#endif

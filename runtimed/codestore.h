/*
 * The code store: unpacked packages by SHA-256, beneath one directory that only root can enter.
 *
 *	STATE/code/<sha256>     a package: 0755, never written again
 *	STATE/code/.new-<job>   being unpacked
 *	STATE/code/.old-<n>     being removed
 *
 *  1. codestore_open()     sweeps .new-* and .old-*, measures the rest
 *  2. codestore_begin()    a directory for the worker; then codestore_commit() or codestore_abort()
 *  3. codestore_mount()    for each instance
 *  4. codestore_forget()   when nobody uses it any more
 *  5. codestore_tidy()     when there is nothing better to do
 *  6. codestore_close()
 *
 * A package appears by one rename and disappears by one rename, so there is never half of one, whatever
 * is killed when. Removing a hundred thousand files takes a second, which the launcher does not have:
 * forget and abort rename only, and codestore_tidy() removes a few files at a time. Root handles a tenant's files here, by directory descriptors, and never follows a
 * symlink out nor opens a file.
 *
 * Space: a package counts its bytes and CODESTORE_ENTRY_BYTES for every file and directory, so a million
 * empty files are not free.
 */
#ifndef RUNTIMED_CODESTORE_H
#define RUNTIMED_CODESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/launch.h"

#define CODESTORE_BYTES_MAX     (UINT64_C(75) << 30) /* all packages together; Lambda's, a region */
#define CODESTORE_RESERVE_BYTES (UINT64_C(64) << 20) /* left free for others on that file system */
#define CODESTORE_CODES_MAX     20000
#define CODESTORE_ENTRY_BYTES   UINT64_C(4096)

struct codestore;

struct codestore_info {
	uint32_t n_entries; /* files, directories, symlinks */
	uint64_t unpacked_bytes;
};

struct codestore_usage {
	size_t n_codes;
	uint64_t counted_bytes, bytes_max;
};

/*
 * Open STATE/code, making it. state_dir is borrowed; it must have been opened in the mount namespace that
 * codestore_mount() is called in (the kernel clones no mount of another). bytes_max 0 =
 * CODESTORE_BYTES_MAX. Blocks for as long as it takes to stat every file.
 */
int codestore_open(int state_dir, uint64_t bytes_max, struct codestore **ret, struct err *e);

/* NULL is fine. Unfinished jobs are left for the next start. */
void codestore_close(struct codestore *cs);

/* Whether a package is installed; *ret_info (may be NULL) is filled if so. */
bool codestore_has(const struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN],
		   struct codestore_info *ret_info);

/*
 * Whether an installed package has this module: 0, -ENOENT with module_find()'s message, or -ENOENT "is
 * not installed".
 */
int codestore_find_module(const struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN],
			  const char *module, struct err *e);

/*
 * A new empty directory for job, owned by uid, to unpack into. -ENOSPC: the quota is used up, or the file
 * system nearly; the text says which.
 */
int codestore_begin(struct codestore *cs, uint64_t job, uint32_t uid, int *ret_dirfd,
		    struct err *e);

/*
 * The job is done and its worker gone: install it, on disk when this returns. A package that has been
 * installed meanwhile is success, and ours is dropped. On failure the job is aborted. -ENOSPC: it does not
 * fit into the quota.
 */
int codestore_commit(struct codestore *cs, uint64_t job, const uint8_t sha256[LAUNCH_SHA256_LEN],
		     const struct codestore_info *info, struct err *e);

/* Drop the job's directory. A missing one is fine. */
int codestore_abort(struct codestore *cs, uint64_t job, struct err *e);

/*
 * A detached mount of the package, read-only, nosuid, nodev: move_mount(2) it to /var/task. -ENOENT: not
 * installed. Needs CAP_SYS_ADMIN.
 */
int codestore_mount(struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN], int *ret_mount,
		    struct err *e);

/*
 * Drop a package. Not installed is fine. Instances that have it mounted would see it vanish: the caller
 * (the core) knows that there are none.
 */
int codestore_forget(struct codestore *cs, const uint8_t sha256[LAUNCH_SHA256_LEN], struct err *e);

/*
 * Remove at most n_max files and directories of what was dropped. 0: nothing is left; 1: there is more.
 */
int codestore_tidy(struct codestore *cs, unsigned n_max, struct err *e);

void codestore_get_usage(const struct codestore *cs, struct codestore_usage *ret);

#endif

/*
 * Unpacking a package: the only code that parses a zip, in a process that has nothing to lose.
 *
 * The launcher starts `runtimed --role unpack` for each job with the descriptors of enum unpack_fd and the
 * privileged half of the drop applied: limits, ids, capabilities. The worker applies the other half, and
 * only then reads the first byte of the package:
 *
 *	launcher                                      worker
 *	codestore_begin() -> directory, chowned
 *	memfd with one struct unpack_job
 *	drop, exec, descriptors 0, 3..6         ->    unpack_main(): job, sbx_confine(), unpack()
 *	                                        <-    one struct unpack_result, exit 0 (also when refused)
 *	pidfd readable, no datagram: it died    ->    unpack_died() gives the message
 *	codestore_commit() or codestore_abort()
 *
 * The launcher kills a worker after UNPACK_DEADLINE_US. It believes the result's numbers for accounting
 * only; everything in the directory is handled as hostile for ever.
 *
 * What is accepted: a zip with stored or deflated regular files, directories, and relative symlinks whose
 * leading ".." stay inside. Names are UTF-8; "." and empty parts are dropped. Two habits of libarchive are
 * kept: a name with '\' and no '/' comes from Windows and is read with '/'; what is marked as a fifo came
 * to the archiver through a pipe and is a regular file. A directory may be named twice. Anything else is refused with
 * a message that names the entry, and the directory is left empty. Owner is whoever runs it, modes are 0644
 * or 0755, every file's mtime is UNPACK_MTIME_SEC: two installations of one package are the same, and a
 * timestamp-checked .pyc that was shipped is never believed. (Nothing can write .pyc files later, the
 * mount is read-only; compiling ahead would be a step of its own after this one.)
 */
#ifndef RUNTIMED_UNPACK_H
#define RUNTIMED_UNPACK_H

#include <stdint.h>

#include "base/clk.h"
#include "base/err.h"
#include "runtimed/launch.h"
#include "sandbox/drop.h"

#define UNPACK_PACKED_BYTES_MAX   UINT64_C(52428800)  /* 50 MiB, Lambda's */
#define UNPACK_UNPACKED_BYTES_MAX UINT64_C(262144000) /* 250 MiB, Lambda's */
#define UNPACK_ENTRIES_MAX        100000u
#define UNPACK_RATIO_MAX          100u /* unpacked to packed, of the whole package ... */
#define UNPACK_RATIO_FREE_BYTES   (UINT64_C(1) << 20) /* ... once so much is unpacked */
#define UNPACK_NAME_MAX           255u                /* bytes of one part of a path */
#define UNPACK_PATH_MAX           1024u
#define UNPACK_DEPTH_MAX          64u /* parts of a path */
#define UNPACK_SYMLINKS_MAX       10000u
#define UNPACK_MTIME_SEC          315532800 /* 1980-01-01: the first date a zip can tell */

#define UNPACK_DEADLINE_US        (60 * CLK_US_PER_SEC)
#define UNPACK_MEMORY_BYTES       (UINT64_C(512) << 20) /* RLIMIT_AS */
#define UNPACK_CPU_SEC            UINT64_C(30)
#define UNPACK_DESCRIPTORS_MAX    UINT64_C(32)

/* Descriptor 0 is /dev/null, 1 and 2 the daemon's log or /dev/null. */
enum unpack_fd {
	UNPACK_FD_PACKAGE = 3, /* regular file, read-only */
	UNPACK_FD_DIR,         /* empty directory, the worker's uid may write it */
	UNPACK_FD_RESULT,      /* SOCK_SEQPACKET */
	UNPACK_FD_JOB,         /* memfd: struct unpack_job */
};

/* Plain data: zero in a field would refuse everything. */
struct unpack_limits {
	uint64_t packed_bytes_max;
	uint64_t unpacked_bytes_max;
	uint32_t entries_max; /* of the archive, and made on disk */
};
extern const struct unpack_limits unpack_limits_default;

struct unpack_job {
	char module[LAUNCH_MODULE_MAX + 1];
	struct sbx_drop drop;
};

struct unpack_result {
	uint32_t n_entries; /* files, directories and symlinks made */
	uint32_t reserved;
	uint64_t unpacked_bytes;
	struct err err; /* code != 0: refused, nothing is left. ENOENT: the module is missing */
};

/*
 * Unpack the zip in package_fd (any offset) into the empty directory dirfd, then look for module. On
 * failure nothing is left in the directory. Blocks; sizes are counted while writing, headers are not
 * believed. Codes: E2BIG over a limit, EINVAL refused content, EBADMSG damaged, ENOENT no module.
 */
int unpack(int package_fd, int dirfd, const struct unpack_limits *limits, const char *module,
	   struct unpack_result *ret, struct err *e);

/*
 * A worker's rlimits, ids (uid is its gid too), landlock and no_new_privs. The filter is the caller's to
 * add: has_filter and filter, compiled from unpack.policy.
 */
void unpack_drop_init(struct sbx_drop *d, uint32_t uid);

/* The role `runtimed --role unpack`: no arguments of its own. Returns the exit status. */
int unpack_main(void);

/* Fill e for a worker that ended without a result: exit code, or signal when not 0. Returns -e->code. */
int unpack_died(int exit_code, int signal, struct err *e);

#endif

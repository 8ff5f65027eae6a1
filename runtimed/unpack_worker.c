/*
 * The process around unpack(): takes its job, confines itself, answers once. See unpack.h.
 *
 * There is no RLIMIT_NPROC: zero would make the exec of the worker itself fail, and its policy has no call
 * that makes a process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/module.h"
#include "runtimed/unpack.h"

#define UMASK 022

/* The worker's own directory by a name that needs no right on the ones above it. */
#define DIR_PATH "/proc/self/fd/4"
_Static_assert(UNPACK_FD_DIR == 4, "DIR_PATH names it");

static void set_rlimits(struct sbx_drop *d)
{
	static const struct sbx_rlimit limits[] = {
#ifndef __SANITIZE_ADDRESS__  /* it reserves terabytes */
		{RLIMIT_AS,     UNPACK_MEMORY_BYTES,       UNPACK_MEMORY_BYTES      },
#endif
		{RLIMIT_CPU,    UNPACK_CPU_SEC,            UNPACK_CPU_SEC           },
		{RLIMIT_FSIZE,  UNPACK_UNPACKED_BYTES_MAX, UNPACK_UNPACKED_BYTES_MAX},
		{RLIMIT_NOFILE, UNPACK_DESCRIPTORS_MAX,    UNPACK_DESCRIPTORS_MAX   },
		{RLIMIT_CORE,   0,                         0                        },
	};

	memcpy(d->rlimits, limits, sizeof(limits));
	d->n_rlimits = ARRAY_SIZE(limits);
}

void unpack_drop_init(struct sbx_drop *d, uint32_t uid)
{
	memset(d, 0, sizeof(*d));
	d->uid = d->gid = uid;
	d->umask = UMASK;
	set_rlimits(d);
	d->no_new_privs = true;
	d->has_landlock = true;
	d->n_writable = 1;
	memcpy(d->writable[0], DIR_PATH, sizeof(DIR_PATH));
}

static int take_job(struct unpack_job *ret, struct err *e)
{
	ssize_t n = pread(UNPACK_FD_JOB, ret, sizeof(*ret), 0);

	if (n < 0)
		return err_errno(e, "read the job");
	if (n != (ssize_t)sizeof(*ret) || !module_is_valid(ret->module))
		return err_set(e, EPROTO, "the job is not one");
	return 0;
}

static int run_job(const struct unpack_job *job, struct unpack_result *ret, struct err *e)
{
	int r = sbx_confine(&job->drop, e); /* ids and limits are the launcher's doing */

	if (r < 0)
		return err_wrap(e, "unpack worker");
	return unpack(UNPACK_FD_PACKAGE, UNPACK_FD_DIR, &unpack_limits_default, job->module, ret,
		      e);
}

int unpack_main(void)
{
	_cleanup_free_ struct unpack_job *job = malloc(sizeof(*job)); /* 36 KiB */
	struct unpack_result result = {0};
	struct err e = ERR_INIT;
	int r = job ? 0 : err_set(&e, ENOMEM, "out of memory");

	if (r == 0)
		r = take_job(job, &e);
	if (r == 0)
		r = sbx_close_above(UNPACK_FD_JOB, &e);
	if (r == 0)
		r = run_job(job, &result, &e);
	if (r < 0)
		result = (struct unpack_result){.err = e};
	r = sock_send(UNPACK_FD_RESULT, &result, sizeof(result), NULL, 0, &e);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int unpack_died(int exit_code, int signal, struct err *e)
{
	switch (signal) {
	case 0:
		return err_set(e, EIO, "the unpack worker exited with status %d, no result",
			       exit_code);
	case SIGXCPU:
	case SIGKILL: /* the hard limit, or the deadline */
		return err_set(e, E2BIG, "unpacking the package took too long");
	case SIGSYS:
		return err_set(e, EBADMSG,
			       "unpacking the package made a system call that is not allowed");
	default:
		return err_set(e, EBADMSG, "the package made the unpack worker die of signal %d",
			       signal);
	}
}

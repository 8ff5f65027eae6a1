/*
 * Packages, the core's half: see package.h. Here are the jobs; package_codes.c has the codes.
 *
 * A job holds its code as soon as it knows the digest, and hands that hold to the caller when it succeeds.
 */
#include "runtimed/package.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/core.h"
#include "runtimed/module.h"
#include "runtimed/package_codes.h"

#define INCOMING "incoming"
#define MARKS    "codes"

struct job {
	uv_work_t work;
	struct codes *codes;
	struct list link;
	uint64_t id;
	char *zip; /* until it is written */
	size_t n;
	char handler[FUNC_HANDLER_MAX + 1];
	char module[LAUNCH_MODULE_MAX + 1];
	uint8_t sha256[LAUNCH_SHA256_LEN];
	struct known *held; /* once its SHA-256 is known */
	int fd;             /* the written file */
	struct err err;     /* of the thread */
	package_done_fn *done;
	void *arg;
	bool has_thread; /* the thread pool still has it */
};

/* ---- jobs ---- */

static void job_free(struct job *job)
{
	struct codes *c = job->codes;

	list_del(&job->link);
	fd_close(&job->fd);
	free(job->zip);
	free(job);
	c->n_jobs--;
	if (c->is_closed && c->n_jobs == 0)
		codes_free(c);
}

static void job_fail(struct job *job, struct err *e)
{
	struct codes *c = job->codes;

	if (e->code == ENOENT && job->held)
		(void)err_wrap(e, "handler '%s'", job->handler);
	job->done(job->arg, NULL, e);
	if (job->held) {
		job->held->n_holds--;
		if (!c->is_closed)
			codes_collect(c, job->held);
	}
	job_free(job);
}

/* On a thread: touches nothing but the job. */
static int job_write(struct job *job, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char name[32];
	int r;

	if (EVP_Digest(job->zip, job->n, job->sha256, NULL, EVP_sha256(), NULL) != 1)
		return err_set(e, EIO, "package: SHA-256 is not available");
	(void)snprintf(name, sizeof(name), "%" PRIu64, job->id);
	fd = openat(job->codes->incoming, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "package: create '%s'", name);
	r = file_write_all(fd, job->zip, job->n, e);
	/* The launcher passes it to a worker: that one must not be able to write. */
	if (r == 0) {
		job->fd = openat(job->codes->incoming, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (job->fd < 0)
			r = err_errno(e, "package: open '%s'", name);
	}
	(void)unlinkat(job->codes->incoming, name, 0); /* else at the next start */
	return r;
}

static void work_job(uv_work_t *work)
{
	struct job *job = container_of(work, struct job, work);

	(void)job_write(job, &job->err); /* job->err says it */
}

static void work_done(uv_work_t *work, int status)
{
	struct job *job = container_of(work, struct job, work);
	struct codes *c = job->codes;
	struct err e = job->err;

	job->has_thread = false;
	if (c->is_closed) { /* its caller has been told */
		job_free(job);
		return;
	}
	free(mem_steal(&job->zip));
	if (status != 0)
		(void)err_set(&e, ECANCELED, "package: %s", uv_strerror(status));
	if (e.code == 0)
		(void)codes_hold(c, job->sha256, &job->held, &e);
	if (e.code == 0)
		(void)c->env.unpack(c->core, job->id, job->sha256, job->module, job->fd, &e);
	fd_close(&job->fd);
	if (e.code != 0)
		job_fail(job, &e);
}

static struct job *job_new(struct codes *c, const char *handler, struct err *e)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		(void)err_set(e, ENOMEM, "package: out of memory");
		return NULL;
	}
	job->codes = c;
	job->fd = -1;
	list_init(&job->link);
	if (!str_copy(job->handler, sizeof(job->handler), handler))
		(void)err_set(e, EINVAL, "handler of %zu bytes, %d are allowed", strlen(handler),
			      FUNC_HANDLER_MAX);
	else if (module_from_handler(handler, job->module, e) == 0)
		return job;
	free(job);
	return NULL;
}

int package_submit(struct core *core, char *zip, size_t n, const char *handler,
		   package_done_fn *done, void *arg, struct err *e)
{
	struct codes *c = core->codes;
	struct job *job;
	int r;

	if (!c)
		return err_set(e, ECANCELED, "the daemon is stopping");
	if (n > PACKAGE_BYTES_MAX)
		return err_set(e, E2BIG, "the package has %zu bytes, %" PRIu64 " are allowed", n,
			       PACKAGE_BYTES_MAX);
	if (c->n_jobs >= PACKAGE_JOBS_MAX)
		return err_set(e, EAGAIN, "%d packages are being installed", PACKAGE_JOBS_MAX);
	job = job_new(c, handler, e);
	if (!job)
		return -e->code;
	job->zip = zip;
	job->n = n;
	job->done = done;
	job->arg = arg;
	job->id = ++c->last_id;
	r = uv_queue_work(&core->loop, &job->work, work_job, work_done);
	if (r < 0) {
		free(job);
		return err_set(e, -r, "package: %s", uv_strerror(r));
	}
	job->has_thread = true;
	list_add_tail(&c->jobs, &job->link);
	c->n_jobs++;
	return 0;
}

bool package_unpacked(struct core *core, const struct launch_unpacked *m)
{
	struct package p = {.n_entries = m->n_entries, .unpacked_bytes = m->unpacked_bytes};
	struct err e = m->err;

	if (!core->codes)
		return true; /* closed: its caller has been told */
	list_for_each (at, &core->codes->jobs) {
		struct job *job = container_of(at, struct job, link);

		if (job->id != m->job || job->has_thread)
			continue;
		if (e.code != 0) {
			e.text[ERR_TEXT_MAX - 1] = '\0';
			job_fail(job, &e);
			return true;
		}
		memcpy(p.sha256, job->sha256, sizeof(p.sha256));
		p.packed_bytes = job->n;
		job->done(job->arg, &p, &e); /* the hold is the caller's now */
		job_free(job);
		return true;
	}
	return false;
}

/* ---- open and close ---- */

/* each() for every name in the directory that is not hidden. */
static int for_each_name(struct codes *c, int dir,
			 int (*each)(struct codes *c, const char *name, struct err *e),
			 struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	int r = file_list(dir, ".", &list, e);

	while (r == 0 && (name = file_next_name(list)))
		if (name[0] != '.')
			r = each(c, name, e);
	return r;
}

static int remove_incoming(struct codes *c, const char *name, struct err *e)
{
	return file_remove_tree(c->incoming, name, e);
}

static int read_mark(struct codes *c, const char *name, struct err *e)
{
	uint8_t sha256[LAUNCH_SHA256_LEN];

	if (!str_unhex(name, sha256, sizeof(sha256)))
		return 0; /* not ours: left alone */
	return codes_add(c, sha256) ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int open_own(int state, const char *name, int *ret_fd, struct err *e)
{
	int r = file_make_dirs(state, name, 0700, e);

	return r < 0 ? r : file_open_dir(state, name, ret_fd, e);
}

int package_open(struct core *core, const struct package_env *env, struct err *e)
{
	struct codes *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, ENOMEM, "package: out of memory");
	c->core = core;
	c->env = *env;
	c->incoming = c->marks = -1;
	list_init(&c->known);
	list_init(&c->jobs);
	r = open_own(core->state_dir, INCOMING, &c->incoming, e);
	if (r == 0)
		r = open_own(core->state_dir, MARKS, &c->marks, e);
	if (r == 0)
		r = for_each_name(c, c->incoming, remove_incoming, e);
	if (r == 0)
		r = for_each_name(c, c->marks, read_mark, e);
	if (r < 0) {
		codes_free(c);
		return err_wrap(e, "packages");
	}
	core->codes = c;
	return 0;
}

void package_close(struct core *core)
{
	struct codes *c = core->codes;
	struct err e = ERR_INIT;

	if (!c)
		return;
	core->codes = NULL;
	c->is_closed = true;
	c->n_jobs++; /* ours, so that c outlives the loop below */
	list_for_each (at, &c->jobs) {
		struct job *job = container_of(at, struct job, link);

		(void)err_set(&e, ECANCELED, "the daemon is stopping");
		job->done(job->arg, NULL, &e);
		list_del(&job->link);
		if (!job->has_thread)
			job_free(job);
	}
	if (--c->n_jobs == 0)
		codes_free(c);
}

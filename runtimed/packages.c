/*
 * Unpack workers: a package is opened by a process of its own, which holds nothing but the file, an empty
 * directory and a socket for its verdict. The launcher starts it, believes its exit and its verdict, and
 * moves the directory into the code store.
 */
#include "runtimed/launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sock.h"
#include "runtimed/codestore.h"
#include "runtimed/proc.h"
#include "runtimed/role.h"
#include "runtimed/unpack.h"

#define WORKERS_MAX 2
#define QUEUE_MAX   64

struct job {
	struct launcher *l;
	struct launch_unpack m;
	int package;
	int result; /* our end */
	struct sbx_proc proc;
	struct watch exited;
	uint64_t deadline_us;
	struct list link;
};

struct packages {
	struct list waiting, running;
	uint32_t n_waiting, n_running;
};

static void answer(struct launcher *l, uint64_t id, const struct codestore_info *info,
		   const struct err *e)
{
	struct launch_unpacked m = {.type = LAUNCH_UNPACKED, .job = id};

	if (e) {
		m.err = *e;
	} else {
		m.n_entries = info->n_entries;
		m.unpacked_bytes = info->unpacked_bytes;
	}
	launcher_send(l, &m, sizeof(m), NULL, 0);
}

static void job_free(struct job *j)
{
	list_del(&j->link);
	watch_drop(&j->exited);
	fd_close(&j->package);
	fd_close(&j->result);
	sbx_proc_close(&j->proc);
	free(j);
}

/* The worker's verdict, or what its silence means. */
static int verdict_of(struct job *j, int status, struct unpack_result *ret, struct err *e)
{
	size_t len = 0;
	int r = sock_recv(j->result, ret, sizeof(*ret), &len, NULL, 0, NULL, e);

	if (r == SOCK_E_EOF)
		return unpack_died(WIFEXITED(status) ? WEXITSTATUS(status) : -1,
				   WIFSIGNALED(status) ? WTERMSIG(status) : 0, e);
	if (r == 0 && len != sizeof(*ret))
		r = err_set(e, EPROTO, "package: bad verdict");
	if (r < 0)
		return r;
	ret->err.text[sizeof(ret->err.text) - 1] = '\0';
	if (ret->err.code) {
		*e = ret->err;
		return -e->code;
	}
	return 0;
}

static void run_next(struct launcher *l);

static void on_worker_exit(void *arg)
{
	struct job *j = arg;
	struct launcher *l = j->l;
	struct unpack_result verdict = {0};
	struct codestore_info info;
	struct err e = ERR_INIT, lost = ERR_INIT;
	int status = 0, r;

	proc_reap(&j->proc, &j->exited, &status);
	r = verdict_of(j, status, &verdict, &e);
	info = (struct codestore_info){verdict.n_entries, verdict.unpacked_bytes};
	if (r == 0)
		r = codestore_commit(l->code, j->m.job, j->m.code, &info, &e);
	else if (codestore_abort(l->code, j->m.job, &lost) < 0)
		log_err(&lost);
	answer(l, j->m.job, &info, r < 0 ? &e : NULL);
	job_free(j);
	l->packages->n_running--;
	run_next(l);
}

/* What the worker is told: its limits and the module to look for. */
static int job_memfd(const struct job *j, int *ret, struct err *e)
{
	_cleanup_free_ struct unpack_job *job = calloc(1, sizeof(*job));

	if (!job)
		return err_set(e, ENOMEM, "job of the unpacker");
	job->drop = *j->l->host.unpack_drop;
	memcpy(job->module, j->m.module, sizeof(job->module));
	return file_in_memory("job", job, sizeof(*job), ret, e);
}

static int start_worker(struct job *j, struct err *e)
{
	struct launcher *l = j->l;
	const struct sbx_drop *d = l->host.unpack_drop;
	_cleanup_fd_ int dir = -1, theirs = -1, job = -1;
	struct sbx_place place = {
		.group = &l->host.zygotes, .net_ns = -1, .n_fds = UNPACK_FD_JOB + 1};
	int r = job_memfd(j, &job, e);

	if (r == 0)
		r = sock_pair(SOCK_SEQPACKET, &j->result, &theirs, e);
	if (r == 0)
		r = codestore_begin(l->code, j->m.job, d->uid, &dir, e);
	if (r < 0)
		return r;
	memcpy(place.fds,
	       (int[]){l->host.null, STDERR_FILENO, STDERR_FILENO, j->package, dir, theirs, job},
	       (UNPACK_FD_JOB + 1) * sizeof(int));
	j->deadline_us = clk_now_us() + UNPACK_DEADLINE_US;
	r = role_start("unpack", d, &place, &j->proc, e);
	if (r == 0)
		r = proc_watch(l->watches, &j->exited, &j->proc, on_worker_exit, j, e);
	return r;
}

static void run_next(struct launcher *l)
{
	struct packages *ps = l->packages;
	struct err e = ERR_INIT, lost = ERR_INIT;

	while (ps->n_running < WORKERS_MAX && !list_is_empty(&ps->waiting)) {
		struct job *j = container_of(ps->waiting.next, struct job, link);

		list_del(&j->link);
		ps->n_waiting--;
		list_add_tail(&ps->running, &j->link);
		if (start_worker(j, &e) == 0) {
			ps->n_running++;
			continue;
		}
		if (codestore_abort(l->code, j->m.job, &lost) < 0)
			log_err(&lost);
		answer(l, j->m.job, NULL, &e);
		job_free(j);
	}
}

/* The same package again: nothing to unpack, but the handler may be another. */
static bool answer_installed(struct launcher *l, const struct launch_unpack *m)
{
	struct codestore_info info;
	struct err e = ERR_INIT;

	if (!codestore_has(l->code, m->code, &info))
		return false;
	if (codestore_find_module(l->code, m->code, m->module, &e) < 0)
		answer(l, m->job, NULL, &e);
	else
		answer(l, m->job, &info, NULL);
	return true;
}

void packages_tick(struct launcher *l)
{
	list_for_each (pos, &l->packages->running) {
		struct job *j = container_of(pos, struct job, link);

		if (clk_now_us() > j->deadline_us && j->proc.pid > 0)
			(void)kill(j->proc.pid, SIGKILL); /* its exit is answered as any other */
	}
}

void packages_unpack(struct launcher *l, const struct launch_unpack *m, int *fd)
{
	struct packages *ps = l->packages;
	struct err e = ERR_INIT;
	struct job *j;

	if (answer_installed(l, m))
		return;

	if (ps->n_waiting == QUEUE_MAX || !(j = calloc(1, sizeof(*j)))) {
		err_set(&e, EAGAIN, "package: %d are waiting already", QUEUE_MAX);
		answer(l, m->job, NULL, &e);
		return;
	}
	*j = (struct job){
		.l = l, .m = *m, .package = fd_steal(fd), .result = -1, .proc = {-1, -1}
        };
	list_add_tail(&ps->waiting, &j->link);
	ps->n_waiting++;
	run_next(l);
}

void packages_forget(struct launcher *l, const struct launch_forget *m)
{
	struct err e = ERR_INIT;

	if (codestore_forget(l->code, m->code, &e) < 0)
		log_err(&e);
}

int packages_open(struct launcher *l, struct err *e)
{
	struct packages *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return err_set(e, ENOMEM, "packages");
	list_init(&ps->waiting);
	list_init(&ps->running);
	l->packages = ps;
	return 0;
}

void packages_close(struct launcher *l)
{
	struct packages *ps = l->packages;

	if (!ps)
		return;
	list_for_each (pos, &ps->waiting)
		job_free(container_of(pos, struct job, link));
	list_for_each (pos, &ps->running) {
		struct job *j = container_of(pos, struct job, link);
		struct err e = ERR_INIT;

		proc_end(&j->proc);
		if (codestore_abort(l->code, j->m.job, &e) < 0)
			log_err(&e);
		job_free(j);
	}
	free(ps);
	l->packages = NULL;
}

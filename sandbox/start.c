/* The parent half of a start: what only it can write, go, stages, end. See include/sandbox/sandbox.h. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "sandbox/child.h"
#include "sandbox/idmap.h"
#include "sandbox/lend.h"
#include "sandbox/lsm.h"
#include "sandbox/net.h"
#include "sandbox/nodes.h"
#include "sandbox/userns.h"

#define LOOK_MS 200 /* at who should have answered by now */

void sbx_proc_close(struct sbx_proc *p)
{
	fd_close(&p->pidfd);
	p->pid = -1;
}

static int write_maps(const struct sbx_plan *plan, pid_t pid, struct err *e)
{
	int (*const each)(pid_t, enum userns_map, const struct sbx_idmap *, uint32_t,
			  struct err *) =
		plan->namespaces & CLONE_NEWUSER ? userns_map : userns_check_map;
	int r = 0;

	if (plan->n_uid_maps > 0)
		r = each(pid, USERNS_UIDS, plan->uid_maps, plan->n_uid_maps, e);
	if (r == 0 && plan->n_gid_maps > 0)
		r = each(pid, USERNS_GIDS, plan->gid_maps, plan->n_gid_maps, e);
	return r < 0 ? err_wrap(e, "id maps") : 0;
}

static int set_oom_score(const struct sbx_plan *plan, pid_t pid, struct err *e)
{
	char path[64], text[16];

	if (!plan->has_oom_score_adj)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	(void)snprintf(text, sizeof(text), "%d", plan->oom_score_adj);
	if (file_write(AT_FDCWD, path, text, e) == 0)
		return 0;
	return e->code == EACCES
		       ? err_wrap(e, "process.oomScoreAdj: a lower one needs CAP_SYS_RESOURCE")
		       : -e->code;
}

/* What the child says; end of file is SBX_STAGE_EXECUTED. */
static int await_report(const struct sbx_plan *plan, struct sbx_begun *b, enum sbx_stage *ret,
			struct err *e)
{
	static const enum sbx_stage stages[] = {
		[CHILD_STANDS] = SBX_STAGE_EXECUTED,
		[CHILD_MOUNTED] = SBX_STAGE_MOUNTED,
		[CHILD_GATED] = SBX_STAGE_GATED,
		[CHILD_LISTENING] = SBX_STAGE_LISTENING,
	};
	struct child_report rep;
	size_t len = 0;
	int r;

	do
		r = sock_recv(b->sync, &rep, sizeof(rep), &len, NULL, 0, NULL, e);
	while (r == 0 && len == sizeof(rep) && rep.stage == CHILD_BOUND);
	if (r == SOCK_E_EOF && !plan->argv)
		return err_set(e, ECHILD, "the sandbox's pid 1 died while starting");
	if (r < 0)
		return r;
	if (r == 0 && (len != sizeof(rep) || (unsigned int)rep.stage >= ARRAY_SIZE(stages)))
		return err_set(e, EPROTO, "report of %zu bytes from the child", len);
	if (r == 0 && rep.err.code != 0) {
		*e = rep.err;
		e->text[sizeof(e->text) - 1] = '\0';
		return -e->code;
	}
	*ret = r == SOCK_E_EOF ? SBX_STAGE_EXECUTED : stages[rep.stage];
	b->listener = *ret == SBX_STAGE_LISTENING ? rep.listener : -1;
	return 0;
}

void sbx_abandon(struct sbx_begun *b)
{
	if (b->proc.pid > 0) {
		(void)kill(b->proc.pid, SIGKILL); /* not reaped yet, so the pid is still its */
		(void)waitpid(b->proc.pid, NULL, 0);
	}
	sbx_proc_close(&b->proc);
	fd_close(&b->sync);
}

/* Write what only the parent can, then let it go. */
static int raise_child(const struct sbx_plan *plan, bool is_first, const struct sbx_begun *b,
		       struct err *e)
{
	int mapped[SBX_MOUNTS_MAX], r = is_first ? write_maps(plan, b->proc.pid, e) : 0;
	_cleanup_fd_ int nodes = -1;
	size_t n = 0;

	if (r == 0)
		r = set_oom_score(plan, b->proc.pid, e);
	if (r == 0 && is_first)
		r = net_move_devices(plan, b->proc.pid, e);
	if (r == 0)
		r = sbx_tune_process(&plan->tune, b->proc.pid, e);
	if (r == 0 && is_first)
		r = idmap_make(plan, &b->proc, mapped, &n, e);
	if (r == 0 && is_first)
		r = dev_nodes_make(plan, &nodes, e);
	if (r == 0)
		r = sock_send(b->sync, "g", 1, NULL, 0, e);
	if (r == 0)
		r = idmap_send(b->sync, mapped, n, e);
	if (r == 0 && is_first)
		r = lend_sources(plan, b->proc.pidfd, b->sync, e);
	if (r == 0 && is_first)
		r = dev_nodes_send(plan, b->sync, nodes, e);
	while (n > 0)
		fd_close(&mapped[--n]);
	return r;
}

/* A child that failed early is seen first by what can no longer be sent to it: its own words say why. */
static void hear_last_words(const struct sbx_plan *plan, struct sbx_begun *b, struct err *e)
{
	struct pollfd said = {.fd = b->sync, .events = POLLIN};
	struct err words = ERR_INIT;
	enum sbx_stage stage;

	if (b->sync >= 0 && poll(&said, 1, 0) > 0 && await_report(plan, b, &stage, &words) < 0)
		*e = words;
}

/* What the plan wants to be run must find what it is to read. */
static int check_hooks(const struct sbx_plan *plan, const struct sbx_place *place, struct err *e)
{
	for (size_t k = 0; k < SBX_HOOK_KINDS; k++)
		if (plan->hooks[k].n > 0 &&
		    (!place->gate || place->gate->creating < 0 || place->gate->created < 0))
			return err_set(e, EINVAL,
				       "a plan with hooks needs a gate with their state");
	return 0;
}

/* init NULL: in a sandbox of its own. */
static int begin(const struct sbx_plan *plan, const struct sbx_place *place,
		 const struct sbx_proc *init, struct sbx_begun *ret, struct err *e)
{
	struct birth birth = BIRTH_INIT;
	struct sbx_begun b = SBX_BEGUN_INIT;
	int r = init ? 0 : check_hooks(plan, place, e);

	if (r == 0)
		r = lsm_check(plan, e);

	if (r == 0 && init) {
		birth.join = init->pidfd;
		r = join_look(init, &birth.join_spaces, e);
	}
	if (r == 0)
		r = child_birth_open(&birth, place->group, e);
	if (r == 0)
		r = init ? join_clone(plan, place, &birth, &b.proc, e)
			 : child_clone(plan, place, &birth, &b.proc, e);
	b.sync = fd_steal(&birth.ours);
	child_birth_close(&birth); /* the child's end too: if it dies we must see the end of file */
	if (r == 0)
		r = raise_child(plan, !init, &b, e);
	if (r < 0) {
		hear_last_words(plan, &b, e);
		sbx_abandon(&b);
		return -e->code;
	}
	*ret = b;
	return 0;
}

int sbx_begin(const struct sbx_plan *plan, const struct sbx_place *place, struct sbx_begun *ret,
	      struct err *e)
{
	return begin(plan, place, NULL, ret, e);
}

int sbx_await(const struct sbx_plan *plan, struct sbx_begun *b, enum sbx_stage *ret, struct err *e)
{
	int r = await_report(plan, b, ret, e);

	if (r == 0)
		b->is_gated = *ret == SBX_STAGE_GATED;
	return r;
}

int sbx_go_on(const struct sbx_begun *b, struct err *e)
{
	return sock_send(b->sync, "g", 1, NULL, 0, e);
}

int sbx_finish(const struct sbx_plan *plan, struct sbx_begun *b, struct sbx_proc *ret,
	       struct err *e)
{
	enum sbx_stage stage = SBX_STAGE_EXECUTED;
	int r = b->is_gated ? 0 : await_report(plan, b, &stage, e);

	if (r == 0 && stage != SBX_STAGE_EXECUTED)
		r = err_set(e, EPROTO, "the child has stopped on its way");
	if (r == 0 && !plan->argv)
		r = sock_send(b->sync, "h", 1, NULL, 0, e);
	if (r < 0) {
		sbx_abandon(b);
		return r;
	}
	fd_close(&b->sync);
	*ret = b->proc;
	b->proc = (struct sbx_proc){.pid = -1, .pidfd = -1};
	return 0;
}

/* What it executes now; false: it cannot be told. */
static bool look_at_program(pid_t pid, struct stat *ret)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, ret) == 0;
}

/*
 * 1: there is something to read, even if it is the end. 0: no end comes, but it executes another program: somebody
 * inside who may trace it has opened the FIFO too, and would have us wait for ever.
 */
static int await_answer(int answer, pid_t pid, const struct stat *before, struct err *e)
{
	struct pollfd p = {.fd = answer, .events = POLLIN};
	struct stat now;

	for (;;) {
		int n = poll(&p, 1, before ? LOOK_MS : -1);

		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return err_errno(e, "wait for its answer");
		if (n == 0 && (look_at_program(pid, &now) ? now.st_ino != before->st_ino ||
								    now.st_dev != before->st_dev
							  : errno == ENOENT))
			return 0;
	}
}

int sbx_open_gate(int start, int answer, pid_t pid, struct err *e)
{
	struct child_report rep;
	struct stat before;
	bool can_look = look_at_program(pid, &before);
	ssize_t n;
	int r;

	if (write(start, "g", 1) != 1)
		return err_errno(e, "let it start");
	do {
		r = await_answer(answer, pid, can_look ? &before : NULL, e);
		if (r <= 0)
			return r;
		n = read(answer, &rep, sizeof(rep));
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n == 0)
		return 0; /* executed: the other ends were close-on-exec */
	if (n != sizeof(rep) || rep.err.code <= 0)
		return err_set(e, EPROTO, "an answer of %zd bytes from the child", n);
	*e = rep.err;
	e->text[sizeof(e->text) - 1] = '\0';
	return -e->code;
}

int sbx_start(const struct sbx_plan *plan, const struct sbx_place *place, struct sbx_proc *ret,
	      struct err *e)
{
	struct sbx_begun b = SBX_BEGUN_INIT;
	int r = sbx_begin(plan, place, &b, e);

	return r < 0 ? r : sbx_finish(plan, &b, ret, e);
}

int sbx_exec(const struct sbx_plan *plan, const struct sbx_place *place,
	     const struct sbx_proc *init, struct sbx_proc *ret, struct err *e)
{
	struct sbx_begun b = SBX_BEGUN_INIT;
	int r = begin(plan, place, init, &b, e);

	return r < 0 ? r : sbx_finish(plan, &b, ret, e);
}

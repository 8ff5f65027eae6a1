/* Letting a created container go: see ctr.h. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cli/ctr.h"

static int check_created(const struct state *s, struct err *e)
{
	enum state_status status = STATE_STOPPED;
	int r = state_status(s, &status, e);

	if (r < 0 || status == STATE_CREATED)
		return r;
	if (status == STATE_RUNNING)
		return err_set(e, EINVAL, "'%s': cannot start an already running container", s->id);
	if (status == STATE_STOPPED)
		return err_set(e, EINVAL, "'%s': cannot start a container that has stopped", s->id);
	return err_set(e, EINVAL, "cannot start a container in the %s state",
		       state_status_name(status));
}

/* Both ends are held by the process at the gate: no open waits, and what is written there is read. */
static int let_through(const struct state *s, struct err *e)
{
	_cleanup_fd_ int start = -1, answer = -1;
	int r;

	start = openat(s->dir, STATE_FILE_START, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (start < 0)
		return err_errno(e, "state: open '" STATE_FILE_START "'");
	answer = openat(s->dir, STATE_FILE_ANSWER, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (answer < 0)
		return err_errno(e, "state: open '" STATE_FILE_ANSWER "'");
	r = sbx_open_gate(start, answer, s->pid, e);
	/* Whether they are there or not, nobody holds their other ends any more. */
	(void)unlinkat(s->dir, STATE_FILE_START, 0);
	(void)unlinkat(s->dir, STATE_FILE_ANSWER, 0);
	return r;
}

int ctr_start(struct ctr *c, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	int r = check_created(&c->state, e);

	if (r == 0 && !c->plan)
		r = ctr_load_copy(c, e);
	if (r == 0)
		r = state_pidfd(&c->state, &pidfd, e);
	if (r == STATE_E_GONE)
		r = err_set(e, EINVAL, "cannot start a container that has stopped");
	if (r == 0)
		r = let_through(&c->state, e);
	if (r == 0)
		r = ctr_leave_keeper(c, pidfd, e);
	if (r < 0)
		return r;
	r = ctr_run_hooks(c, SBX_HOOK_POSTSTART, STATE_RUNNING, e);
	if (r < 0) {
		struct err lost = ERR_INIT;

		(void)ctr_kill(c, &lost); /* the hook's error is the one to report */
	}
	return r;
}

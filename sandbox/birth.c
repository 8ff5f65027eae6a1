/* What a child is born with, and keeps: see child.h. */
#include "sandbox/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"

int child_birth_open(struct birth *b, const struct cg *group, struct err *e)
{
	int r = sock_pair(SOCK_SEQPACKET, &b->ours, &b->theirs, e);

	return r == 0 && group ? cg_tasks_open(group, b->tasks, &b->n_tasks, e) : r;
}

void child_birth_close(struct birth *b)
{
	fd_close(&b->ours);
	fd_close(&b->theirs);
	fd_close(&b->between);
	while (b->n_tasks > 0)
		fd_close(&b->tasks[--b->n_tasks]);
}

int child_birth_begin(struct birth *b, struct err *e)
{
	fd_close(&b->ours);
	fd_close(&b->between);
	return sbx_join_groups(b->tasks, b->n_tasks, e);
}

struct birth_report {
	struct err err;
	pid_t pid;
};

_Noreturn void child_birth_tell(int to, const struct sbx_proc *born, const struct err *e)
{
	struct birth_report rep = {.err = *e, .pid = born->pid};
	struct err lost = ERR_INIT;
	int n_fds = e->code == 0 ? 1 : 0;

	/* No parent, nobody to tell: the child sees that too. */
	_exit(sock_send(to, &rep, sizeof(rep), &born->pidfd, n_fds, &lost) < 0);
}

int child_birth_hear(int from, struct sbx_proc *ret, struct err *e)
{
	_cleanup_fd_ int pidfd = -1;
	struct birth_report rep;
	size_t len = 0, n_fds = 0;
	int r = sock_recv(from, &rep, sizeof(rep), &len, &pidfd, 1, &n_fds, e);

	if (r < 0)
		return r;
	if (r > 0 || len != sizeof(rep))
		return err_set(e, ECHILD, "the process in between died");
	if (rep.err.code != 0) {
		*e = rep.err;
		e->text[sizeof(e->text) - 1] = '\0';
		return -e->code;
	}
	if (n_fds != 1)
		return err_set(e, EPROTO, "no descriptor of the new process");
	ret->pid = rep.pid;
	ret->pidfd = fd_steal(&pidfd);
	return 0;
}

/* Out of the way first: a source may sit where another's target is. */
static int move_up(const int *fds, int n, int above, int *ret, struct err *e)
{
	for (int i = 0; i < n; i++) {
		ret[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, above);
		if (fds[i] >= 0 && ret[i] < 0)
			return err_errno(e, "move descriptor %d", fds[i]);
	}
	return 0;
}

int child_descriptors(const int *fds, int n, int *const *kept, int n_kept, struct err *e)
{
	int moved[SBX_STDIO_MAX], old[CHILD_KEPT_MAX], high[CHILD_KEPT_MAX], next = n, r;

	for (int i = 0; i < n_kept; i++)
		old[i] = *kept[i];
	r = move_up(fds, n, n + n_kept, moved, e);
	if (r == 0)
		r = move_up(old, n_kept, n + n_kept, high, e);
	if (r < 0)
		return r;
	for (int i = 0; i < n; i++) {
		if (moved[i] < 0)
			(void)close(i); /* it may be closed already */
		else if (dup2(moved[i], i) < 0)
			return err_errno(e, "place descriptor %d", i);
	}
	for (int i = 0; i < n_kept; i++) {
		if (high[i] < 0)
			continue;
		if (dup3(high[i], next, O_CLOEXEC) < 0)
			return err_errno(e, "keep descriptor %d", old[i]);
		*kept[i] = next++;
	}
	return sbx_close_above(next - 1, e);
}

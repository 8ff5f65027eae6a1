/* The launcher's children: see proc.h. */
#include "runtimed/proc.h"

#include <signal.h>
#include <sys/wait.h>

int proc_watch(struct watches *ws, struct watch *w, struct sbx_proc *p, void (*ended)(void *arg),
	       void *arg, struct err *e)
{
	int r = watch_add(ws, w, p->pidfd, ended, arg, e);

	if (r < 0)
		proc_end(p);
	return r;
}

void proc_reap(struct sbx_proc *p, struct watch *w, int *ret_status)
{
	watch_drop(w);
	(void)waitpid(p->pid, ret_status, 0); /* its pidfd was readable: it has ended */
	sbx_proc_close(p);
}

void proc_end(struct sbx_proc *p)
{
	if (p->pid > 0) {
		(void)kill(p->pid, SIGKILL); /* not reaped yet, so the pid is still its */
		(void)waitpid(p->pid, NULL, 0);
	}
	sbx_proc_close(p);
}

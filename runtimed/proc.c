/* The launcher's children: see proc.h. */
#include "runtimed/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/file.h"

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

int proc_pss(pid_t pid, uint64_t *ret_bytes, struct err *e)
{
	static const char key[] = "\nPss:";
	char path[40], text[4096], *at;
	uint64_t kib;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	r = file_read(AT_FDCWD, path, text, sizeof(text), e);
	if (r < 0)
		return r;
	at = strstr(text, key);
	if (!at || sscanf(at + strlen(key), "%" SCNu64 " kB", &kib) != 1)
		return err_set(e, EPROTO, "'%s' tells no Pss", path);
	*ret_bytes = kib << 10;
	return 0;
}

/*
 * A pid 1 that only reaps. The function's process is not its child (the launcher waits for that one), so
 * every child it ever has is an orphan, and its exit status interests nobody.
 *
 * It needs no signal handlers: the kernel does not deliver to a pid 1 what it has no handler for, SIGKILL from
 * outside excepted. It blocks in sigwait() for SIGCHLD rather than in wait4(), which returns ECHILD at once
 * while there is no child.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/child.h"

_Noreturn void init_main(void)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &chld, NULL); /* cannot fail with a valid set */
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		(void)sigwaitinfo(&chld, NULL); /* EINTR: look again */
	}
}

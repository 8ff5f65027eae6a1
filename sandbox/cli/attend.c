/* Waiting for a container's process in the foreground: see cli.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/relay.h"

#define STATUS_SIGNAL 128 /* added to the number of the signal that ended the process */

/* Everything else is passed on. */
static const int not_forwarded[] = {
	SIGCHLD, SIGPIPE, SIGURG,           /* about us */
	SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, /* of the shell we were started by */
	SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGSYS, SIGABRT, /* our own mistakes */
};

int attend_signals(int *ret_fd, struct err *e)
{
	sigset_t set;
	int fd;

	sigfillset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(not_forwarded); i++)
		sigdelset(&set, not_forwarded[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno(e, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(e, "signalfd");
	*ret_fd = fd;
	return 0;
}

static void forward(int signals, int pidfd, const struct relay *relay)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && relay->master >= 0)
			relay_resize(relay);
		else
			/* It may have ended this moment: then there is nobody to tell. */
			(void)pidfd_send_signal(pidfd, (int)info.ssi_signo, NULL, 0);
	}
}

static int wait_for_end(int pidfd, int signals, struct relay *relay, struct err *e)
{
	struct pollfd fds[2 + RELAY_FDS] = {
		{.fd = pidfd,   .events = POLLIN},
		{.fd = signals, .events = POLLIN},
	};

	while (!fds[0].revents) {
		relay_poll(relay, fds + 2);
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno != EINTR)
				return err_errno(e, "poll");
			continue;
		}
		if (fds[1].revents)
			forward(signals, pidfd, relay);
		relay_serve(relay, fds + 2);
	}
	relay_drain(relay, signals);
	return 0;
}

int attend(const struct sbx_proc *proc, int signals, int *master, int *ret_status, struct err *e)
{
	_cleanup_relay_ struct relay relay = RELAY_INIT;
	siginfo_t info = {0};
	int r = *master >= 0 ? relay_open(&relay, master, e) : 0;

	if (r == 0)
		r = wait_for_end(proc->pidfd, signals, &relay, e);
	if (r == 0 && waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED) < 0)
		r = err_errno(e, "wait");
	if (r < 0)
		return r;
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : STATUS_SIGNAL + info.si_status;
	return 0;
}

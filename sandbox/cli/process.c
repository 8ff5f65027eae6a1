/* What create, run and exec do for the process they make: see cli.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/sock.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/relay.h"
#include "sandbox/console.h"

#define STDIO_FDS 3

int cli_pass_descriptors(uint64_t n, struct sbx_place *place, struct err *e)
{
	if (n > SBX_STDIO_MAX - STDIO_FDS)
		return err_set(e, EINVAL, "--preserve-fds: more than %d descriptors",
			       SBX_STDIO_MAX - STDIO_FDS);
	place->n_fds = STDIO_FDS + (int)n;
	for (int fd = 0; fd < place->n_fds; fd++) {
		int flags = fcntl(fd, F_GETFD);
		bool is_given = flags >= 0 && (fd < STDIO_FDS || !(flags & FD_CLOEXEC));

		place->fds[fd] = is_given ? fd : -1;
	}
	return 0;
}

/* In runc's words. */
int cli_check_terminal(const struct cli *c, const struct sbx_plan *p, bool is_detached,
		       struct err *e)
{
	bool is_sent = is_detached && p->terminal.is_wanted;

	if (is_sent && !c->console_socket)
		return err_set(e, EINVAL,
			       "cannot allocate tty if sandbox will detach without setting "
			       "console socket: use --console-socket");
	if (c->console_socket && !is_sent)
		return err_set(e, EINVAL,
			       "cannot use console socket if sandbox will not detach or allocate "
			       "tty");
	return 0;
}

int cli_open_terminal(const struct cli *c, struct sbx_plan *p, struct sbx_place *place,
		      int *ret_ours, struct err *e)
{
	if (!p->terminal.is_wanted)
		return 0;
	if (c->console_socket)
		return console_connect(c->console_socket, &place->console, e);
	relay_size(&p->terminal);
	return sock_pair(SOCK_STREAM, ret_ours, &place->console, e);
}

int cli_write_pid(const struct cli *c, pid_t pid, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)pid), r;

	r = c->pid_file ? file_replace(AT_FDCWD, c->pid_file, text, (size_t)n, 0644, e) : 0;
	return r < 0 ? err_wrap(e, "--pid-file") : 0;
}

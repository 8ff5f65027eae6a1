/* A container's terminal on our own: see relay.h. */
#include "sandbox/cli/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"

/* A pipe that polls writable takes this much at once (PIPE_BUF), so a write never blocks. */
#define CHUNK_BYTES 4096

/* More than a pty holds (64 KiB, and two pages). Others may still write to it: they are not waited for. */
#define DRAIN_BYTES (256 << 10)

enum { FD_IN, FD_OUT, FD_MASTER };

static bool is_open(const struct relay *r)
{
	return r->master >= 0;
}

static void flow_read(struct relay_flow *f, int *fd)
{
	ssize_t n = read(*fd, f->data, sizeof(f->data));

	if (n > 0) {
		f->at = 0;
		f->len = (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		*fd = -1;
	}
}

static void flow_write(struct relay_flow *f, int *fd)
{
	size_t chunk = f->len < CHUNK_BYTES ? f->len : CHUNK_BYTES;
	ssize_t n = write(*fd, f->data + f->at, chunk);

	if (n >= 0) {
		f->at += (size_t)n;
		f->len -= (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		*fd = -1;
	}
}

/* Whichever of ours is a terminal, and knows how large it is. */
static bool get_size(struct winsize *ret)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (ioctl(fd, TIOCGWINSZ, ret) == 0 && ret->ws_row && ret->ws_col)
			return true;
	return false;
}

void relay_size(struct sbx_terminal *t)
{
	struct winsize size;

	if (get_size(&size)) {
		t->rows = size.ws_row;
		t->columns = size.ws_col;
	}
}

void relay_resize(const struct relay *r)
{
	struct winsize size;

	if (is_open(r) && get_size(&size))
		(void)ioctl(r->master, TIOCSWINSZ, &size); /* a wrong size hurts nobody */
}

static int make_raw(struct relay *r, struct err *e)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &r->saved) < 0)
		return 0; /* no terminal */
	raw = r->saved;
	cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return err_errno(e, "our terminal into raw mode");
	r->is_raw = true;
	return 0;
}

/*
 * A terminal that is full would block us in write(): opened anew it can be O_NONBLOCK, for which the one we
 * share with our starter is not ours to change.
 */
static void open_output(struct relay *r)
{
	if (isatty(STDOUT_FILENO))
		r->out_own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	r->out = r->out_own >= 0 ? r->out_own : STDOUT_FILENO;
}

int relay_open(struct relay *r, int *master, struct err *e)
{
	int flags = fcntl(*master, F_GETFL);

	r->master = fd_steal(master);
	r->in = STDIN_FILENO;
	/* A reader that is gone is an error of write(). */
	(void)signal(SIGPIPE, SIG_IGN);
	if (flags < 0 || fcntl(r->master, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_errno(e, "terminal: no blocking");
	r->slave = ioctl(r->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (r->slave < 0)
		return err_errno(e, "hold the terminal");
	open_output(r);
	relay_resize(r);
	return make_raw(r, e);
}

void relay_close(struct relay *r)
{
	sigset_t ttou, before;

	if (r->is_raw) {
		/* In the background tcsetattr() would stop us: not now. */
		sigemptyset(&ttou);
		sigaddset(&ttou, SIGTTOU);
		(void)sigprocmask(SIG_BLOCK, &ttou, &before);
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	}
	r->is_raw = false;
	fd_close(&r->master);
	fd_close(&r->slave);
	fd_close(&r->out_own);
	r->in = r->out = -1;
}

void relay_poll(const struct relay *r, struct pollfd *fds)
{
	bool open = is_open(r);
	int events = (r->down.len == 0 ? POLLIN : 0) | (r->up.len > 0 ? POLLOUT : 0);

	fds[FD_IN] = (struct pollfd){open && r->up.len == 0 ? r->in : -1, POLLIN, 0};
	fds[FD_OUT] = (struct pollfd){open && r->down.len > 0 ? r->out : -1, POLLOUT, 0};
	fds[FD_MASTER] = (struct pollfd){open && events ? r->master : -1, (short)events, 0};
}

void relay_serve(struct relay *r, const struct pollfd *fds)
{
	int master = r->master; /* hung up on only by us */

	if (fds[FD_IN].revents && r->in >= 0)
		flow_read(&r->up, &r->in);
	if (fds[FD_MASTER].revents & POLLOUT)
		flow_write(&r->up, &master);
	if (fds[FD_MASTER].revents & POLLIN)
		flow_read(&r->down, &master);
	if (fds[FD_OUT].revents)
		flow_write(&r->down, &r->out);
	if (r->out < 0)
		r->down.len = 0; /* nobody reads it */
}

static bool write_down(struct relay *r, int interrupt)
{
	while (r->down.len > 0 && r->out >= 0) {
		struct pollfd fds[] = {
			{.fd = r->out,    .events = POLLOUT},
			{.fd = interrupt, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[1].revents)
			return false;
		if (fds[0].revents)
			flow_write(&r->down, &r->out);
	}
	return r->out >= 0;
}

void relay_drain(struct relay *r, int interrupt)
{
	if (!is_open(r))
		return;
	for (size_t total = 0; total < DRAIN_BYTES; total += r->down.len) {
		int master = r->master;

		if (!write_down(r, interrupt))
			return;
		flow_read(&r->down, &master);
		if (r->down.len == 0)
			return;
	}
	(void)write_down(r, interrupt);
}

/* Running hooks: see hook.h. */
#include "sandbox/hook.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/mem.h"
#include "sandbox/sys.h"

#define EXIT_NOT_EXECUTED 127
#define WORDS_BYTES       200 /* of its output, in the error */

const char *hook_kind_name(enum sbx_hook_kind kind)
{
	static const char *const names[SBX_HOOK_KINDS] = {
		[SBX_HOOK_PRESTART] = "prestart",
		[SBX_HOOK_CREATE_RUNTIME] = "createRuntime",
		[SBX_HOOK_CREATE_CONTAINER] = "createContainer",
		[SBX_HOOK_START_CONTAINER] = "startContainer",
		[SBX_HOOK_POSTSTART] = "poststart",
		[SBX_HOOK_POSTSTOP] = "poststop",
	};

	return names[kind];
}

/* A hook under way: what it says goes through the pipe, and is drained so that it never blocks. */
struct running {
	pid_t pid;
	int pidfd, said;
	char words[WORDS_BYTES];
	size_t n_words;
};

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)signal(s, SIG_DFL); /* SIGKILL, SIGSTOP and libc's own two refuse: right so */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL); /* cannot fail with a valid set */
}

static _Noreturn void become(const struct sbx_hook *h, const char **env, int state, int said,
			     const char *dir)
{
	static const char lost[] = "not executed: ";
	const char *why;

	reset_signals();
	/* A group of its own, to be killed as one. */
	if (setpgid(0, 0) == 0 && lseek(state, 0, SEEK_SET) == 0 && dup2(state, 0) == 0 &&
	    dup2(said, 1) == 1 && dup2(said, 2) == 2 &&
	    (chdir(dir) == 0 || (errno == ENOENT && chdir("/") == 0)) &&
	    sys_close_range(3, ~0u, 0) == 0)
		execve(h->path, (char **)h->argv, (char **)env);
	why = strerrorname_np(errno) ?: "?";
	/* Nobody to tell if that fails too; the exit status stays. */
	if (write(2, lost, sizeof(lost) - 1) > 0 && write(2, why, strlen(why)) > 0)
		_exit(EXIT_NOT_EXECUTED);
	_exit(EXIT_NOT_EXECUTED);
}

static int launch(const struct sbx_hook *h, const char **env, int state, const char *dir,
		  struct running *ret, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	ret->said = ends[0];
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
		fd_close(&ends[1]);
		return err_errno(e, "pipe");
	}
	ret->pid = sys_fork(&ret->pidfd);
	if (ret->pid == 0)
		become(h, env, state, ends[1], dir);
	if (ret->pid < 0)
		err_errno(e, "fork");
	fd_close(&ends[1]);
	return ret->pid < 0 ? -e->code : 0;
}

/* The first words are kept. */
static void drain(struct running *h, struct pollfd *p)
{
	char more[4096];
	ssize_t n = read(h->said, more, sizeof(more));
	size_t room = sizeof(h->words) - 1 - h->n_words;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		p->fd = -1; /* all its ends are closed */
	if (n <= 0 || room == 0)
		return;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(h->words + h->n_words, more, room);
	h->n_words += room;
}

/* 0: it has ended. */
static int wait_for_end(struct running *h, uint64_t deadline_us, struct err *e)
{
	struct pollfd fds[] = {
		{.fd = h->pidfd, .events = POLLIN},
		{.fd = h->said,  .events = POLLIN},
	};

	while (!fds[0].revents) {
		uint64_t now_us = clk_now_us();
		int wait_ms = -1;

		if (deadline_us > 0 && now_us >= deadline_us)
			return err_set(e, ETIMEDOUT, "killed: its time is over");
		if (deadline_us > 0)
			wait_ms = (int)((deadline_us - now_us) / CLK_US_PER_MS) + 1;
		if (poll(fds, ARRAY_SIZE(fds), wait_ms) < 0 && errno != EINTR)
			return err_errno(e, "poll");
		if (fds[1].revents)
			drain(h, &fds[1]);
	}
	if (fds[1].fd >= 0)
		drain(h, &fds[1]);
	return 0;
}

/* One line of what it said: it becomes part of ours. */
static void add_words(struct running *h, struct err *e)
{
	size_t used = strlen(e->text);

	while (h->n_words > 0 && h->words[h->n_words - 1] == '\n')
		h->n_words--;
	h->words[h->n_words] = '\0';
	for (size_t i = 0; i < h->n_words; i++)
		if ((unsigned char)h->words[i] < ' ' || h->words[i] == 0x7f)
			h->words[i] = ' ';
	if (h->n_words > 0)
		(void)snprintf(e->text + used, sizeof(e->text) - used, ", output: %s", h->words);
}

/* In the words of runc, whose users look for "signal: bad system call" when a filter was too strict. */
static int judge(int status, struct err *e)
{
	const char *name;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return err_set(e, ECHILD, "exit status %d", WEXITSTATUS(status));
	name = sigdescr_np(WTERMSIG(status)) ?: "unknown";
	return err_set(e, ECHILD, "signal: %c%s", tolower((unsigned char)name[0]), name + 1);
}

static int run(const struct sbx_hook *h, const char **env, int state, const char *dir,
	       struct err *e)
{
	uint64_t deadline_us = h->timeout_s ? clk_now_us() + h->timeout_s * CLK_US_PER_SEC : 0;
	struct running hook = {.pid = -1, .pidfd = -1, .said = -1};
	int r = launch(h, env, state, dir, &hook, e), status = 0;

	if (r == 0) {
		r = wait_for_end(&hook, deadline_us, e);
		if (r < 0) {
			/* It may not have come to its own group yet. */
			(void)kill(-hook.pid, SIGKILL);
			(void)kill(hook.pid, SIGKILL);
		}
		while (waitpid(hook.pid, &status, 0) < 0 && errno == EINTR)
			;
		if (r == 0)
			r = judge(status, e);
		if (r < 0)
			add_words(&hook, e);
	}
	fd_close(&hook.pidfd);
	fd_close(&hook.said);
	return r;
}

int hook_run(const struct sbx_plan *p, enum sbx_hook_kind kind, uint32_t i, int state,
	     const char *dir, struct err *e)
{
	const struct sbx_hook *h = &p->hooks[kind].hooks[i];
	const char **env = kind == SBX_HOOK_START_CONTAINER ? p->env : (const char **)environ;

	if (run(h, h->env ? h->env : env, state, dir, e) < 0)
		return err_wrap(e, "error running hook: %s[%u] '%s'", hook_kind_name(kind), i,
				h->path);
	return 0;
}

int hook_run_all(const struct sbx_plan *p, enum sbx_hook_kind kind, int state, const char *dir,
		 struct err *e)
{
	for (uint32_t i = 0; i < p->hooks[kind].n; i++) {
		int r = hook_run(p, kind, i, state, dir, e);

		if (r < 0)
			return r;
	}
	return 0;
}

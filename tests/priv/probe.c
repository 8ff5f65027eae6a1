/*
 * probe COMMAND [PATH]: what a process inside of a sandbox can see and do, told on stdout. Linked statically,
 * so that the root file system needs nothing else.
 *
 * It is started as the sandbox's root with struct sbx_drop on descriptor 3, and first gives up what that
 * says, as a guest does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/drop.h"

#define DROP_FD     3
#define CHUNK       65536
#define PATIENCE_US (20 * CLK_US_PER_SEC)
#define SLEEPERS    3

static int fail(const char *what)
{
	printf("%s: %s\n", what, err_name(errno));
	return 1;
}

static int do_cat(const char *path)
{
	char text[CHUNK];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fail("open");
	while ((n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	close(fd);
	return n < 0 ? fail("read") : 0;
}

/* Names in order, each followed by a blank. */
static int do_ls(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort);

	if (n < 0)
		return fail("scandir");
	for (int i = 0; i < n; i++)
		if (names[i]->d_name[0] != '.')
			printf("%s ", names[i]->d_name);
	return 0;
}

static int do_write(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1)
		return fail("write");
	printf("written");
	return 0;
}

/* Until it fails: the bytes that went in, and why no more did. */
static int do_fill(const char *path)
{
	static char zero[CHUNK];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	long long bytes = 0;
	ssize_t n;

	if (fd < 0)
		return fail("open");
	while ((n = write(fd, zero, sizeof(zero))) > 0)
		bytes += n;
	printf("%lld %s", bytes, err_name(errno));
	return 0;
}

/* All interfaces, and whether they are up. */
static int do_net(const char *path)
{
	struct if_nameindex *all = if_nameindex();
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	(void)path;
	if (!all || s < 0)
		return fail("if_nameindex");
	for (struct if_nameindex *i = all; i->if_name; i++) {
		struct ifreq req = {0};

		if (!str_copy(req.ifr_name, sizeof(req.ifr_name), i->if_name) ||
		    ioctl(s, SIOCGIFFLAGS, &req) < 0)
			return fail("SIOCGIFFLAGS");
		printf("%s %s ", i->if_name, req.ifr_flags & IFF_UP ? "up" : "down");
	}
	return 0;
}

/* The grandchild tells its pid when its parent has gone, and ends. */
static void become_orphan(int tell, pid_t parent)
{
	pid_t self = getpid();

	while (getppid() == parent)
		sched_yield();
	if (write(tell, &self, sizeof(self)) != sizeof(self))
		_exit(1);
	_exit(getppid() == 1 ? 0 : 1);
}

static int do_orphan(const char *path)
{
	uint64_t deadline = clk_now_us() + PATIENCE_US;
	int pipe_fds[2];
	pid_t child, orphan;

	(void)path;
	if (pipe(pipe_fds) < 0)
		return fail("pipe");
	child = fork();
	if (child == 0) {
		pid_t self = getpid();

		if (fork() == 0)
			become_orphan(pipe_fds[1], self);
		_exit(0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child ||
	    read(pipe_fds[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		return fail("fork");
	/* A zombie is still there: only when it was reaped does the pid go. */
	while (kill(orphan, 0) == 0 && clk_now_us() < deadline)
		sched_yield();
	printf("%s", kill(orphan, 0) < 0 && errno == ESRCH ? "reaped" : "left");
	return 0;
}

/* Some processes that never end, one of them in a session of its own; "ready" when all run. */
static int do_stay(const char *path)
{
	int pipe_fds[2];
	char byte;

	(void)path;
	if (pipe(pipe_fds) < 0)
		return fail("pipe");
	for (int i = 0; i < SLEEPERS; i++)
		if (fork() == 0) {
			if (i == 0)
				(void)setsid();
			if (write(pipe_fds[1], "r", 1) != 1)
				_exit(1);
			for (;;)
				(void)pause();
		}
	for (int i = 0; i < SLEEPERS; i++)
		if (read(pipe_fds[0], &byte, 1) != 1)
			return fail("fork");
	printf("ready");
	fflush(stdout);
	for (;;)
		(void)pause();
}

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(const char *path);
} commands[] = {
	{"cat",    do_cat   },
	{"ls",     do_ls    },
	{"write",  do_write },
	{"fill",   do_fill  },
	{"net",    do_net   },
	{"orphan", do_orphan},
	{"stay",   do_stay  },
};
/* clang-format on */

static int drop(void)
{
	static struct sbx_drop d;
	struct err e = ERR_INIT;

	if (pread(DROP_FD, &d, sizeof(d), 0) != (ssize_t)sizeof(d)) {
		printf("no struct sbx_drop\n");
		return 1;
	}
	if (sbx_drop(&d, &e) < 0) {
		printf("%s\n", e.text);
		return 1;
	}
	close(DROP_FD);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2 || drop() != 0)
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (str_is(commands[i].name, argv[1]))
			return commands[i].run(argc > 2 ? argv[2] : "");
	return 2;
}

/*
 * Network namespaces made ahead of time: one costs 0.5 ms, entering it 1 µs.
 *
 * The caller returns to its own on every path; a failure to return is the error reported. Loopback is
 * brought up by the one ioctl it takes; devices that move into a sandbox are net_move.c's.
 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/net.h"

int net_loopback_up(struct err *e)
{
	_cleanup_fd_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {.ifr_name = "lo"};

	if (s < 0)
		return err_errno(e, "socket");
	req.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &req) < 0)
		return err_errno(e, "bring loopback up");
	return 0;
}

static int make_here(int *ret_ns, struct err *e)
{
	_cleanup_fd_ int ns = -1;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return err_errno(e, "unshare");
	r = net_loopback_up(e);
	if (r < 0)
		return r;
	ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_errno(e, "open the new one");
	*ret_ns = fd_steal(&ns);
	return 0;
}

int sbx_net_create(int *ret_ns, struct err *e)
{
	_cleanup_fd_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), ns = -1;
	int r;

	if (home < 0)
		return err_errno(e, "network namespace: open own");
	r = make_here(&ns, e);
	if (setns(home, CLONE_NEWNET) < 0)
		r = err_errno(e, "return to own");
	if (r < 0)
		return err_wrap(e, "network namespace");
	*ret_ns = fd_steal(&ns);
	return 0;
}

/* The vocabulary of policy text: errno names, comparison signs, and the kernel's constants by name. */
#include "policy/pol.h"

#include <asm/ioctls.h>
#include <asm/prctl.h>
#include <linux/fcntl.h>
#include <linux/in.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

#define ERRNO_MAX 133 /* EHWPOISON, the last one of every ABI we know */

#define NAMED(x)                                                                                   \
	{                                                                                          \
#x, (uint32_t)(x)                                                                  \
	}

/* Not in the headers of Linux 6.1. */
#ifndef SOL_TCP
#define SOL_TCP 6
#endif

static const struct constant {
	const char *name;
	uint32_t value;
} constants[] = {
	/* clone */
	NAMED(CLONE_NEWTIME),
	NAMED(CLONE_NEWNS),
	NAMED(CLONE_NEWCGROUP),
	NAMED(CLONE_NEWUTS),
	NAMED(CLONE_NEWIPC),
	NAMED(CLONE_NEWUSER),
	NAMED(CLONE_NEWPID),
	NAMED(CLONE_NEWNET),
	NAMED(CLONE_THREAD),
	NAMED(CLONE_PARENT),
	/* socket */
	NAMED(AF_UNIX),
	NAMED(AF_INET),
	NAMED(AF_INET6),
	NAMED(AF_NETLINK),
	NAMED(SOCK_STREAM),
	NAMED(SOCK_DGRAM),
	NAMED(SOCK_SEQPACKET),
	NAMED(IPPROTO_IP),
	NAMED(IPPROTO_TCP),
	NAMED(IPPROTO_UDP),
	/* setsockopt */
	NAMED(SOL_SOCKET),
	NAMED(SOL_TCP),
	NAMED(TCP_ULP),
	NAMED(SO_ATTACH_FILTER),
	NAMED(SO_ATTACH_BPF),
	NAMED(SO_ATTACH_REUSEPORT_CBPF),
	NAMED(SO_ATTACH_REUSEPORT_EBPF),
	/* ioctl */
	NAMED(TCGETS),
	NAMED(TCSETS),
	NAMED(TCSETSW),
	NAMED(TCSETSF),
	NAMED(TIOCGWINSZ),
	NAMED(TIOCGPGRP),
	NAMED(TIOCSTI),
	NAMED(TIOCLINUX),
	NAMED(FIONREAD),
	NAMED(FIONBIO),
	NAMED(FIOCLEX),
	NAMED(FIONCLEX),
	/* prctl */
	NAMED(PR_SET_PDEATHSIG),
	NAMED(PR_GET_PDEATHSIG),
	NAMED(PR_GET_DUMPABLE),
	NAMED(PR_SET_DUMPABLE),
	NAMED(PR_GET_KEEPCAPS),
	NAMED(PR_SET_NAME),
	NAMED(PR_GET_NAME),
	NAMED(PR_GET_SECCOMP),
	NAMED(PR_CAPBSET_READ),
	NAMED(PR_GET_SECUREBITS),
	NAMED(PR_SET_TIMERSLACK),
	NAMED(PR_GET_TIMERSLACK),
	NAMED(PR_SET_CHILD_SUBREAPER),
	NAMED(PR_GET_CHILD_SUBREAPER),
	NAMED(PR_SET_NO_NEW_PRIVS),
	NAMED(PR_GET_NO_NEW_PRIVS),
	NAMED(PR_GET_TID_ADDRESS),
	NAMED(PR_SET_THP_DISABLE),
	NAMED(PR_GET_THP_DISABLE),
	NAMED(PR_SET_VMA),
	/* arch_prctl */
	NAMED(ARCH_SET_FS),
	NAMED(ARCH_GET_FS),
	NAMED(ARCH_SET_GS),
	NAMED(ARCH_GET_GS),
	/* mknod */
	NAMED(S_IFMT),
	NAMED(S_IFIFO),
	NAMED(S_IFREG),
	/* prlimit64 */
	NAMED(RLIMIT_CORE),
	/* fcntl */
	NAMED(F_SETOWN),
	NAMED(F_SETLEASE),
	NAMED(F_NOTIFY),
};

static const char *const ops[POL_OPS] = {
	[POL_EQ] = "==", [POL_NE] = "!=", [POL_LT] = "<",
	[POL_LE] = "<=", [POL_GT] = ">",  [POL_GE] = ">=",
};

bool pol_errno_value(const char *name, uint32_t *ret)
{
	if (name[0] != 'E' || name[1] == '?') /* err_name()'s word for a gap in the numbers */
		return false;
	for (uint32_t code = 1; code <= ERRNO_MAX; code++) {
		if (!str_is(err_name((int)code), name))
			continue;
		*ret = code;
		return true;
	}
	return false;
}

bool pol_constant_value(const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
		if (!str_is(constants[i].name, name))
			continue;
		*ret = constants[i].value;
		return true;
	}
	return false;
}

bool pol_op_value(const char *name, enum pol_op *ret)
{
	for (int i = 0; i < POL_OPS; i++) {
		if (!str_is(ops[i], name))
			continue;
		*ret = (enum pol_op)i;
		return true;
	}
	return false;
}

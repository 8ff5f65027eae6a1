/* What a profile's rules must know of the machine: ABIs, multiplexers, widths of arguments. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/prof.h"

#ifndef __x86_64__
#error "ABIs of this machine are missing here"
#endif

/* Every name of runtime-spec 1.3.0 and Docker; those of other machines can never call on this one. */
/* clang-format off */
static const struct {
	const char *name;
	int abi;
} abis[] = {
	{"SCMP_ARCH_X86_64",      PROF_X86_64},
	{"SCMP_ARCH_X32",         PROF_X32   },
	{"SCMP_ARCH_X86",         PROF_X86   },
	{"SCMP_ARCH_ARM",         PROF_ABIS  },
	{"SCMP_ARCH_AARCH64",     PROF_ABIS  },
	{"SCMP_ARCH_MIPS",        PROF_ABIS  },
	{"SCMP_ARCH_MIPS64",      PROF_ABIS  },
	{"SCMP_ARCH_MIPS64N32",   PROF_ABIS  },
	{"SCMP_ARCH_MIPSEL",      PROF_ABIS  },
	{"SCMP_ARCH_MIPSEL64",    PROF_ABIS  },
	{"SCMP_ARCH_MIPSEL64N32", PROF_ABIS  },
	{"SCMP_ARCH_PPC",         PROF_ABIS  },
	{"SCMP_ARCH_PPC64",       PROF_ABIS  },
	{"SCMP_ARCH_PPC64LE",     PROF_ABIS  },
	{"SCMP_ARCH_S390",        PROF_ABIS  },
	{"SCMP_ARCH_S390X",       PROF_ABIS  },
	{"SCMP_ARCH_PARISC",      PROF_ABIS  },
	{"SCMP_ARCH_PARISC64",    PROF_ABIS  },
	{"SCMP_ARCH_RISCV64",     PROF_ABIS  },
	{"SCMP_ARCH_LOONGARCH64", PROF_ABIS  },
	{"SCMP_ARCH_M68K",        PROF_ABIS  },
	{"SCMP_ARCH_SH",          PROF_ABIS  },
	{"SCMP_ARCH_SHEB",        PROF_ABIS  },
};
/* clang-format on */

const char *pol_profile_arch_word(size_t i)
{
	return i < ARRAY_SIZE(abis) ? abis[i].name : NULL;
}

int pol_abi_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
		if (str_is(abis[i].name, name))
			return abis[i].abi;
	return -1;
}

#define SOCKETCALL 102
#define IPC        117
#define SOCK(name, call, direct)                                                                   \
	{                                                                                          \
		name, SOCKETCALL, call, direct, UINT32_MAX                                         \
	}
#define SYSV(name, call, direct)                                                                   \
	{                                                                                          \
		name, IPC, call, direct, 0xffff                                                    \
	}

static const struct prof_sub subs[] = {
	SOCK("socket", 1, 359),      SOCK("bind", 2, 361),        SOCK("connect", 3, 362),
	SOCK("listen", 4, 363),      SOCK("accept", 5, -1),       SOCK("getsockname", 6, 367),
	SOCK("getpeername", 7, 368), SOCK("socketpair", 8, 360),  SOCK("send", 9, -1),
	SOCK("recv", 10, -1),        SOCK("sendto", 11, 369),     SOCK("recvfrom", 12, 371),
	SOCK("shutdown", 13, 373),   SOCK("setsockopt", 14, 366), SOCK("getsockopt", 15, 365),
	SOCK("sendmsg", 16, 370),    SOCK("recvmsg", 17, 372),    SOCK("accept4", 18, 364),
	SOCK("recvmmsg", 19, 337),   SOCK("sendmmsg", 20, 345),   SYSV("semop", 1, -1),
	SYSV("semget", 2, 393),      SYSV("semctl", 3, 394),      SYSV("semtimedop", 4, -1),
	SYSV("msgsnd", 11, 400),     SYSV("msgrcv", 12, 401),     SYSV("msgget", 13, 399),
	SYSV("msgctl", 14, 402),     SYSV("shmat", 21, 397),      SYSV("shmdt", 22, 398),
	SYSV("shmget", 23, 395),     SYSV("shmctl", 24, 396),
};

_Static_assert(ARRAY_SIZE(subs) <= ARRAY_SIZE(((struct prof_map *)0)->made), "a condition each");

const struct prof_sub *pol_abi_sub(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(subs); i++)
		if (str_is(subs[i].name, name))
			return &subs[i];
	return NULL;
}

/*
 * Arguments that the kernel declares as int, unsigned int or umode_t, or cuts itself (clone's flags), of calls
 * that profiles judge by arguments: one bit an argument. What is missing here is compared whole.
 */
/* clang-format off */
static const struct {
	const char *name;
	uint8_t ints;
	uint8_t modes; /* umode_t: 16 bits */
} narrow[] = {
	{"arch_prctl",         0x01, 0   },
	{"bpf",                0x01, 0   },
	{"chmod",              0,    0x02},
	{"clone",              0x01, 0   },
	{"close_range",        0x07, 0   },
	{"creat",              0,    0x02},
	{"faccessat2",         0x0d, 0   },
	{"fallocate",          0x03, 0   },
	{"fanotify_init",      0x03, 0   },
	{"fchmod",             0x01, 0x02},
	{"fchmodat",           0x01, 0x04},
	{"fchmodat2",          0x09, 0x04},
	{"fcntl",              0x03, 0   },
	{"fcntl64",            0x03, 0   },
	{"finit_module",       0x05, 0   },
	{"flock",              0x03, 0   },
	{"getrandom",          0x04, 0   },
	{"getsockopt",         0x07, 0   },
	{"io_uring_setup",     0x01, 0   },
	{"ioctl",              0x03, 0   },
	{"ipc",                0x01, 0   },
	{"keyctl",             0x01, 0   },
	{"kill",               0x03, 0   },
	{"madvise",            0x04, 0   },
	{"memfd_create",       0x02, 0   },
	{"mkdir",              0,    0x02},
	{"mkdirat",            0x01, 0x04},
	{"mknod",              0,    0x02},
	{"mknodat",            0x01, 0x04},
	{"open",               0x02, 0x04},
	{"openat",             0x05, 0x08},
	{"perf_event_open",    0x1c, 0   },
	{"personality",        0x01, 0   },
	{"pidfd_open",         0x03, 0   },
	{"pidfd_send_signal",  0x0b, 0   },
	{"prctl",              0x01, 0   },
	{"prlimit64",          0x03, 0   },
	{"quotactl",           0x01, 0   },
	{"reboot",             0x07, 0   },
	{"renameat2",          0x15, 0   },
	{"sched_setscheduler", 0x03, 0   },
	{"seccomp",            0x03, 0   },
	{"setns",              0x03, 0   },
	{"setrlimit",          0x01, 0   },
	{"setsockopt",         0x07, 0   },
	{"socket",             0x07, 0   },
	{"socketcall",         0x01, 0   },
	{"socketpair",         0x07, 0   },
	{"syslog",             0x05, 0   },
	{"tgkill",             0x07, 0   },
	{"tkill",              0x03, 0   },
	{"umask",              0x01, 0   },
	{"umount2",            0x02, 0   },
	{"userfaultfd",        0x01, 0   },
};
/* clang-format on */

uint8_t pol_abi_arg_bits(const char *name, uint8_t index)
{
	for (size_t i = 0; i < ARRAY_SIZE(narrow); i++) {
		if (!str_is(narrow[i].name, name))
			continue;
		return narrow[i].modes >> index & 1 ? 16 : narrow[i].ints >> index & 1 ? 32 : 64;
	}
	return 64;
}

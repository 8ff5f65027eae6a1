/*
 * One system call with nothing around it: seccomp_probe ABI NUMBER [ARG...], where ABI is native, x32 or i386,
 * prints what the kernel answers. NUMBER may be "socketcall", ARG then a family: socket(2) the way of old
 * 32-bit programs. No libc: what a filter refuses is this call and no other. Linked at a low address, which
 * int 0x80 can reach.
 */
#include <stddef.h>

#define X32_BIT    0x40000000L
#define SOCKETCALL 102
#define SEQPACKET  5

static unsigned int socket_args[3];

static long native(long nr, const long a[6])
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static long i386(long nr, const long a[6])
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2])
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

static long number(const char *s)
{
	long n = 0;

	while (*s)
		n = n * 10 + (*s++ - '0');
	return n;
}

static void print(long n)
{
	char text[24], *p = text + sizeof(text);
	unsigned long rest = n < 0 ? -(unsigned long)n : (unsigned long)n;
	long a[6] = {1};

	*--p = '\n';
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (n < 0)
		*--p = '-';
	a[1] = (long)p;
	a[2] = text + sizeof(text) - p;
	(void)native(1, a);
}

__attribute__((used)) void probe(long *stack)
{
	char **argv = (char **)(stack + 1);
	long a[6] = {0}, none[6] = {0}, nr;

	for (int i = 3; i < stack[0] && i < 9; i++)
		a[i - 3] = number(argv[i]);
	if (argv[2][0] == 's') {
		socket_args[0] = (unsigned int)a[0];
		socket_args[1] = SEQPACKET;
		nr = SOCKETCALL;
		a[0] = 1; /* SYS_SOCKET */
		a[1] = (long)socket_args;
	} else {
		nr = number(argv[2]);
	}
	print(argv[1][0] == 'i' ? i386(nr, a) : native(argv[1][0] == 'x' ? X32_BIT | nr : nr, a));
	(void)native(231, none); /* exit_group */
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall probe\n");

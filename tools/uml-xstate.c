/*
 * LD_PRELOAD for linux.uml on hosts with large vector registers.
 *
 * User-Mode Linux 6.1 keeps a guest's vector registers in 2696 bytes. The host takes them back
 * (PTRACE_SETREGSET, NT_X86_XSTATE) only in its own full size, 11008 bytes where the CPU has AMX,
 * and answers EFAULT: the guest's init dies at once. Later kernels ask for the size. Here the call
 * is completed with what the host holds of the rest.
 */
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long ptrace_fn(enum __ptrace_request request, ...);

static ptrace_fn *real_ptrace;

/* Not on the stack: the caller's is one of UML's small kernel stacks. UML has one CPU. */
static char state[64 << 10];

__attribute__((constructor)) static void find_ptrace(void)
{
	real_ptrace = (ptrace_fn *)dlsym(RTLD_NEXT, "ptrace");
}

static long set_xstate(pid_t pid, const struct iovec *given)
{
	struct iovec full = {.iov_base = state, .iov_len = sizeof(state)};

	if (real_ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &full) < 0)
		return -1;
	memcpy(state, given->iov_base,
	       given->iov_len < full.iov_len ? given->iov_len : full.iov_len);
	return real_ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &full);
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list ap;
	pid_t pid;
	void *addr, *data;

	va_start(ap, request);
	pid = va_arg(ap, pid_t);
	addr = va_arg(ap, void *);
	data = va_arg(ap, void *);
	va_end(ap);
	if (request == PTRACE_SETREGSET && addr == (void *)NT_X86_XSTATE)
		return set_xstate(pid, data);
	return real_ptrace(request, pid, addr, data);
}

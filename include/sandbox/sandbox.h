/*
 * Executing a plan.
 *
 *	struct sbx_proc p;
 *	sbx_start(plan, &place, &p, &e)    // sandbox stands; its process runs (or waits as pid 1)
 *	poll(p.pidfd) ... waitid(P_PIDFD, p.pidfd)
 *	sbx_proc_close(&p)
 *
 * sbx_start() blocks until the child has run its whole step table: some ms. On failure nothing is left: the
 * child is killed and reaped. The caller must be single-threaded.
 *
 * Most of that time the child waits in the kernel. Who has other work meanwhile takes the two halves:
 *
 *	sbx_begin(plan, &place, &begun, &e)       // cloned, ids mapped, on its way: about 0.2 ms
 *	poll(begun.sync)                          // it has something to say
 *	sbx_finish(plan, &begun, &p, &e)          // what that is; does not block any more
 *
 * sbx_start() is just these. The plan must live until the second; the place only for the first. A start that stops
 * on its way, for hooks, a listener or a gate, has sbx_await() and sbx_go_on() in between.
 *
 * Killing and removing belong to the cgroup (cg_kill, cg_wait_empty, cg_remove): pid namespaces end with
 * their pid 1, mount namespaces with their last process.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <sys/types.h>

#include "base/err.h"
#include "sandbox/plan.h"

#define SBX_STDIO_MAX 128

/*
 * For a start that stops on its way: sbx_await(). Descriptors that the child inherits, borrowed; -1 = none.
 *
 * start and answer are FIFOs, each opened for reading and writing. With them the child waits, once nothing is
 * left but to execute, until sbx_open_gate() lets it. creating and created are files that hold the state JSON of
 * these statuses by the time the child comes to them: stdin of createContainer and startContainer hooks.
 */
struct sbx_gate {
	int start, answer;
	int creating, created;
};
#define SBX_GATE_INIT                                                                              \
	{                                                                                          \
		.start = -1, .answer = -1, .creating = -1, .created = -1                           \
	}

/* Where to start it: kernel objects the caller owns. */
struct sbx_place {
	const struct cg *group; /* limits are set already; the child is born in it. NULL = stay */
	int net_ns;             /* join this network namespace; -1 = as plan->namespaces says */
	/* Become 0..n_fds-1 of an exec'ed process, a number is closed for -1; all others are closed. */
	int fds[SBX_STDIO_MAX];
	int n_fds;
	/* plan->terminal is wanted: the socket its master goes to. fds 0..2 are replaced by the terminal. */
	int console;
	const struct sbx_gate *gate; /* NULL: it does not stop; then the plan has no hooks either */
};

struct sbx_proc {
	pid_t pid;
	int pidfd;
};

int sbx_start(const struct sbx_plan *plan, const struct sbx_place *place, struct sbx_proc *ret,
	      struct err *e);

/* A start under way. */
struct sbx_begun {
	struct sbx_proc proc;
	bool is_gated;
	int listener; /* at SBX_STAGE_LISTENING: number of the listener's descriptor, in the child */
	int sync;     /* readable once the child has succeeded or failed; for poll, nothing else */
};
#define SBX_BEGUN_INIT                                                                             \
	{                                                                                          \
		.proc = {-1, -1}, .is_gated = false, .listener = -1, .sync = -1                    \
	}

int sbx_begin(const struct sbx_plan *plan, const struct sbx_place *place, struct sbx_begun *ret,
	      struct err *e);

/* *b is used up, whatever the outcome. Blocks until the child has something to say. */
int sbx_finish(const struct sbx_plan *plan, struct sbx_begun *b, struct sbx_proc *ret,
	       struct err *e);

/*
 * A further process in a standing sandbox: what plan says of the process alone, in all namespaces of `init`,
 * a process of that sandbox. Its other end is as with sbx_start(). place->group is the sandbox's.
 */
int sbx_exec(const struct sbx_plan *plan, const struct sbx_place *place,
	     const struct sbx_proc *init, struct sbx_proc *ret, struct err *e);

/*
 * Before sbx_finish(), of a start with a gate: blocks until the child stops or needs to stop no more.
 *
 *	SBX_STAGE_MOUNTED	only if the plan has hooks that precede the program: the starter fills
 *				gate->creating and created, runs its own hooks, and lets it go on
 *	SBX_STAGE_LISTENING	only if plan->listener.path: the starter passes the listener on
 *				(sandbox/seccomp_notify.h), and lets it go on
 *	SBX_STAGE_GATED		only if gate->start: the starter makes the container known, and lets it go on;
 *				sbx_finish() does not wait for it to execute
 *	SBX_STAGE_EXECUTED	sbx_finish() is next
 */
enum sbx_stage { SBX_STAGE_EXECUTED, SBX_STAGE_MOUNTED, SBX_STAGE_LISTENING, SBX_STAGE_GATED };
int sbx_await(const struct sbx_plan *plan, struct sbx_begun *b, enum sbx_stage *ret, struct err *e);
int sbx_go_on(const struct sbx_begun *b, struct err *e);

/*
 * Let a gated process, pid, execute its program, from any process: start and answer are the FIFOs' other ends
 * (written and read). Blocks until it has executed or failed, or has died.
 */
int sbx_open_gate(int start, int answer, pid_t pid, struct err *e);

/* Instead of sbx_finish(): end it. Blocks until it is reaped. */
void sbx_abandon(struct sbx_begun *b);

void sbx_proc_close(struct sbx_proc *p);

/*
 * Execute argv[0] in a standing sandbox, as root of its user namespace and with all its capabilities: for
 * a program of ours that drops them itself. init_pidfd is the sandbox's pid 1, place->group its group. Blocks
 * until executed. The new process is a child of the caller.
 */
int sbx_enter(int init_pidfd, const struct sbx_place *place, const char *const *argv,
	      const char *const *env, struct sbx_proc *ret, struct err *e);

/*
 * Another size for all that a function's sandbox may write, as if its plan had had these scratch_bytes: for one that
 * stands and has run nothing of its tenant's. init is its pid 1. -EINVAL: less than there is already.
 */
int sbx_resize_scratch(const struct sbx_proc *init, uint64_t bytes, struct err *e);

/* Fill an empty directory with the minimal /dev: null zero full random urandom, fd links, shm, pts. */
int sbx_dev_fill(int dirfd, struct err *e);

/* A new network namespace with loopback up. The caller stays in its own. */
int sbx_net_create(int *ret_ns, struct err *e);

#endif

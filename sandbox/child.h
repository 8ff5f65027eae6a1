/*
 * What the two halves of a start share. The child half: the process that clone3() made runs one ordered table of
 * steps (child.c), then executes its program or becomes the sandbox's pid 1.
 *
 * It shares no memory with its parent, allocates nothing, and talks over one SEQPACKET socket:
 *	parent → child   one byte: ids are mapped, groups are joined, go
 *	                 then, if the plan has any, its idmapped mounts (idmap.h) and sources (lend.h)
 *	child → parent   struct child_report: failed (err.code != 0) or, as pid 1, standing (code 0)
 *	parent → child   one byte: to a pid 1 that stands, heard
 *	child → parent   report of stage CHILD_BOUND, if it is to die with the parent: from now on it will. Not
 *	                 answered; sent because sending fails if the parent has died before
 *	end of file      the program was executed (the socket is close-on-exec)
 *
 * In between up to three stops, each only where it is asked for: a report of code 0 and a stage, answered by one byte
 * that lets it go on. The end of file instead means that the parent is gone: the child ends too.
 *	CHILD_MOUNTED    the plan has hooks: all is mounted, the host's tree still there
 *	CHILD_LISTENING  the filter has a listener: it is in force, and waits to be fetched
 *	CHILD_GATED      place->gate has a start: nothing is left but to execute. After the byte this socket is closed,
 *	                 and what remains is said over the gate (include/sandbox/sandbox.h)
 */
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include "base/err.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

/* What a report of code 0 means. */
enum child_stage { CHILD_STANDS, CHILD_MOUNTED, CHILD_GATED, CHILD_LISTENING, CHILD_BOUND };

struct child_report {
	enum child_stage stage;
	int listener; /* CHILD_LISTENING: its descriptor, in the child */
	struct err err;
};

/*
 * Make fds[0..n) the descriptors 0..n-1, and close all others but *kept[0..n_kept), which become the next
 * ones (close-on-exec); -1 stays -1. n is at most SBX_STDIO_MAX, n_kept CHILD_KEPT_MAX.
 */
#define CHILD_KEPT_MAX 8
int child_descriptors(const int *fds, int n, int *const *kept, int n_kept, struct err *e);

/* What a child is born with: both ends of the socket, and the way into its v1 groups. */
struct birth {
	int ours, theirs;
	int tasks[SBX_TASKS_MAX]; /* cg_tasks_open() */
	int n_tasks;
	/* Into a standing sandbox: a process of it (borrowed), and which namespaces to enter. -1: a new one. */
	int join;
	uint64_t join_spaces;
	int cgroup_ns; /* to join; borrowed, or -1 */
	int between;   /* of the process in between of child_clone(), or -1 */
};
#define BIRTH_INIT                                                                                 \
	{                                                                                          \
		.ours = -1, .theirs = -1, .join = -1, .cgroup_ns = -1, .between = -1               \
	}

/* The parent's part around clone3(). child_birth_close() closes all. */
int child_birth_open(struct birth *b, const struct cg *group, struct err *e);
void child_birth_close(struct birth *b);

/*
 * The first thing in the child: close the parent's end (held here as well, it would never tell that the
 * parent has died) and join the groups.
 */
int child_birth_begin(struct birth *b, struct err *e);

/*
 * Some children are cloned by a process in between, which enters namespaces and ends once it has told, over a
 * socket, what came of it: an error, or the child, its pidfd attached. They are children of who cloned that one
 * (CLONE_PARENT). hear is -ECHILD if it died without a word.
 */
_Noreturn void child_birth_tell(int to, const struct sbx_proc *born, const struct err *e);
int child_birth_hear(int from, struct sbx_proc *ret, struct err *e);

/* ---- clone.c: into a sandbox of its own ---- */

/* In new namespaces, and in those that plan and place say are joined. */
int child_clone(const struct sbx_plan *plan, const struct sbx_place *place, struct birth *birth,
		struct sbx_proc *ret, struct err *e);

/* ---- join.c: the way into a standing sandbox ---- */

/* Namespaces in which the process is not where we are: CLONE_NEW*. -ESRCH if it is gone. */
int join_look(const struct sbx_proc *of, uint64_t *ret_spaces, struct err *e);

/*
 * Clone a child that enters them, and by it, since a pid namespace is entered by being born in it, the
 * process proper, which runs child_main() and is a child of the caller too. The first one is reaped.
 */
int join_clone(const struct sbx_plan *plan, const struct sbx_place *place, struct birth *birth,
	       struct sbx_proc *ret, struct err *e);

/* ---- child.c ---- */

/* Never returns. */
_Noreturn void child_main(const struct sbx_plan *plan, const struct sbx_place *place,
			  struct birth *birth);

/* ---- gate.c ---- */

/*
 * Tell the parent and wait until it lets us go on; that it is gone is an error. So a child that nobody knows
 * of yet ends with its parent.
 */
int child_pause(int sync, enum child_stage stage, int listener, struct err *e);

/* One report, by write() alone: of all that sends, it is what a filter allows if it allows anything. */
int child_tell(int sync, const struct child_report *rep, struct err *e);

/*
 * Wait for the byte of `start`, by read() alone: a filter is in force already. From then on *answer is where
 * a failure is told (child_answer()).
 */
int child_wait_start(const struct sbx_gate *gate, struct err *e);
void child_answer(const struct sbx_gate *gate, const struct err *e);

/*
 * Look whether child_execute() will find the program, in the same words if not; not for one below the working directory,
 * which only the container's user may be able to enter. It may fail later all the same.
 */
int child_find(const struct sbx_plan *p, struct err *e);

/* execve() of the plan's program along the plan's PATH. Returns only to fail. */
int child_execute(const struct sbx_plan *p, struct err *e);

/*
 * The life of a pid 1 that has nothing else to do: reap what is orphaned, until killed. It has given up
 * everything before. Never returns.
 */
_Noreturn void init_main(void);

#endif

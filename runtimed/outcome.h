/* How an invocation ended. Never folded into one another; one table gives name and exit status. */
#ifndef RUNTIMED_OUTCOME_H
#define RUNTIMED_OUTCOME_H

enum outcome {
	OUTCOME_OK,
	OUTCOME_USER_ERROR, /* the handler raised */
	OUTCOME_TIMEOUT,    /* its time was up; the whole group was killed */
	OUTCOME_OOM,        /* the kernel killed in its group for lack of memory */
	OUTCOME_EXIT,       /* the process ended by itself, or by a signal */
	OUTCOME_INIT_ERROR, /* import failed, handler missing, or the sandbox could not be made */
	OUTCOME_THROTTLED,  /* no instance within the caps and the queue's deadline */
	OUTCOME_COUNT
};

/* "ok", "user_error", ... as in ledger, metrics and headers. */
const char *outcome_name(enum outcome o);

/* The inverse; OUTCOME_COUNT for an unknown name. */
enum outcome outcome_from_name(const char *name);

/* Exit status of `fnctl invoke`: 0, 3, 4, 5, 6, 7, 8 in the order above. */
int outcome_exit_status(enum outcome o);

#endif

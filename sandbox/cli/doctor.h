/*
 * `sandbox doctor`: what this host offers to containers, each tried rather than looked up where a try leaves
 * nothing behind. A check is a row of a table; it fills one finding. Tries that change the process that makes
 * them are made by a child of it.
 *
 * Only what no container can do without makes the host unfit; the rest is for those who ask for it.
 */
#ifndef SANDBOX_CLI_DOCTOR_H
#define SANDBOX_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum doctor_state { DOCTOR_OK, DOCTOR_LIMITED, DOCTOR_MISSING, DOCTOR_STATES };

#define DOCTOR_TEXT_MAX 512

struct finding {
	enum doctor_state state;
	char found[DOCTOR_TEXT_MAX];  /* what is there */
	char effect[DOCTOR_TEXT_MAX]; /* what will not work, and why; "" when all does */
	char advice[DOCTOR_TEXT_MAX]; /* what to do; "" when there is nothing */
};

struct check {
	const char *name; /* NULL ends a table */
	bool is_required; /* without it no container runs */
	void (*run)(struct finding *f);
};

extern const struct check doctor_kernel[];     /* doctor_kernel.c: system calls and file systems */
extern const struct check doctor_namespaces[]; /* doctor_namespaces.c */
extern const struct check doctor_privileges[]; /* doctor_privileges.c: cgroups, capabilities, ids */

/* ---- for the checks; all but the first are in cmd_doctor.c ---- */

/* One of found, effect and advice. */
#define doctor_say(field, ...) ((void)snprintf(field, DOCTOR_TEXT_MAX, __VA_ARGS__))

/* Add "word" or ", word"; cut where the text is full. */
void doctor_add(char *field, const char *word);

/*
 * 0 or the errno of try(arg) in a child process. Of an ordinary user the child is root in a user namespace of
 * its own, as a container of his would be.
 */
int doctor_try(int (*try)(const void *arg), const void *arg);

#endif

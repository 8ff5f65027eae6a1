/*
 * ROOT/ID: what is remembered of a container between the commands that work on it.
 *
 *	state.json	struct state, replaced whole (rename), so a reader needs no lock
 *	config.json	the bundle's, copied at create: later edits of the bundle have no effect
 *	start, answer	FIFOs of the gate; there until `start` has let the process through
 *	exit.json	struct state_exit, written once by who saw it end
 *
 * Life cycle:
 *
 *	1. state_claim()	create: the ID is ours, the directory locked; state_save() tells of the group
 *				before the group is made, so whatever is left of a killed create is found
 *	2. state_save()		again when there is a process
 *	3. state_find()		every later command, with the lock if it changes what is in the directory
 *	4. state_status()	computed, never stored
 *	5. state_remove()	delete, the last thing
 *
 * Commands that only look (state, list, ps, kill, exec, events) take no lock: hooks call them while create or
 * start holds it. The lock is flock(2) on the directory; the kernel lets it go when the holder dies.
 *
 * A pid alone is nobody: the process is known by pid and start time, see state_pidfd().
 */
#ifndef SANDBOX_STATE_H
#define SANDBOX_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "sandbox/cgroup.h"

#define STATE_ID_MAX          255 /* a name of a directory, and of a group */
#define STATE_BYTES           (1u << 20)
#define STATE_VERSION         1
#define STATE_CONTAINERS_MAX  65536
#define STATE_ANNOTATIONS_MAX 4096

#define STATE_FILE_CONFIG     "config.json"
#define STATE_FILE_START      "start"
#define STATE_FILE_ANSWER     "answer"

enum state_status {
	STATE_CREATING, /* create works on it */
	STATE_CREATED,  /* its process waits at the gate */
	STATE_RUNNING,
	STATE_PAUSED,
	STATE_STOPPED, /* the process has ended, or its creator was killed before there was one */
	STATE_STATUSES
};

/* "creating", "created", ... as the specification spells them. */
const char *state_status_name(enum state_status s);

/* Plain data but for dir; all strings belong to arena. */
struct state {
	int dir;        /* ROOT/ID; -1 after state_parse() */
	bool is_locked; /* by us */
	const char *id;
	const char *oci_version; /* of the config */
	pid_t pid;               /* 0: there is none yet */
	uint64_t pid_start;      /* its start, clock ticks since boot: field 22 of /proc/PID/stat */
	const char *bundle;      /* absolute */
	const char *rootfs;      /* absolute, on the host */
	const char *created;     /* RFC 3339, UTC, ns */
	const char *owner;       /* who made it: "root", or the number of his user */
	bool is_complete; /* create has done all: what is not is a leftover, if nobody has the lock */
	bool is_attached;       /* `run` waits for it; it ends with its runtime */
	const char *group;      /* as cg_shared_create() takes it */
	struct cg_paths *paths; /* of the group; NULL: it is not made yet, so nothing is in it */
	/* Name, value, name, value ...; n counts pairs. */
	const char **annotations;
	size_t n_annotations;
	struct arena *arena;
};
#define STATE_INIT                                                                                 \
	{                                                                                          \
		.dir = -1                                                                          \
	}

void state_fini(struct state *s); /* closes, frees, lets the lock go; STATE_INIT is fine */
#define _cleanup_state_ __attribute__((cleanup(state_fini)))

/* 1..255 letters, digits and "_+-.", not "." and "..": the rule of runc. */
int state_check_id(const char *id, struct err *e);

/*
 * Make ROOT/ID, locked; s->dir is it, s->id the ID, everything else empty. -EEXIST if the ID is taken.
 * STATE_E_LEFTOVER: all the same, but the directory was there, and s is loaded with what it told (its group,
 * its process). It is of a create or a foreground run that was killed. The caller ends that, empties the
 * directory by state_reset() and goes on.
 */
int state_claim(const char *root, const char *id, struct state *s, struct err *e);
int state_reset(const char *id, struct state *s, struct err *e);

/*
 * Open and load. With is_locked the lock is taken, which waits up to 10 s for its holder (-EBUSY). -ENOENT
 * "container 'ID' does not exist".
 */
int state_find(const char *root, const char *id, bool is_locked, struct state *s, struct err *e);

/* Write s->dir's state.json. */
int state_save(const struct state *s, struct err *e);

/* Remove ROOT/ID and all in it; the lock is held. */
int state_remove(const char *root, const struct state *s, struct err *e);

int state_status(const struct state *s, enum state_status *ret, struct err *e);

/*
 * Its process, surely it: the pidfd is opened, then the start time is looked at. STATE_E_GONE if it has
 * ended (a zombie has).
 */
enum state_outcome { STATE_E_GONE = 1, STATE_E_LEFTOVER };
int state_pidfd(const struct state *s, int *ret_fd, struct err *e);

/* Field 22 of /proc/PID/stat; STATE_E_GONE if there is no such process or it is a zombie, with no thread that runs. */
int state_pid_start(pid_t pid, uint64_t *ret, struct err *e);

/* The IDs below root, sorted, NULL-terminated; free with state_list_free(). No root: an empty list. */
int state_list(const char *root, char ***ret, struct err *e);
void state_list_free(char **ids);

/* ---- exit.json ---- */

struct state_exit {
	bool is_known;   /* false: nobody saw it end */
	int status;      /* as a shell tells it: 128 and the number of a signal */
	bool oom_killed; /* the group's memory limit killed something in it */
};

int state_save_exit(int dir, const struct state_exit *x, struct err *e);
int state_load_exit(int dir, struct state_exit *ret, struct err *e);

/* ---- the text ---- */

int state_parse_exit(const char *text, size_t n, struct state_exit *ret, struct err *e);
int state_format_exit(const struct state_exit *x, struct buf *out, struct err *e);

/* Pure and strict: this is input. Fills s but for dir. */
int state_parse(const char *text, size_t n, struct state *s, struct err *e);
int state_format(const struct state *s, struct buf *out, struct err *e);

/*
 * The state as the specification shows it, to be read as runc's: by people indented by two, in one line by those who
 * read `list`, and with the specification's own members alone by hooks. But for hooks pid is 0 when there is no
 * process. exit is NULL or what is known of it: members exitStatus and oomKilled.
 */
enum state_layout { STATE_INDENTED, STATE_LINE, STATE_FOR_HOOK };
struct state_view {
	enum state_status status;
	const struct state_exit *exit;
	enum state_layout layout;
};
int state_show(const struct state *s, const struct state_view *view, struct buf *out,
	       struct err *e);

#endif

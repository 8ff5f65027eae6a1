/*
 * Slots: one sandbox each, with its uid range, group, pid 1, and the python process in it.
 *
 *	FREE → RAISING → STANDING → SPAWNING → JOINING → PARKED → SEALING → RUNNING
 *	          any of them → ENDING → FREE
 *
 * RAISING   group, limits and network are there; pid 1 runs its step table
 * STANDING  the sandbox is complete and has no process yet: a reserve, or waiting for a zygote
 * SPAWNING  the zygote was asked to fork
 * JOINING   the process is in its groups; it joins its namespaces and warms
 * PARKED    it waits between two steps of its table; belongs to nobody yet
 * SEALING   it was taken for an instance: code mounted, privileges dropping
 * RUNNING   it serves; launcher and process have nothing more to say to each other
 * ENDING    its group was killed; waiting for both processes
 *
 * Ahead of time there are two kinds: parked children, and sandboxes in reserve, from which children are made
 * in half the time. A start takes what is furthest; on its way to PARKED it waits in that slot (`has_start`).
 *
 *	slots.c       all of them: states, the core's words
 *	slots_ahead.c children and sandboxes made ahead of time
 *	slot_build.c  a new one, up to SPAWNING
 *	slot_zygote.c the zygote's answer, or its death: JOINING, or the start moves to another slot
 *	slot_take.c   from PARKED to RUNNING
 *	slot_end.c    ENDING
 */
#ifndef RUNTIMED_SLOT_H
#define RUNTIMED_SLOT_H

#include "runtimed/launcher.h"

/* /tmp as sandboxes are made: what functions have unless they ask for another size, which it gets with the limits. */
#define SLOT_TMP_BYTES (UINT64_C(512) << 20)

enum slot_state { FREE, RAISING, STANDING, SPAWNING, JOINING, PARKED, SEALING, RUNNING, ENDING };

struct slot {
	struct launcher *l;
	uint32_t index;
	uint32_t image;
	enum slot_state state;
	enum launch_way way;
	const struct zygote *spawner; /* has been asked to fork and has not answered */
	bool is_reserve;              /* RAISING or STANDING: nobody wants a process in it yet */
	bool has_start;               /* an instance's: start is set */
	bool is_started;              /* STARTED was sent */
	bool has_parked, has_sealed;  /* before SPAWNED arrived */
	bool is_handed_over; /* the start's code and limits are there, perhaps before the child */
	bool is_lost;        /* its zygote died: the start moves to another slot */
	uint32_t n_tries;    /* slots that this start was given, this one included */
	struct launch_start start;
	uint64_t received_us;
	char group_name[16];
	bool has_group;
	struct cg group;
	struct sbx_begun begun; /* RAISING: pid 1 */
	struct sbx_proc init, child;
	int status; /* waitpid's, of the child */
	struct err err;
	int control, data, log; /* our ends */
	struct watch begun_watch, control_watch, init_watch, child_watch;
	struct list link; /* free, parked, reserve or busy */
};

struct slots {
	uint32_t n_slots;
	struct list free, busy;
	struct slots_of_image {
		uint32_t n_parked, n_building, n_reserve;
		struct list parked, reserve; /* reserve: those that stand */
		struct sbx_plan *plan;
	} of[LAUNCH_IMAGES_MAX];
	struct slot *slot;       /* n_slots of them */
	uint64_t pause_until_us; /* after a failed preparation */
	uint64_t quiet_until_us; /* after a start */
};

/* On its way to PARKED. */
bool slot_is_building(const struct slot *s);

/* Nothing else sets it: lists and counts of struct slots follow. */
void slot_set_state(struct slot *s, enum slot_state to);

/*
 * A free slot for a process of its own, or for the reserve: RAISING from now on. NULL if there is none; the
 * core keeps the caps, so there is always one for what it may start.
 */
struct slot *slot_get(struct launcher *l, uint32_t image, enum launch_way way);
struct slot *slot_get_reserve(struct launcher *l, uint32_t image);

/* The reserve gets a purpose: a child that will wait, or a start. */
void slot_call_up(struct slot *s, enum launch_way way);

/* The start of a slot that was lost, in another one; told FAILED after some tries. */
void slots_start_again(struct launcher *l, const struct slot *lost);

/* First of the slot's SBX_FUNCTION_IDS host ids. */
uint32_t slot_uid_base(const struct slot *s);

/* ---- slots_ahead.c ---- */

uint64_t slots_ahead_max(const struct launcher *l); /* slots in use by what is made ahead */
void slots_note_start(struct launcher *l);
bool slots_are_busy(const struct launcher *l); /* a start came or sealed in the last ms */

/* ---- slot_build.c ---- */

/* Begin the sandbox of a RAISING slot, or, once it stands, its process. What fails gives the slot up. */
void slot_raise(struct slot *s);
void slot_populate(struct slot *s);

/* ---- slot_take.c ---- */

/* The child waits; a start that waited for it takes it. */
void slot_park(struct slot *s);

/*
 * TAKE with the code, and the limits of s->start. For a start that waits for this very child, before it has
 * parked: it goes on at once then.
 */
int slot_hand_over(struct slot *s, struct err *e);

/* Make the parked child the instance of s->start. */
void slot_take(struct slot *s);

void slot_on_control(void *slot); /* the child says something */

/* ---- slot_end.c ---- */

/*
 * Kill the group, then wait for what is left. Called again after each reaped process; the kernel keeps pid 1
 * from being reaped before all others in its namespace are.
 */
void slot_end(struct slot *s);

/* The same, and why: the first reason is the one that is told. */
void slot_give_up(struct slot *s, const struct err *e);

void slot_tell_failed(struct launcher *l, uint64_t id, const struct err *e);
void slot_on_init_exit(void *slot);
void slot_on_child_exit(void *slot);

#endif

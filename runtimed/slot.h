/*
 * Slots: one sandbox each, with its uid range, group, pid 1, and the python process in it.
 *
 *	FREE → SPAWNING → JOINING → PARKED → SEALING → RUNNING
 *	          any of them → ENDING → FREE
 *
 * SPAWNING  the sandbox stands (group, limits, network, pid 1); the zygote was asked to fork
 * JOINING   the process is in its groups; it joins its namespaces and warms
 * PARKED    it waits between two steps of its table; belongs to nobody yet
 * SEALING   it was taken for an instance: code mounted, privileges dropping
 * RUNNING   it serves; launcher and process have nothing more to say to each other
 * ENDING    its group was killed; waiting for both processes
 *
 * A start that finds no parked child waits in the slot that is being built for it (`has_start`).
 *
 *	slots.c       all of them: states, the core's words, waiting children
 *	slot_build.c  a new one, up to SPAWNING
 *	slot_zygote.c the zygote's answer, or its death: JOINING, or the start moves to another slot
 *	slot_take.c   from PARKED to RUNNING
 *	slot_end.c    ENDING
 */
#ifndef RUNTIMED_SLOT_H
#define RUNTIMED_SLOT_H

#include "runtimed/launcher.h"

/* /tmp of a waiting child; a function that asks for another size gets a sandbox made for it. */
#define SLOT_TMP_BYTES (UINT64_C(512) << 20)

enum slot_state { FREE, SPAWNING, JOINING, PARKED, SEALING, RUNNING, ENDING };

struct slot {
	struct launcher *l;
	uint32_t index;
	uint32_t image;
	enum slot_state state;
	enum launch_way way;
	uint64_t tmp_bytes;
	const struct zygote *spawner; /* has been asked to fork and has not answered */
	bool is_waiting;	      /* for a zygote to become ready; nothing is built yet */
	bool has_start;		      /* an instance's: start is set */
	bool is_started;	      /* STARTED was sent */
	bool has_parked;	      /* before SPAWNED arrived */
	bool is_lost;		      /* its zygote died: the start moves to another slot */
	uint32_t n_tries;	      /* slots that this start was given, this one included */
	struct launch_start start;
	uint64_t received_us;
	char group_name[16];
	bool has_group;
	struct cg group;
	struct sbx_proc init, child;
	int status; /* waitpid's, of the child */
	struct err err;
	int control, data, log; /* our ends */
	struct watch control_watch, init_watch, child_watch;
	struct list link; /* free, parked or busy */
};

struct slots {
	uint32_t n_slots;
	uint32_t n_parked[LAUNCH_IMAGES_MAX], n_building[LAUNCH_IMAGES_MAX];
	struct list free, busy;
	struct list parked[LAUNCH_IMAGES_MAX];
	struct slot *slot; /* n_slots of them */
	struct sbx_plan *plan[LAUNCH_IMAGES_MAX];
	uint64_t pause_until_us; /* after a failed preparation */
	uint64_t quiet_until_us; /* after a start */
};

/* SPAWNING or JOINING. */
bool slot_is_building(const struct slot *s);

/* Nothing else sets it: lists and counts of struct slots follow. */
void slot_set_state(struct slot *s, enum slot_state to);

/* The start of a slot that was lost, in another one; told FAILED after some tries. */
void slots_start_again(struct launcher *l, const struct slot *lost);

/* First of the slot's SBX_FUNCTION_IDS host ids. */
uint32_t slot_uid_base(const struct slot *s);

/* ---- slot_build.c ---- */

/* Build all of a slot that is SPAWNING. What fails leaves the rest to slot_give_up(). */
int slot_build(struct slot *s, struct err *e);

/* ---- slot_take.c ---- */

/* The child waits; a start that waited for it takes it. */
void slot_park(struct slot *s);

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

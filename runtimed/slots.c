/* All slots: their states, and what the core asks for. See slot.h. */
#include "runtimed/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/mem.h"

/* A start whose slots were lost so often fails. */
#define START_TRIES_MAX 3

/* ---- open and close ---- */

/* Each slot has ids of its own: none may be that of a process of ours, nor wrap around to the host's root. */
static int check_ids(const struct config *cfg, uint64_t n_slots, struct err *e)
{
	uint64_t end = cfg->uid_base + n_slots * SBX_FUNCTION_IDS;
	uint64_t unpack_uid = cfg->core_uid + 1;

	if (end > UINT32_MAX)
		return err_set(e, ERANGE,
			       "uid_base: ids of %" PRIu64 " sandboxes end at %" PRIu64
			       ", past %" PRIu32,
			       n_slots, end, UINT32_MAX);
	if (unpack_uid >= cfg->uid_base && cfg->core_uid < end)
		return err_set(e, EINVAL,
			       "core_uid: %" PRIu64 " or the next is an id of sandboxes (%" PRIu64
			       " to %" PRIu64 ")",
			       cfg->core_uid, cfg->uid_base, end - 1);
	return 0;
}

int slots_open(struct launcher *l, struct err *e)
{
	struct slots *ss = calloc(1, sizeof(*ss));
	uint64_t n = l->cfg->instances_max + slots_ahead_max(l);
	int r = check_ids(l->cfg, n, e);

	if (r < 0) {
		free(ss);
		return r;
	}
	if (!ss || !(ss->slot = calloc(n, sizeof(*ss->slot)))) {
		free(ss);
		return err_set(e, ENOMEM, "%" PRIu64 " slots", n);
	}
	ss->n_slots = (uint32_t)n;
	list_init(&ss->free);
	list_init(&ss->busy);
	for (uint32_t i = 0; i < LAUNCH_IMAGES_MAX; i++) {
		list_init(&ss->of[i].parked);
		list_init(&ss->of[i].reserve);
	}
	for (uint32_t i = 0; i < ss->n_slots; i++) {
		ss->slot[i] = (struct slot){
			.l = l,
			.index = i,
			.begun = SBX_BEGUN_INIT,
			.init = {-1, -1},
			.child = {-1, -1},
			.control = -1,
			.data = -1,
			.log = -1,
			.group = CG_INIT
                };
		list_add_tail(&ss->free, &ss->slot[i].link);
	}
	l->slots = ss;
	return 0;
}

void slots_close(struct launcher *l)
{
	struct slots *ss = l->slots;

	if (!ss)
		return;
	for (uint32_t i = 0; i < LAUNCH_IMAGES_MAX; i++)
		sbx_plan_free(ss->of[i].plan);
	free(ss->slot);
	free(ss);
	l->slots = NULL;
}

/* ---- states ---- */

bool slot_is_building(const struct slot *s)
{
	return s->state >= RAISING && s->state <= JOINING && !s->is_reserve;
}

/* Where a slot is counted; NULL: nowhere. */
static uint32_t *count_of(struct slot *s)
{
	struct slots_of_image *of = &s->l->slots->of[s->image];

	return s->state == PARKED    ? &of->n_parked
	       : slot_is_building(s) ? &of->n_building
	       : s->is_reserve       ? &of->n_reserve
				     : NULL;
}

static struct list *list_of(struct slot *s)
{
	struct slots *ss = s->l->slots;

	return s->state == FREE                        ? &ss->free
	       : s->state == PARKED                    ? &ss->of[s->image].parked
	       : s->state == STANDING && s->is_reserve ? &ss->of[s->image].reserve
						       : &ss->busy;
}

static void change(struct slot *s, enum slot_state to, bool is_reserve)
{
	uint32_t *before = count_of(s), *after;

	s->state = to;
	s->is_reserve = is_reserve;
	after = count_of(s);
	if (before)
		--*before;
	if (after)
		++*after;
	list_del(&s->link);
	list_add_tail(list_of(s), &s->link);
}

void slot_set_state(struct slot *s, enum slot_state to)
{
	change(s, to, s->is_reserve && (to == RAISING || to == STANDING));
}

void slot_call_up(struct slot *s, enum launch_way way)
{
	s->way = way;
	change(s, s->state, false);
}

static struct slot *get(struct launcher *l, uint32_t image, bool is_reserve)
{
	struct slot *s;

	if (list_is_empty(&l->slots->free))
		return NULL;
	s = container_of(l->slots->free.next, struct slot, link);
	s->image = image;
	change(s, RAISING, is_reserve);
	return s;
}

struct slot *slot_get(struct launcher *l, uint32_t image, enum launch_way way)
{
	struct slot *s = get(l, image, false);

	if (s)
		s->way = way;
	return s;
}

struct slot *slot_get_reserve(struct launcher *l, uint32_t image)
{
	return get(l, image, true);
}

uint32_t slot_uid_base(const struct slot *s)
{
	return (uint32_t)(s->l->cfg->uid_base + (uint64_t)s->index * SBX_FUNCTION_IDS);
}

/* ---- from the core ---- */

/* The furthest of those that are on their way and belong to nobody, or NULL. */
static struct slot *find_busy(struct launcher *l, uint32_t image, bool is_reserve)
{
	struct slot *found = NULL;

	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (s->image == image && !s->has_start &&
		    (is_reserve ? s->is_reserve
				: slot_is_building(s) && s->way == LAUNCH_PREFORKED) &&
		    (!found || s->state > found->state))
			found = s;
	}
	return found;
}

/* The best there is for a start: a child that waits or is on its way, a sandbox in reserve, a new one. */
static struct slot *find_slot(struct launcher *l, const struct launch_start *m)
{
	struct slots_of_image *of = &l->slots->of[m->image];
	enum launch_way way = m->way == LAUNCH_EXECED ? LAUNCH_EXECED : LAUNCH_FORKED;
	struct slot *s = NULL;

	if (m->way == LAUNCH_PREFORKED && !list_is_empty(&of->parked))
		return container_of(of->parked.next, struct slot, link);
	if (m->way == LAUNCH_PREFORKED && of->n_building > 0)
		s = find_busy(l, m->image, false);
	if (s)
		return s;
	if (of->n_reserve == 0)
		return slot_get(l, m->image, way);
	s = list_is_empty(&of->reserve) ? find_busy(l, m->image, true)
					: container_of(of->reserve.next, struct slot, link);
	slot_call_up(s, way);
	return s;
}

static void start(struct launcher *l, const struct launch_start *m, uint64_t received_us,
		  uint32_t n_tries)
{
	struct slot *s = find_slot(l, m);
	struct err e = ERR_INIT;

	if (!s) {
		err_set(&e, ENOSPC, "all %" PRIu32 " slots are in use", l->slots->n_slots);
		slot_tell_failed(l, m->id, &e);
		return;
	}
	s->has_start = true;
	s->start = *m;
	s->received_us = received_us;
	s->n_tries = n_tries;
	slots_note_start(l);
	if (s->state == PARKED)
		slot_take(s);
	else if (s->state == STANDING)
		slot_populate(s);
	else if (s->state == RAISING && s->begun.sync < 0) /* new: nothing was begun */
		slot_raise(s);
}

void slots_start(struct launcher *l, const struct launch_start *m)
{
	start(l, m, clk_now_us(), 1);
}

void slots_start_again(struct launcher *l, const struct slot *lost)
{
	if (lost->n_tries < START_TRIES_MAX)
		start(l, &lost->start, lost->received_us, lost->n_tries + 1);
	else
		slot_tell_failed(l, lost->start.id, &lost->err);
}

void slots_stop(struct launcher *l, uint64_t id)
{
	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (s->has_start && s->start.id == id) {
			s->is_lost = false; /* wherever it was going, nobody wants it any more */
			slot_end(s);
			return;
		}
	}
	/* Not there: its GONE or FAILED crossed this STOP on the way. */
}

/* ---- from the zygotes ---- */

void slots_zygote_ready(struct launcher *l, uint32_t image)
{
	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (s->state == STANDING && s->image == image)
			slot_populate(s);
	}
}

/* ---- the end ---- */

bool slots_end(struct launcher *l)
{
	bool is_empty = true;

	for (uint32_t i = 0; l->slots && i < l->slots->n_slots; i++) {
		struct slot *s = &l->slots->slot[i];

		if (s->state != FREE && s->state != ENDING)
			slot_end(s);
		is_empty = is_empty && s->state == FREE;
	}
	return is_empty;
}

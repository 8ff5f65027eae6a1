/* All slots: their states, what the core asks for, and waiting children ahead of time. See slot.h. */
#include "runtimed/slot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/mem.h"

/* Waiting children are made a few at a time, so that a burst of starts is not kept waiting by them. */
#define BUILDING_MAX 4

/*
 * Nothing is made ahead while a start is under way, which would compete with it for the processors: not
 * before so long after the last one, unless fewer than half of the children are left.
 */
#define PREPARE_QUIET_US (4 * CLK_US_PER_MS)

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
	uint64_t n = l->cfg->instances_max + l->cfg->prefork_children * l->host.n_images +
		     BUILDING_MAX * l->host.n_images;
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
	for (uint32_t i = 0; i < LAUNCH_IMAGES_MAX; i++)
		list_init(&ss->parked[i]);
	for (uint32_t i = 0; i < ss->n_slots; i++) {
		ss->slot[i] = (struct slot){
			.l = l,
			.index = i,
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
		sbx_plan_free(ss->plan[i]);
	free(ss->slot);
	free(ss);
	l->slots = NULL;
}

/* ---- states ---- */

bool slot_is_building(const struct slot *s)
{
	return s->state == SPAWNING || s->state == JOINING;
}

/* Waiting children, present and coming, that belong to nobody. */
void slot_set_state(struct slot *s, enum slot_state to)
{
	struct slots *ss = s->l->slots;

	if (slot_is_building(s))
		ss->n_building[s->image]--;
	if (s->state == PARKED)
		ss->n_parked[s->image]--;
	s->state = to;
	if (slot_is_building(s))
		ss->n_building[s->image]++;
	if (s->state == PARKED)
		ss->n_parked[s->image]++;
	list_del(&s->link);
	list_add_tail(to == FREE     ? &ss->free
		      : to == PARKED ? &ss->parked[s->image]
				     : &ss->busy,
		      &s->link);
}

uint32_t slot_uid_base(const struct slot *s)
{
	return (uint32_t)(s->l->cfg->uid_base + (uint64_t)s->index * SBX_FUNCTION_IDS);
}

/* A free slot, or NULL: the core keeps the caps, so there is always one for what it may start. */
static struct slot *slot_get(struct launcher *l, uint32_t image, enum launch_way way,
			     uint64_t tmp_bytes)
{
	struct list *first = l->slots->free.next;
	struct slot *s;

	if (list_is_empty(&l->slots->free))
		return NULL;
	s = container_of(first, struct slot, link);
	s->image = image;
	s->way = way;
	s->tmp_bytes = tmp_bytes;
	slot_set_state(s, SPAWNING);
	return s;
}

/* ---- from the core ---- */

/* A child that waits, or one that is being built for nobody. */
static struct slot *find_prepared(struct launcher *l, const struct launch_start *m)
{
	struct slots *ss = l->slots;

	if (m->way != LAUNCH_PREFORKED || m->tmp_bytes != SLOT_TMP_BYTES)
		return NULL;
	if (!list_is_empty(&ss->parked[m->image]))
		return container_of(ss->parked[m->image].next, struct slot, link);
	if (ss->n_building[m->image] == 0)
		return NULL;
	list_for_each (pos, &ss->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (slot_is_building(s) && !s->has_start && s->image == m->image &&
		    s->way == LAUNCH_PREFORKED)
			return s;
	}
	return NULL;
}

static void start(struct launcher *l, const struct launch_start *m, uint64_t received_us,
		  uint32_t n_tries)
{
	struct slot *s = find_prepared(l, m);
	struct err e = ERR_INIT;
	bool is_new = !s;

	if (is_new)
		s = slot_get(l, m->image, m->way == LAUNCH_EXECED ? LAUNCH_EXECED : LAUNCH_FORKED,
			     m->tmp_bytes);
	if (!s) {
		err_set(&e, ENOSPC, "all %" PRIu32 " slots are in use", l->slots->n_slots);
		slot_tell_failed(l, m->id, &e);
		return;
	}
	s->has_start = true;
	s->start = *m;
	s->received_us = received_us;
	s->n_tries = n_tries;
	l->slots->quiet_until_us = clk_now_us() + PREPARE_QUIET_US;
	if (s->state == PARKED)
		slot_take(s);
	else if (is_new && s->way == LAUNCH_FORKED && !zygote_is_ready(l, m->image))
		s->is_waiting = true;
	else if (is_new && slot_build(s, &e) < 0)
		slot_give_up(s, &e);
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

/* ---- ahead of time ---- */

void slots_zygote_ready(struct launcher *l, uint32_t image)
{
	struct err e = ERR_INIT;

	list_for_each (pos, &l->slots->busy) {
		struct slot *s = container_of(pos, struct slot, link);

		if (!s->is_waiting || s->image != image || s->state == ENDING)
			continue;
		s->is_waiting = false;
		if (slot_build(s, &e) < 0)
			slot_give_up(s, &e);
	}
}

static bool wants_child(const struct launcher *l, uint32_t image, uint64_t now)
{
	const struct slots *ss = l->slots;
	uint32_t n = ss->n_parked[image] + ss->n_building[image];

	if (!zygote_is_ready(l, image) || ss->n_building[image] >= BUILDING_MAX ||
	    n >= l->cfg->prefork_children)
		return false;
	return now >= ss->quiet_until_us || n < l->cfg->prefork_children / 2;
}

bool slots_prepare(struct launcher *l)
{
	struct slots *ss = l->slots;
	struct err e = ERR_INIT;
	uint64_t now = clk_now_us();

	if (now < ss->pause_until_us)
		return false;
	for (uint32_t i = 0; i < l->host.n_images; i++) {
		struct slot *s;

		if (!wants_child(l, i, now))
			continue;
		s = slot_get(l, i, LAUNCH_PREFORKED, SLOT_TMP_BYTES);
		if (!s)
			return false;
		if (slot_build(s, &e) < 0)
			slot_give_up(s, &e);
		return true;
	}
	return now >= ss->quiet_until_us && netpool_refill(&l->net, &e) == 0;
}

int slots_idle_ms(const struct launcher *l)
{
	return clk_now_us() < l->slots->quiet_until_us ? (int)(PREPARE_QUIET_US / CLK_US_PER_MS) + 1
						       : 1000;
}

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

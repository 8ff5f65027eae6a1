/*
 * Ahead of time: children that wait, and behind them sandboxes in reserve, of which children are made when
 * those run out. See slot.h.
 */
#include "runtimed/slot.h"

#include "base/clk.h"
#include "base/mem.h"

/* A few at a time, so that a burst of starts is not kept waiting by them. */
#define BUILDING_MAX 4

/*
 * Nothing is made ahead while a start is under way, which would compete with it for the processors: not
 * before so long after the last one was asked for or sealed, unless fewer than half of the children are left.
 */
#define PREPARE_QUIET_US (4 * CLK_US_PER_MS)

uint64_t slots_ahead_max(const struct launcher *l)
{
	return l->host.n_images *
	       (l->cfg->prefork_children + l->cfg->reserve_sandboxes + BUILDING_MAX);
}

void slots_note_start(struct launcher *l)
{
	l->slots->quiet_until_us = clk_now_us() + PREPARE_QUIET_US;
}

bool slots_are_busy(const struct launcher *l)
{
	return clk_now_us() < l->slots->quiet_until_us;
}

static bool wants_child(const struct launcher *l, uint32_t image)
{
	const struct slots_of_image *of = &l->slots->of[image];
	uint32_t n = of->n_parked + of->n_building;

	if (!zygote_is_ready(l, image) || of->n_building >= BUILDING_MAX ||
	    n >= l->cfg->prefork_children)
		return false;
	return !slots_are_busy(l) || n < l->cfg->prefork_children / 2;
}

static void prepare_child(struct launcher *l, uint32_t image)
{
	struct list *reserve = &l->slots->of[image].reserve;
	struct slot *s;

	if (!list_is_empty(reserve)) {
		s = container_of(reserve->next, struct slot, link);
		slot_call_up(s, LAUNCH_PREFORKED);
		slot_populate(s);
	} else if ((s = slot_get(l, image, LAUNCH_PREFORKED))) {
		slot_raise(s);
	}
}

static bool wants_reserve(const struct launcher *l, uint32_t image)
{
	return l->slots->of[image].n_reserve < l->cfg->reserve_sandboxes && !slots_are_busy(l);
}

static void prepare_reserve(struct launcher *l, uint32_t image)
{
	struct slot *s = slot_get_reserve(l, image);

	if (s)
		slot_raise(s);
}

bool slots_prepare(struct launcher *l)
{
	static const struct {
		bool (*is_wanted)(const struct launcher *, uint32_t);
		void (*prepare)(struct launcher *, uint32_t);
	} kinds[] = {
		{wants_child,   prepare_child  },
		{wants_reserve, prepare_reserve},
	};
	struct err e = ERR_INIT;

	if (clk_now_us() < l->slots->pause_until_us)
		return false;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (uint32_t i = 0; i < l->host.n_images; i++)
			if (kinds[k].is_wanted(l, i)) {
				kinds[k].prepare(l, i);
				return true;
			}
	return !slots_are_busy(l) && netpool_refill(&l->net, &e) == 0;
}

int slots_idle_ms(const struct launcher *l)
{
	return slots_are_busy(l) ? (int)(PREPARE_QUIET_US / CLK_US_PER_MS) + 1 : 1000;
}

/* What of a plan its starter cannot give: see plan.h. */
#include <sched.h>

#include "base/arena.h"
#include "base/mem.h"
#include "sandbox/caps.h"
#include "sandbox/plan.h"

#define NAMES_BYTES 2048

static void warn(struct sbx_plan *p, uint64_t missing)
{
	_cleanup_buf_ struct buf names;
	const char *text;

	buf_init(&names, NAMES_BYTES);
	caps_print(missing, &names);
	text = arena_printf(p->arena, "process.capabilities: the runtime itself lacks %s: left out",
			    names.data ? names.data : "some");
	/* A plan with no room for it has been warned of enough. */
	if (text && p->n_warnings < SBX_WARNINGS_MAX)
		p->warnings[p->n_warnings++] = text;
}

int sbx_plan_grant(struct sbx_plan *p, struct err *e)
{
	uint64_t *const sets[] = {&p->drop.cap_bounding, &p->drop.cap_permitted,
				  &p->drop.cap_effective, &p->drop.cap_inheritable,
				  &p->drop.cap_ambient};
	uint64_t own = 0, missing = 0;
	int r;

	if (sbx_plan_has(p, CLONE_NEWUSER))
		return 0;
	r = caps_own(&own, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sets); i++) {
		missing |= *sets[i] & ~own;
		*sets[i] &= own;
	}
	if (missing)
		warn(p, missing);
	return r;
}

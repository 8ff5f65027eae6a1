#include "runtimed/outcome.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	int exit_status;
} outcomes[] = {
	[OUTCOME_OK] = {"ok",         0},
	[OUTCOME_USER_ERROR] = {"user_error", 3},
	[OUTCOME_TIMEOUT] = {"timeout",    4},
	[OUTCOME_OOM] = {"oom",        5},
	[OUTCOME_EXIT] = {"exit",       6},
	[OUTCOME_INIT_ERROR] = {"init_error", 7},
	[OUTCOME_THROTTLED] = {"throttled",  8},
};
static_assert(ARRAY_SIZE(outcomes) == OUTCOME_COUNT, "one row per outcome");

const char *outcome_name(enum outcome o)
{
	return outcomes[o].name;
}

enum outcome outcome_from_name(const char *name)
{
	enum outcome o = OUTCOME_OK;

	while (o < OUTCOME_COUNT && strcmp(outcomes[o].name, name) != 0)
		o++;
	return o;
}

int outcome_exit_status(enum outcome o)
{
	return outcomes[o].exit_status;
}

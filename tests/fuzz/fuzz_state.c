/* Any state.json: an error that names it, or a state that holds all that commands rely on and reads back the same. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/state.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_state: %s\n", #cond);                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void check(const struct state *s)
{
	struct err e = ERR_INIT;

	MUST(s->dir == -1 && s->pid >= 0 && s->oci_version && s->created && s->owner && s->group);
	MUST(state_check_id(s->id, &e) == 0);
	MUST(s->bundle[0] == '/' && s->rootfs[0] == '/');
	MUST(s->n_annotations <= STATE_ANNOTATIONS_MAX);
	for (int h = 0; s->paths && h < CG_HIERARCHIES; h++)
		MUST(s->paths->dir[h][0] == '\0' || s->paths->dir[h][0] == '/');
}

/* Text of what was read is read as the same text. */
static void check_round(const struct state *s)
{
	_cleanup_state_ struct state again = STATE_INIT;
	_cleanup_buf_ struct buf one, two;
	struct err e = ERR_INIT;

	buf_init(&one, STATE_BYTES - 1);
	buf_init(&two, STATE_BYTES - 1);
	if (state_format(s, &one, &e) < 0)
		return; /* escapes made it too long */
	MUST(state_parse(one.data, one.len, &again, &e) == 0);
	MUST(state_format(&again, &two, &e) == 0);
	MUST(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
}

int fuzz_state(const uint8_t *data, size_t size)
{
	_cleanup_state_ struct state s = STATE_INIT;
	struct state_exit x = {.is_known = false};
	struct err e = ERR_INIT;

	if (state_parse((const char *)data, size, &s, &e) == 0) {
		check(&s);
		check_round(&s);
	}
	if (state_parse_exit((const char *)data, size, &x, &e) == 0)
		MUST(x.status >= 0 && x.status <= 255);
	return 0;
}

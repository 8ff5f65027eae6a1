/* sandbox state: what has become of a container, as the specification shows it. */
#include <stddef.h>
#include <stdio.h>

#include "sandbox/cli/cli.h"
#include "sandbox/state.h"

const struct opt state_opts[] = {
	OPT_ROW_ID,
	OPT_ROW_END,
};

int cmd_state(struct cli *cli, struct err *e)
{
	_cleanup_state_ struct state s = STATE_INIT;
	struct state_exit ended = {.is_known = false};
	struct state_view view = {.status = STATE_STOPPED};
	_cleanup_buf_ struct buf text;
	int r = state_find(cli->root, cli->id, false, &s, e);

	buf_init(&text, 2 * STATE_BYTES);
	if (r == 0)
		r = state_status(&s, &view.status, e);
	if (r == 0 && view.status == STATE_STOPPED) {
		r = state_load_exit(s.dir, &ended, e);
		view.exit = &ended;
	}
	if (r == 0)
		r = state_show(&s, &view, &text, e);
	if (r == 0)
		(void)puts(text.data); /* main() looks whether it was written */
	return r;
}

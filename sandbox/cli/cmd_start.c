/* sandbox start: let the process of a created container execute its program. */
#include <stddef.h>

#include "sandbox/cli/ctr.h"

const struct opt start_opts[] = {
	OPT_ROW_ID,
	OPT_ROW_END,
};

int cmd_start(struct cli *cli, struct err *e)
{
	_cleanup_ctr_ struct ctr c = CTR_INIT;
	int r = ctr_find(&c, cli, e);

	return r < 0 ? r : ctr_start(&c, e);
}

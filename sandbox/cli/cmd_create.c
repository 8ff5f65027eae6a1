/* sandbox create: a container whose process waits for `start`. */
#include <stddef.h>

#include "sandbox/cli/ctr.h"

const struct opt create_opts[] = {
	CTR_OPT_ROWS,
	OPT_ROW_ID,
	OPT_ROW_END,
};

int cmd_create(struct cli *cli, struct err *e)
{
	_cleanup_ctr_ struct ctr c = CTR_INIT;

	int r = cli_seal(cli, e);

	return r < 0 ? r : ctr_create(&c, cli, false, e);
}

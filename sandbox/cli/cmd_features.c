/* sandbox features: the features document on stdout. */
#include <stdio.h>

#include "base/buf.h"
#include "sandbox/cli/cli.h"
#include "sandbox/features.h"

const struct opt features_opts[] = {OPT_ROW_END};

int cmd_features(struct cli *c, struct err *e)
{
	_cleanup_buf_ struct buf out;
	int r;

	(void)c;
	buf_init(&out, SBX_FEATURES_BYTES);
	r = sbx_features_json(CLI_OCI_SPEC, CLI_VERSION, &out, e);
	if (r == 0)
		fputs(out.data, stdout);
	return r;
}

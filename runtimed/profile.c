#include "runtimed/profile.h"

#include <stdio.h>

int profile_load(const struct config *cfg, const char *name, struct pol_program *ret, struct err *e)
{
	char path[CONFIG_PATH_MAX + 128];
	struct pol *p = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s.policy", cfg->policy_dir, name);
	r = pol_load(path, &p, e);
	if (r == 0)
		r = pol_compile(p, ret, e);
	pol_free(p);
	return r;
}

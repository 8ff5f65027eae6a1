/* Starting a process of our own program: see role.h. */
#include "runtimed/role.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimed/launcher.h"
#include "sandbox/sandbox.h"

int role_start(const char *name, const struct sbx_drop *drop, const struct sbx_place *place,
	       struct sbx_proc *ret, struct err *e)
{
	const char *stream = getenv("JOURNAL_STREAM"); /* its stderr is ours, see base/log.h */
	char journal[64] = "";
	const char *env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", journal, NULL};
	const char *argv[] = {"/proc/self/exe", "--role", name, NULL};
	_cleanup_free_ struct sbx_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return err_set(e, ENOMEM, "start %s: out of memory", name);
	plan->argv = argv;
	plan->env = env;
	plan->cwd = "/";
	plan->dies_with_parent = true;
	plan->drop = *drop;
	if (stream)
		(void)snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s", stream);
	else
		env[ARRAY_SIZE(env) - 2] = NULL;
	/* The program confines itself (sbx_confine) once its loader and libraries are in. */
	plan->drop.has_filter = plan->drop.has_landlock = false;
	return sbx_start(plan, place, ret, e) < 0 ? err_wrap(e, "start %s", name) : 0;
}

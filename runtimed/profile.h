/* The policies of our own processes, by name: POLICY_DIR/NAME.policy, compiled. */
#ifndef RUNTIMED_PROFILE_H
#define RUNTIMED_PROFILE_H

#include "base/err.h"
#include "policy/policy.h"
#include "runtimed/config.h"

int profile_load(const struct config *cfg, const char *name, struct pol_program *ret,
		 struct err *e);

#endif

/* A profile's rules, collected and checked: see policy/profile.h. */
#include "policy/profile.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/prof.h"

static const struct {
	const char *name;
	uint32_t action;
} actions[] = {
	{"SCMP_ACT_KILL",         SECCOMP_RET_KILL_THREAD },
	{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_KILL_THREAD",  SECCOMP_RET_KILL_THREAD },
	{"SCMP_ACT_TRAP",         SECCOMP_RET_TRAP        },
	{"SCMP_ACT_ERRNO",        SECCOMP_RET_ERRNO       },
	{"SCMP_ACT_TRACE",        SECCOMP_RET_TRACE       },
	{"SCMP_ACT_ALLOW",        SECCOMP_RET_ALLOW       },
	{"SCMP_ACT_LOG",          SECCOMP_RET_LOG         },
	{"SCMP_ACT_NOTIFY",       SECCOMP_RET_USER_NOTIF  },
};

static const char *const cmps[] = {
	[POL_CMP_NE] = "SCMP_CMP_NE",
	[POL_CMP_LT] = "SCMP_CMP_LT",
	[POL_CMP_LE] = "SCMP_CMP_LE",
	[POL_CMP_EQ] = "SCMP_CMP_EQ",
	[POL_CMP_GE] = "SCMP_CMP_GE",
	[POL_CMP_GT] = "SCMP_CMP_GT",
	[POL_CMP_MASKED_EQ] = "SCMP_CMP_MASKED_EQ",
};

bool pol_profile_action(const char *name, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!str_is(actions[i].name, name))
			continue;
		*ret = actions[i].action;
		return true;
	}
	return false;
}

bool pol_profile_cmp(const char *name, enum pol_cmp *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmps); i++) {
		if (!str_is(cmps[i], name))
			continue;
		*ret = (enum pol_cmp)i;
		return true;
	}
	return false;
}

const char *pol_profile_action_word(size_t i)
{
	return i < ARRAY_SIZE(actions) ? actions[i].name : NULL;
}

const char *pol_profile_cmp_word(size_t i)
{
	return i < ARRAY_SIZE(cmps) ? cmps[i] : NULL;
}

int pol_profile_new(uint32_t fallback, struct pol_profile **ret, struct err *e)
{
	struct pol_profile *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ENOMEM, "seccomp profile: out of memory");
	p->fallback = fallback;
	p->has_abi[PROF_X86_64] = true;
	*ret = p;
	return 0;
}

void pol_profile_free(struct pol_profile *p)
{
	free(p);
}

int pol_profile_arch(struct pol_profile *p, const char *name, struct err *e)
{
	int abi = pol_abi_of(name);

	(void)e;
	if (abi < 0)
		return POL_E_UNKNOWN;
	if (abi < PROF_ABIS)
		p->has_abi[abi] = true;
	return 0;
}

/* Numbers in all ABIs; false if libseccomp knows the name in none. */
static bool resolve(struct prof_rule *r, const char *name)
{
	bool is_known = false;

	for (int abi = 0; abi < PROF_ABIS; abi++) {
		r->numbers[abi] = pol_abi_number((enum prof_abi)abi, name);
		is_known |= r->numbers[abi] != -1;
	}
	/* On x86 libseccomp has a pseudo number of its own for what a multiplexer carries. */
	r->sub = pol_abi_sub(name);
	if (r->sub)
		r->numbers[PROF_X86] = r->sub->direct;
	return is_known;
}

int pol_profile_rule(struct pol_profile *p, const struct pol_profile_rule *rule, struct err *e)
{
	struct prof_rule r = {.action = rule->action, .n_args = rule->n_args};

	if (strlen(rule->name) > POL_PROFILE_NAME_MAX || !resolve(&r, rule->name))
		return POL_E_UNKNOWN;
	if (p->n_rules == POL_PROFILE_RULES_MAX)
		return err_set(e, E2BIG, "more than %d rules", POL_PROFILE_RULES_MAX);
	if (p->n_args + rule->n_args > POL_PROFILE_ARGS_MAX)
		return err_set(e, E2BIG, "more than %d comparisons", POL_PROFILE_ARGS_MAX);
	r.first_arg = p->n_args;
	for (uint8_t i = 0; i < rule->n_args; i++) {
		if (rule->args[i].index >= POL_CALL_ARGS)
			return err_set(e, EINVAL, "argument %u", rule->args[i].index);
		p->args[p->n_args + i] = (struct prof_arg){
			.arg = rule->args[i],
			.bits = pol_abi_arg_bits(rule->name, rule->args[i].index),
		};
	}
	p->n_args = (uint16_t)(p->n_args + rule->n_args);
	p->rules[p->n_rules++] = r;
	return 0;
}

size_t pol_profile_rules(const struct pol_profile *p)
{
	return p->n_rules;
}

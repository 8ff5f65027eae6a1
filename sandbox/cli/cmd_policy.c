/* sandbox policy: check a policy's text, show its verdicts. Needs no privilege, changes nothing. */
#include "sandbox/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"

const struct opt policy_opts[] = {
	{"ACTION",  0, OPT_NAME, offsetof(struct cli, action), NULL, NULL},
	{"FILE",	 0, OPT_NAME, offsetof(struct cli, file),	  NULL, NULL},
	{"SYSCALL", 0, OPT_REST, offsetof(struct cli, rest),   NULL, NULL},
	OPT_ROW_END,
};

static int check(const struct pol *p, int argc, char **argv, struct err *e)
{
	_cleanup_free_ struct pol_program *prog = calloc(1, sizeof(*prog));
	int r;

	(void)argc;
	(void)argv;
	if (!prog)
		return err_set(e, ENOMEM, "out of memory");
	r = pol_compile(p, prog, e);
	if (r == 0)
		printf("ok: %zu rules, %u instructions\n", pol_rules(p), prog->n_insns);
	return r;
}

static int explain(const struct pol *p, int argc, char **argv, struct err *e)
{
	_cleanup_buf_ struct buf out;
	int r = 0;

	buf_init(&out, POL_EXPLAIN_MAX);
	if (argc == 0)
		r = pol_explain(p, &out, e);
	for (int i = 0; i < argc && r == 0; i++)
		r = pol_explain_call(p, argv[i], &out, e);
	if (r == 0)
		fputs(out.data, stdout);
	return r;
}

/* run gets the words after FILE. */
static const struct {
	const char *name;
	int (*run)(const struct pol *p, int argc, char **argv, struct err *e);
	int args_max;
} actions[] = {
	{"check",	  check,	 0		  },
	{"explain", explain, POL_RULES_MAX},
};

static int usage(const struct cli *c, struct err *e)
{
	cli_report(c, e);
	return CLI_USAGE;
}

int cmd_policy(struct cli *c, struct err *e)
{
	_cleanup_pol_ struct pol *p = NULL;
	size_t i = 0;
	int r;

	while (i < ARRAY_SIZE(actions) && !str_is(actions[i].name, c->action))
		i++;
	if (i == ARRAY_SIZE(actions)) {
		err_set(e, EINVAL, "'%s': neither check nor explain", c->action);
		return usage(c, e);
	}
	if (c->rest.n > actions[i].args_max) {
		err_set(e, EINVAL, "%s: unexpected argument '%s'", c->action,
			c->rest.words[actions[i].args_max]);
		return usage(c, e);
	}
	r = pol_load(c->file, &p, e);
	return r < 0 ? r : actions[i].run(p, c->rest.n, c->rest.words, e);
}

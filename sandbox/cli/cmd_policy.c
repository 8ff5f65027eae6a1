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

static int usage(void)
{
	fputs("usage: sandbox policy check FILE\n"
	      "       sandbox policy explain FILE [SYSCALL...]\n",
	      stderr);
	return CLI_USAGE;
}

/* The words after the command: ACTION FILE [SYSCALL...]. */
int cmd_policy(struct cli *c, struct err *e)
{
	_cleanup_pol_ struct pol *p = NULL;
	size_t i = 0;
	int r;

	if (c->argc < 2)
		return usage();
	while (i < ARRAY_SIZE(actions) && !str_is(actions[i].name, c->argv[0]))
		i++;
	if (i == ARRAY_SIZE(actions) || c->argc - 2 > actions[i].args_max)
		return usage();
	r = pol_load(c->argv[1], &p, e);
	return r < 0 ? r : actions[i].run(p, c->argc - 2, c->argv + 2, e);
}

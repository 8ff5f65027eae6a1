/* The tables of `sandbox`'s commands: what makes parsing, help, manual and completion agree. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/cli.h"
#include "tests/lib/harness.h"

#define ROWS_OF_MAIN_MAX 60 /* with the common ones they fit in main.c's table */

static void check_row(const char *command, const struct opt *opt)
{
	if (opt_is_positional(opt)) {
		ck_assert_msg(!opt->help && !opt->letter, "%s %s", command, opt->name);
		return;
	}
	ck_assert_msg(opt->type == OPT_REFUSED || opt_takes_value(opt) == (opt->value != NULL),
		      "%s --%s: the value has no name, or a flag has one", command, opt->name);
	ck_assert_msg(opt->type != OPT_REFUSED || opt->help, "%s --%s: refused, and why?", command,
		      opt->name);
	ck_assert_msg(!opt->help || (*opt->help && opt->help[strlen(opt->help) - 1] != '.'),
		      "%s --%s: help ends with a stop, or is empty", command, opt->name);
}

/* Each name and each letter once, --help of all commands included. */
static void check_names(const char *command, const struct opt *opts)
{
	for (const struct opt *a = opts; a->name; a++) {
		if (opt_is_positional(a))
			continue;
		for (const struct opt *b = a + 1; b->name; b++)
			ck_assert_msg(!str_is(a->name, b->name) &&
					      (!a->letter || a->letter != b->letter),
				      "%s: --%s and --%s are told apart by nothing", command,
				      a->name, b->name);
		for (const struct opt *b = cli_common_opts; b->name && opts != cli_global_opts; b++)
			ck_assert_msg(!str_is(a->name, b->name) &&
					      (!a->letter || a->letter != b->letter),
				      "%s --%s hides --%s", command, a->name, b->name);
	}
}

static void check_table(const char *command, const struct opt *opts)
{
	size_t n = 0;

	for (const struct opt *opt = opts; opt->name; opt++, n++)
		check_row(command, opt);
	ck_assert_uint_le(n, ROWS_OF_MAIN_MAX);
	check_names(command, opts);
}

START_TEST(every_option_is_documented_and_once_in_its_table)
{
	check_table("sandbox", cli_global_opts);
	for (const struct command *c = cli_commands; c->name; c++)
		check_table(c->name, c->opts);
}
END_TEST

START_TEST(every_command_is_documented_and_found)
{
	for (const struct command *c = cli_commands; c->name; c++) {
		ck_assert_msg(c->help && *c->help && c->opts && c->run, "%s", c->name);
		ck_assert_ptr_eq(cli_find(c->name), c);
	}
	ck_assert_ptr_null(cli_find("fly"));
}
END_TEST

/* Of positional rows, no required one behind one that may be missing. */
START_TEST(words_that_may_be_missing_are_last)
{
	for (const struct command *c = cli_commands; c->name; c++) {
		enum opt_type last = OPT_NAME;

		for (const struct opt *opt = c->opts; opt->name; opt++) {
			if (!opt_is_positional(opt))
				continue;
			ck_assert_msg(opt->type >= last, "%s: %s", c->name, opt->name);
			last = opt->type;
		}
	}
}
END_TEST

/* clang-format off */
static const struct {
	const char *manager;
	int says;
} managers[] = {
	{"cgroupfs", 0 },
	{"systemd",  -1},
	{"disabled", -1},
};
/* clang-format on */

START_TEST(other_makers_of_groups_are_refused)
{
	struct cli c = CLI_INIT;
	struct err e = ERR_INIT;

	c.cgroup_manager = managers[_i].manager;
	ck_assert_int_eq(cli_check_global(&c, &e) < 0 ? -1 : 0, managers[_i].says);
	ck_assert(managers[_i].says == 0 || strstr(e.text, managers[_i].manager));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cli");
	TCase *t = tcase_create("tables");

	tcase_add_test(t, every_option_is_documented_and_once_in_its_table);
	tcase_add_test(t, every_command_is_documented_and_found);
	tcase_add_test(t, words_that_may_be_missing_are_last);
	tcase_add_loop_test(t, other_makers_of_groups_are_refused, 0, ARRAY_SIZE(managers));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

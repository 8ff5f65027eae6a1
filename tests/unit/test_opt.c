/* Command lines from tables (base/opt.h). */
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"
#include "tests/lib/harness.h"

#define LINE_BYTES 128
#define WORDS_MAX  8

struct values {
	const char *id, *signal, *format, *bundle;
	bool all, tty, interactive;
	uint64_t n, fds, time_us;
	struct opt_list env;
	struct opt_rest rest;
	/* What was parsed: the others point into it. */
	char line[LINE_BYTES], *words[WORDS_MAX];
};

#define AT(member) offsetof(struct values, member)

static const struct opt rows[] = {
	{"bundle",      'b', OPT_TEXT, AT(bundle), "DIR", "bundle"},
	{"format",     'f', OPT_CHOICE, AT(format), "table|json", "format"},
	{"all",        'a', OPT_FLAG, AT(all), NULL, "all"},
	{"tty",             't', OPT_FLAG, AT(tty), NULL, "tty"},
	{"interactive",      'i', OPT_FLAG, AT(interactive), NULL, "interactive"},
	{"number",   'n', OPT_NUMBER, AT(n), "N", "number"},
	{"preserve-fds",     0, OPT_COUNT, AT(fds), "N", "count"},
	{"time",         0, OPT_TIME, AT(time_us), "TIME", "time"},
	{"env",     'e', OPT_LIST, AT(env), "K=V", "env"},
	{"everything",         0, OPT_FLAG, AT(all), NULL, NULL},
	{"criu",             0, OPT_REFUSED, 0, "PATH", "no checkpoints"},
	{"systemd",'s', OPT_REFUSED, 0, NULL, "no systemd"},
	{"ID",      0, OPT_NAME, AT(id), NULL, NULL},
	{"SIGNAL",        0, OPT_MAYBE, AT(signal), NULL, NULL},
	{.name = NULL},
};

static const struct opt rest_rows[] = {
	{"tty",     't', OPT_FLAG, AT(tty), NULL, "tty"},
	{"ID", 0, OPT_NAME, AT(id), NULL, NULL},
	{"ARG",     0, OPT_REST, AT(rest), NULL, NULL},
	{.name = NULL        },
};

/* The words of text, cut at blanks. */
static int parse(const struct opt *opts, const char *text, struct values *v, struct err *e)
{
	int n = 0;

	*v = (struct values){.format = "table"};
	ck_assert(str_copy(v->line, sizeof(v->line), text));
	for (char *at = strtok(v->line, " "); at; at = strtok(NULL, " "))
		v->words[n++] = at;
	return opt_parse(opts, n, v->words, v, e);
}

START_TEST(options_come_before_and_after_names)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "--bundle=/b c1 -n5 KILL --time 2s", &v, &e), &e);
	ck_assert_str_eq(v.bundle, "/b");
	ck_assert_str_eq(v.id, "c1");
	ck_assert_str_eq(v.signal, "KILL");
	ck_assert_uint_eq(v.n, 5);
	ck_assert_uint_eq(v.time_us, 2000000);
}
END_TEST

START_TEST(an_optional_name_may_be_left_out)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "c1", &v, &e), &e);
	ck_assert_ptr_null(v.signal);
}
END_TEST

START_TEST(letters_of_flags_go_together)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "-itn7 c1", &v, &e), &e);
	ck_assert(v.tty && v.interactive && !v.all);
	ck_assert_uint_eq(v.n, 7);
}
END_TEST

START_TEST(flags_take_true_and_false)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "--all=true --tty --tty=false --systemd=false c1", &v, &e), &e);
	ck_assert(v.all && !v.tty);
}
END_TEST

START_TEST(a_count_may_be_zero)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "--preserve-fds 0 c1", &v, &e), &e);
	ck_assert_uint_eq(v.fds, 0);
}
END_TEST

START_TEST(a_hidden_row_is_taken)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "--everything c1", &v, &e), &e);
	ck_assert(v.all);
}
END_TEST

START_TEST(two_dashes_end_options)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rows, "-- -x", &v, &e), &e);
	ck_assert_str_eq(v.id, "-x");
}
END_TEST

START_TEST(options_end_at_the_first_name_before_a_rest)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_ok(parse(rest_rows, "-t c1 ls -t -- x", &v, &e), &e);
	ck_assert_str_eq(v.id, "c1");
	ck_assert_int_eq(v.rest.n, 4);
	ck_assert_str_eq(v.rest.words[1], "-t");
	ck_assert_str_eq(v.rest.words[2], "--");
	ck_ok(parse(rest_rows, "c1", &v, &e), &e);
	ck_assert_int_eq(v.rest.n, 0);
}
END_TEST

/* clang-format off */
static const struct {
	const char *words, *says;
} refused[] = {
	{"",                 "ID is missing"                               },
	{"a b c",            "unexpected argument 'c'"                     },
	{"--bund x a",       "unknown option '--bund'"                     },
	{"-tx a",            "unknown option '-x' in '-tx'"                },
	{"a --bundle",       "--bundle needs a value: DIR"                 },
	{"--all=yes a",      "--all takes no value but true and false"     },
	{"-n 0 a",           "--number"                                    },
	{"--time 5 a",       "--time"                                      },
	{"-f tab a",         "--format 'tab': not one of table|json"       },
	{"-f table|json a",  "--format 'table|json': not one of table|json"},
	{"--format= a",      "--format '': not one of table|json"          },
	{"--criu x a",       "--criu is not supported: no checkpoints"     },
	{"--criu=x a",       "--criu is not supported: no checkpoints"     },
	{"-s a",             "--systemd is not supported: no systemd"      },
	{"--systemd=true a", "--systemd is not supported: no systemd"      },
};
/* clang-format on */

START_TEST(what_is_wrong_is_named)
{
	struct values v;
	struct err e = ERR_INIT;

	ck_assert_int_lt(parse(rows, refused[_i].words, &v, &e), 0);
	ck_assert_msg(str_has_prefix(e.text, refused[_i].says), "'%s': %s", refused[_i].words,
		      e.text);
}
END_TEST

static void to_text(void (*print)(const struct opt *opts, FILE *out), char **ret)
{
	size_t n;
	FILE *out = open_memstream(ret, &n);

	ck_assert_ptr_nonnull(out);
	print(rows, out);
	ck_assert_int_eq(fclose(out), 0);
}

START_TEST(help_shows_what_can_be_said_then_what_is_refused)
{
	_cleanup_free_ char *text = NULL, *usage = NULL;

	to_text(opt_help, &text);
	ck_assert_ptr_nonnull(strstr(text, "  -f, --format table|json      format\n"));
	ck_assert_ptr_null(strstr(text, "everything"));
	ck_assert_ptr_nonnull(strstr(text, "refused:\n      --criu PATH"));
	ck_assert_ptr_null(strstr(text, "ID"));
	to_text(opt_usage, &usage);
	ck_assert_str_eq(usage, " ID [SIGNAL]");
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("opt");
	TCase *t = tcase_create("opt");

	tcase_add_test(t, options_come_before_and_after_names);
	tcase_add_test(t, an_optional_name_may_be_left_out);
	tcase_add_test(t, letters_of_flags_go_together);
	tcase_add_test(t, flags_take_true_and_false);
	tcase_add_test(t, a_count_may_be_zero);
	tcase_add_test(t, a_hidden_row_is_taken);
	tcase_add_test(t, two_dashes_end_options);
	tcase_add_test(t, options_end_at_the_first_name_before_a_rest);
	tcase_add_loop_test(t, what_is_wrong_is_named, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, help_shows_what_can_be_said_then_what_is_refused);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* A further process of a container: what comes from the config, from --process, and from options. */
#include "tests/lib/harness.h"

#include <string.h>

#include "base/mem.h"
#include "sandbox/plan.h"

#define KILL  (UINT64_C(1) << 5)
#define CHOWN UINT64_C(1)

static const char config[] =
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"},"
	"\"linux\": {\"namespaces\": [{\"type\": \"mount\"}, {\"type\": \"pid\"}]},"
	"\"process\": {\"terminal\": true, \"consoleSize\": {\"height\": 3, \"width\": 4},"
	"\"args\": [\"first\", \"x\"], \"cwd\": \"/c\", \"env\": [\"A=1\", \"B=2\", \"HOME=/h\"],"
	"\"user\": {\"uid\": 7, \"gid\": 8, \"additionalGids\": [9], \"umask\": 63},"
	"\"noNewPrivileges\": true, \"capabilities\": {\"bounding\": [\"CAP_KILL\"],"
	"\"effective\": [\"CAP_KILL\"], \"permitted\": [\"CAP_KILL\"]},"
	"\"rlimits\": [{\"type\": \"RLIMIT_CORE\", \"soft\": 1, \"hard\": 18446744073709551615}]}}";

static struct sbx_plan *plan(struct sbx_wish w)
{
	static char word[] = "second";
	static char *words[] = {word};
	struct sbx_plan *p = NULL;
	struct err e = ERR_INIT;

	if (!w.process && w.argv.n == 0)
		w.argv = (struct opt_rest){words, 1};
	ck_ok(sbx_plan_for_exec(NULL, config, "/bundle", &w, &p, &e), &e);
	return p;
}

START_TEST(all_but_arguments_and_terminal_is_the_configs)
{
	struct sbx_plan *p = plan((struct sbx_wish){0});

	ck_assert_str_eq(p->argv[0], "second");
	ck_assert_ptr_null(p->argv[1]);
	ck_assert_str_eq(p->cwd, "/c");
	ck_assert_str_eq(p->env[1], "B=2");
	ck_assert(!p->terminal.is_wanted && p->drop.no_new_privs);
	ck_assert_uint_eq(p->drop.uid, 7);
	ck_assert_uint_eq(p->drop.gid, 8);
	ck_assert_uint_eq(p->drop.umask, 077);
	ck_assert_uint_eq(p->drop.cap_bounding, KILL);
	ck_assert_uint_eq(p->drop.rlimits[0].hard, UINT64_MAX);
	sbx_plan_free(p);
}
END_TEST

START_TEST(options_come_on_top)
{
	struct sbx_plan *p = plan((struct sbx_wish){
		.env = {{"B=3", "C=4", "A="}, 3},
		.cwd = "/d",
		.user = "0:5",
		.groups = {{"6"},                1},
		.caps = {{"CAP_CHOWN"},        1},
		.terminal = true,
	});

	ck_assert_str_eq(p->env[0], "HOME=/h");
	ck_assert_str_eq(p->env[1], "B=3");
	ck_assert_str_eq(p->env[2], "C=4");
	ck_assert_str_eq(p->env[3], "A=");
	ck_assert_ptr_null(p->env[4]);
	ck_assert_str_eq(p->cwd, "/d");
	ck_assert_uint_eq(p->drop.uid, 0);
	ck_assert_uint_eq(p->drop.gid, 5);
	ck_assert_uint_eq(p->drop.n_groups, 2);
	ck_assert_uint_eq(p->drop.groups[1], 6);
	ck_assert_uint_eq(p->drop.cap_permitted, KILL | CHOWN);
	ck_assert_uint_eq(p->drop.cap_effective, KILL | CHOWN);
	ck_assert_uint_eq(p->drop.cap_bounding, KILL | CHOWN);
	/* CVE-2022-29162 */
	ck_assert_uint_eq(p->drop.cap_inheritable | p->drop.cap_ambient, 0);
	ck_assert(p->terminal.is_wanted);
	ck_assert_uint_eq(p->terminal.rows, 3);
	sbx_plan_free(p);
}
END_TEST

START_TEST(group_stays_when_only_the_user_is_given)
{
	struct sbx_plan *p = plan((struct sbx_wish){.user = "1"});

	ck_assert_uint_eq(p->drop.uid, 1);
	ck_assert_uint_eq(p->drop.gid, 8);
	sbx_plan_free(p);
}
END_TEST

START_TEST(process_that_is_given_is_completed_by_the_configs)
{
	struct sbx_plan *p =
		plan((struct sbx_wish){.process = "{\"args\": [\"a\", \"b\"], \"cwd\": \"/e\","
						  "\"capabilities\": {}}"});

	ck_assert_str_eq(p->argv[1], "b");
	ck_assert_str_eq(p->cwd, "/e");
	ck_assert_ptr_null(p->env[0]);
	ck_assert(!p->terminal.is_wanted && p->drop.no_new_privs);
	/* Never root because nothing is said. */
	ck_assert_uint_eq(p->drop.uid, 7);
	ck_assert_uint_eq(p->drop.cap_bounding, 0);
	ck_assert_uint_eq(p->drop.n_rlimits, 1);
	sbx_plan_free(p);
}
END_TEST

/* clang-format off */
static const struct {
	struct sbx_wish wish;
	const char *error;
} refused[] = {
	{{.process = "{\"cwd\": \"/\"}"}, "config.json: process.args: is missing"   },
	{{.process = "{\"args\": [\"a\"], \"args\": [\"b\"]}"}, "--process:1: duplicate object key"       },
	{{.process = "[]"},               "--process: not an object"                },
	{{.process = "{"},                "--process:1: "                           },
	{{.process = "{\"args\": [\"a\"], \"user\": 1}"}, "config.json: process.user: not an object"},
	{{.process = "{\"args\": [\"a\"], \"user\": {\"uid\": -1}}"}, "config.json: process.user.uid: "         },
	{{.process = "{\"args\": [\"a\"], \"env\": 1}", .env = {{"A=1"}, 1}},
	 "config.json: process.env: not an array"},
	{{.user = "1:"},                  "--user: gid '': not a number"            },
	{{.user = ""},                    "--user: uid '': not a number"            },
	{{.groups = {{"-1"}, 1}},         "--additional-gids '-1': not a number"    },
	{{.env = {{"A"}, 1}},             "--env 'A': not NAME=VALUE"               },
	{{.env = {{"=A"}, 1}},            "--env '=A': not NAME=VALUE"              },
	{{.cwd = "c"},                    "config.json: process.cwd: not an absolute path"},
	{{.cwd = ""},                     "config.json: process.cwd: "              },
};
/* clang-format on */

START_TEST(what_cannot_be_is_refused)
{
	static char word[] = "second";
	static char *words[] = {word};
	struct sbx_wish w = refused[_i].wish;
	struct sbx_plan *p = NULL;
	struct err e = ERR_INIT;

	if (!w.process)
		w.argv = (struct opt_rest){words, 1};
	ck_assert_int_lt(sbx_plan_for_exec(NULL, config, "/bundle", &w, &p, &e), 0);
	ck_assert_msg(!strncmp(e.text, refused[_i].error, strlen(refused[_i].error)), "%s", e.text);
	ck_assert_ptr_null(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_exec");
	TCase *t = tcase_create("wish");

	tcase_add_test(t, all_but_arguments_and_terminal_is_the_configs);
	tcase_add_test(t, options_come_on_top);
	tcase_add_test(t, group_stays_when_only_the_user_is_given);
	tcase_add_test(t, process_that_is_given_is_completed_by_the_configs);
	tcase_add_loop_test(t, what_cannot_be_is_refused, 0, ARRAY_SIZE(refused));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

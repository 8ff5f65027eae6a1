/* What is remembered of a container: its text, its IDs, its directory; and the names of signals. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/signal.h"
#include "sandbox/state.h"

#define STRINGS                                                                                    \
	"\"ociVersion\":\"1.3.0\",\"bundle\":\"/b\",\"rootfs\":\"/b/r\",\"created\":\"now\","      \
	"\"owner\":\"root\",\"cgroup\":\"sandbox/x\","
#define FINE "{\"version\":1,\"id\":\"x\"," STRINGS "\"pid\":7,\"pidStart\":9}"

static int parse(const char *text, struct state *s, struct err *e)
{
	return state_parse(text, strlen(text), s, e);
}

START_TEST(state_reads_back_what_was_written)
{
	_cleanup_state_ struct state s = STATE_INIT, again = STATE_INIT;
	_cleanup_buf_ struct buf text;
	struct err e = ERR_INIT;

	ck_ok(parse("{\"version\":1,\"id\":\"x\"," STRINGS
		    "\"pid\":7,\"pidStart\":9,\"complete\":true,\"cgroupDepth\":2,"
		    "\"cgroupPaths\":{\"core\":\"/c/x\"},\"annotations\":{\"k\":\"v \\\"w\"}}",
		    &s, &e),
	      &e);
	buf_init(&text, STATE_BYTES - 1);
	ck_ok(state_format(&s, &text, &e), &e);
	ck_ok(parse(text.data, &again, &e), &e);
	ck_assert_int_eq(again.pid, 7);
	ck_assert_uint_eq(again.pid_start, 9);
	ck_assert(again.is_complete && !again.is_attached);
	ck_assert_str_eq(again.paths->dir[CG_CORE], "/c/x");
	ck_assert_uint_eq(again.paths->depth, 2);
	ck_assert_str_eq(again.annotations[1], "v \"w");
}
END_TEST

/* For engines and hooks: the first is runc's layout, the second has no blanks and unescaped slashes. */
START_TEST(state_is_shown_as_the_specification_has_it)
{
	_cleanup_state_ struct state s = STATE_INIT;
	_cleanup_buf_ struct buf wide, compact, ended;
	struct state_exit x = {.is_known = true, .status = 137, .oom_killed = true};
	struct err e = ERR_INIT;

	buf_init(&wide, 4096);
	buf_init(&compact, 4096);
	buf_init(&ended, 4096);
	ck_ok(parse(FINE, &s, &e), &e);
	ck_ok(state_show(&s, &(struct state_view){.status = STATE_RUNNING}, &wide, &e), &e);
	ck_assert_str_eq(wide.data, "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"x\",\n"
				    "  \"pid\": 7,\n  \"status\": \"running\",\n"
				    "  \"bundle\": \"/b\",\n  \"rootfs\": \"/b/r\",\n"
				    "  \"created\": \"now\",\n  \"owner\": \"root\"\n}");
	ck_ok(state_show(&s, &(struct state_view){STATE_CREATING, NULL, STATE_FOR_HOOK}, &compact,
			 &e),
	      &e);
	ck_assert_str_eq(compact.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"x\",\"status\":"
				       "\"creating\",\"pid\":7,\"bundle\":\"/b\"}");
	ck_ok(state_show(&s, &(struct state_view){STATE_STOPPED, &x, STATE_INDENTED}, &ended, &e),
	      &e);
	ck_assert(strstr(ended.data, "\"pid\": 0,"));
	ck_assert(strstr(ended.data, "\"exitStatus\": 137,\n  \"oomKilled\": true\n}"));
}
END_TEST

/* clang-format off */
static const struct {
	const char *text, *says;
} refused[] = {
	{"",                                       "state.json:"                           },
	{"[]",                                     "not an object"                         },
	{"{}",                                     "state.json: version: is missing"       },
	{"{\"version\":2}",                        "version: not a number in 1..1"         },
	{"{\"version\":1,\"id\":\"../x\"," STRINGS "\"pid\":7}", "container ID '../x'"                   },
	{"{\"version\":1,\"id\":\"x\"," STRINGS "\"pid\":-1}", "pid: not a number in 0..2147483647"    },
	{"{\"version\":1,\"id\":\"x\",\"pid\":1}", "ociVersion: is missing"                },
	{"{\"version\":1,\"id\":\"x\"," STRINGS "\"cgroupDepth\":1,\"cgroupPaths\":{\"core\":\"c\"}}",
	 "cgroupPaths.core: not an absolute path"},
	{"{\"version\":1,\"id\":\"x\"," STRINGS "\"cgroupDepth\":1,\"cgroupPaths\":{\"x\":\"/c\"}}",
	 "cgroupPaths.x: no hierarchy"},
	{"{\"version\":1,\"id\":\"x\"," STRINGS "\"annotations\":{\"a\":1}}", "annotations: 'a' is not a string"},
	{"{\"version\":1,\"id\":\"x\"," STRINGS "\"cgroupPaths\":{\"core\":\"/c\"}}", "cgroupDepth: is missing"},
	{"{\"version\":1,\"version\":1}",          "duplicate"                             },
};
/* clang-format on */

START_TEST(state_that_is_broken_is_refused_by_name)
{
	struct state s = STATE_INIT;
	struct err e = ERR_INIT;

	ck_assert_int_lt(parse(refused[_i].text, &s, &e), 0);
	ck_assert_msg(strstr(e.text, refused[_i].says) != NULL, "%s", e.text);
	ck_assert_ptr_null(s.arena);
}
END_TEST

/* clang-format off */
static const struct {
	const char *id;
	bool is_fine;
} ids[] = {
	{"a",         true },
	{"A_b+c-d.9", true },
	{".a",        true },
	{"",          false},
	{".",         false},
	{"..",        false},
	{"a/b",       false},
	{"a b",       false},
	{"a\n",       false},
	{"\xc3\xa4",  false},
};
/* clang-format on */

START_TEST(ids_are_names_and_nothing_else)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(state_check_id(ids[_i].id, &e) == 0, ids[_i].is_fine);
}
END_TEST

START_TEST(id_is_no_longer_than_a_name_can_be)
{
	char id[STATE_ID_MAX + 2];
	struct err e = ERR_INIT;

	memset(id, 'a', sizeof(id));
	id[STATE_ID_MAX + 1] = '\0';
	ck_assert_int_eq(state_check_id(id, &e), -EINVAL);
	id[STATE_ID_MAX] = '\0';
	ck_ok(state_check_id(id, &e), &e);
}
END_TEST

/* clang-format off */
static const struct {
	const char *text;
	int number; /* -1: unknown */
} names[] = {
	{"TERM",       SIGTERM},
	{"SIGTERM",    SIGTERM},
	{"sigkill",    SIGKILL},
	{"9",          SIGKILL},
	{"64",         64     },
	{"POLL",       SIGIO  },
	{"RTMIN",      34     },
	{"SIGRTMIN+1", 35     },
	{"RTMAX-1",    63     },
	{"0",          0      },
	{"65",         -1     },
	{"-9",         -1     },
	{"",           -1     },
	{"SIG",        -1     },
	{"TERM ",      -1     },
	{"RTMIN-1",    -1     },
	{"RTMAX+1",    -1     },
	{"RTMIN+31",   -1     },
};
/* clang-format on */

START_TEST(signals_are_known_by_name_and_number)
{
	struct err e = ERR_INIT;
	int number = -1, r = sbx_signal_parse(names[_i].text, &number, &e);

	ck_assert_msg((names[_i].number < 0 ? -EINVAL : 0) == r, "%s: %d", names[_i].text, r);
	ck_assert_int_eq(number, names[_i].number);
}
END_TEST

START_TEST(id_is_taken_once_and_free_again_after)
{
	struct state a = STATE_INIT, b = STATE_INIT;
	struct err e = ERR_INIT;
	char dir[64], **all = NULL;

	harness_mkdir(dir);
	ck_ok(state_claim(dir, "one", &a, &e), &e);
	ck_assert_int_eq(state_claim(dir, "one", &b, &e), -EEXIST);
	ck_assert_int_eq(state_find(dir, "one", false, &b, &e), -ENOENT);
	a.oci_version = a.created = a.owner = a.group = "g";
	a.bundle = a.rootfs = "/b";
	ck_ok(state_save(&a, &e), &e);
	ck_ok(state_find(dir, "one", false, &b, &e), &e);
	state_fini(&b);
	ck_ok(state_list(dir, &all, &e), &e);
	ck_assert(all[0] && str_is(all[0], "one") && !all[1]);
	state_list_free(all);
	state_fini(&a); /* as if killed: it was never complete */
	ck_assert_int_eq(state_claim(dir, "one", &a, &e), STATE_E_LEFTOVER);
	ck_ok(state_reset("one", &a, &e), &e);
	ck_ok(state_remove(dir, &a, &e), &e);
	state_fini(&a);
	ck_assert_int_eq(state_find(dir, "one", false, &b, &e), -ENOENT);
	harness_rmdir(dir);
}
END_TEST

START_TEST(pid_of_another_process_is_nobody)
{
	struct state s = {.dir = -1, .pid = getpid()};
	struct err e = ERR_INIT;
	int fd = -1;

	ck_ok(state_pid_start(getpid(), &s.pid_start, &e), &e);
	ck_ok(state_pidfd(&s, &fd, &e), &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
	s.pid_start++;
	ck_assert_int_eq(state_pidfd(&s, &fd, &e), STATE_E_GONE);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("state");
	TCase *t = tcase_create("state");

	tcase_add_test(t, state_reads_back_what_was_written);
	tcase_add_test(t, state_is_shown_as_the_specification_has_it);
	tcase_add_loop_test(t, state_that_is_broken_is_refused_by_name, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(t, ids_are_names_and_nothing_else, 0, ARRAY_SIZE(ids));
	tcase_add_test(t, id_is_no_longer_than_a_name_can_be);
	tcase_add_loop_test(t, signals_are_known_by_name_and_number, 0, ARRAY_SIZE(names));
	tcase_add_test(t, id_is_taken_once_and_free_again_after);
	tcase_add_test(t, pid_of_another_process_is_nobody);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* Every spelling of a user: what is not exactly a number is refused, and never becomes 0. */
#include "tests/lib/harness.h"

#include <string.h>

#include "base/mem.h"
#include "sandbox/user.h"

/* clang-format off */
static const struct {
	const char *text;
	bool is_good;
	uint32_t uid, gid;
	bool has_gid;
} spellings[] = {
	{"0",                      true,  0,           77,          false},
	{"1",                      true,  1,           77,          false},
	{"1000",                   true,  1000,        77,          false},
	{"0:0",                    true,  0,           0,           true },
	{"1:0",                    true,  1,           0,           true },
	{"0:1",                    true,  0,           1,           true },
	{"1000:1001",              true,  1000,        1001,        true },
	{"4294967294:4294967294",  true,  4294967294u, 4294967294u, true },
	{"4294967295",             false, 0,           0,           false},
	{"0:4294967295",           false, 0,           0,           false},
	{"4294967296",             false, 0,           0,           false},
	{"4294967297",             false, 0,           0,           false},
	{"18446744073709551616",   false, 0,           0,           false},
	{"18446744073709551617:1", false, 0,           0,           false},
	{"",                       false, 0,           0,           false},
	{":",                      false, 0,           0,           false},
	{"1:",                     false, 0,           0,           false},
	{":1",                     false, 0,           0,           false},
	{"1:1:1",                  false, 0,           0,           false},
	{"1::1",                   false, 0,           0,           false},
	{"0x1",                    false, 0,           0,           false},
	{"0X0",                    false, 0,           0,           false},
	{"01",                     false, 0,           0,           false},
	{"00",                     false, 0,           0,           false},
	{"-1",                     false, 0,           0,           false},
	{"1:-1",                   false, 0,           0,           false},
	{"-0",                     false, 0,           0,           false},
	{"+1",                     false, 0,           0,           false},
	{" 1",                     false, 0,           0,           false},
	{"1 ",                     false, 0,           0,           false},
	{"1\n",                    false, 0,           0,           false},
	{"1 :1",                   false, 0,           0,           false},
	{"1,1",                    false, 0,           0,           false},
	{"1.0",                    false, 0,           0,           false},
	{"1e3",                    false, 0,           0,           false},
	{"root",                   false, 0,           0,           false},
	{"root:root",              false, 0,           0,           false},
	{"1:root",                 false, 0,           0,           false},
	{"1a",                     false, 0,           0,           false},
	{"\xd9\xa1",               false, 0,           0,           false}, /* a digit, but not one of ours */
};
/* clang-format on */

START_TEST(user_is_exactly_what_was_written)
{
	struct user_ids u = {.uid = 66, .gid = 77};
	struct err e = ERR_INIT;
	int r = user_parse(spellings[_i].text, &u, &e);

	ck_assert_msg((r == 0) == spellings[_i].is_good, "'%s': %s", spellings[_i].text, e.text);
	if (r == 0) {
		ck_assert_uint_eq(u.uid, spellings[_i].uid);
		ck_assert_uint_eq(u.gid, spellings[_i].gid);
		ck_assert_int_eq(u.has_gid, spellings[_i].has_gid);
	} else {
		ck_assert_uint_eq(u.uid, 66);
		ck_assert_uint_eq(u.gid, 77);
		ck_assert_msg(strstr(e.text, "not a number in 0..4294967294"), "%s", e.text);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("user");
	TCase *t = tcase_create("spellings");

	tcase_add_loop_test(t, user_is_exactly_what_was_written, 0, ARRAY_SIZE(spellings));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* Settings: defaults, units, ranges, files. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/config.h"

START_TEST(every_default_can_be_set)
{
	_cleanup_free_ char *text = NULL;
	struct config c, d;
	struct err e = ERR_INIT;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int n = 0;

	config_print(out);
	fclose(out);
	config_init(&c);
	config_init(&d);
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		char key[64], value[256];

		if (sscanf(line, "  %63s = %255s", key, value) != 2)
			continue;
		ck_ok(config_set(&d, key, value, &e), &e);
		n++;
	}
	ck_assert_int_ge(n, 25);
	ck_assert_int_eq(memcmp(&c, &d, sizeof(c)), 0);
}
END_TEST

START_TEST(defaults_are_sane)
{
	struct config c;

	config_init(&c);
	ck_assert_str_eq(c.state_dir, "/var/lib/runtimed");
	ck_assert_str_eq(c.region, "local-1");
	ck_assert_str_eq(c.account, "000000000000");
	ck_assert_uint_eq(c.connections_max, 10000);
	ck_assert_uint_eq(c.billing_granularity_ms, 1);
	ck_assert_uint_eq(c.init_timeout_us, 10 * CLK_US_PER_SEC);
	ck_assert(!c.bill_init);
}
END_TEST

static const struct {
	const char *key, *value, *error; /* error NULL = taken */
} rows[] = {
	{"keep_alive",    "90s",       NULL                              },
	{"keep_alive",    "0",         NULL                              },
	{"keep_alive",    "90",        "keep_alive"                      },
	{"keep_alive",    "90000h",    "out of range"                    },
	{"init_timeout",  "1us",       "out of range"                    },
	{"log_bytes_max", "64K",       NULL                              },
	{"log_bytes_max", "64X",       "log_bytes_max"                   },
	{"listen_port",   "65536",     "listen_port"                     },
	{"listen_port",   "",          "listen_port"                     },
	{"core_uid",      "0",         "core_uid"                        },
	{"bill_init",     "yes",       NULL                              },
	{"bill_init",     "true",      "'true' is neither 'yes' nor 'no'"},
	{"state_dir",     "relative",  "absolute"                        },
	{"region",        "two words", "one word"                        },
	{"region",        "",          "one word"                        },
	{"State_dir",     "/x",        "unknown key 'State_dir'"         },
};

START_TEST(values_are_checked)
{
	struct config c, before;
	struct err e = ERR_INIT;
	int r;

	config_init(&c);
	before = c;
	r = config_set(&c, rows[_i].key, rows[_i].value, &e);
	ck_assert_msg((r == 0) == !rows[_i].error, "%s = %s: %s", rows[_i].key, rows[_i].value,
		      e.text);
	if (rows[_i].error) {
		ck_assert_msg(strstr(e.text, rows[_i].error), "%s", e.text);
		ck_assert_int_eq(memcmp(&c, &before, sizeof(c)), 0);
	}
}
END_TEST

static int read_text(struct config *c, const char *text, struct err *e)
{
	char dir[64], path[80];
	int r;

	harness_mkdir(dir);
	snprintf(path, sizeof(path), "%s/c", dir);
	ck_ok(file_replace(AT_FDCWD, path, text, strlen(text), 0600, e), e);
	r = config_read(c, path, e);
	harness_rmdir(dir);
	return r;
}

START_TEST(file_is_read)
{
	struct config c;
	struct err e = ERR_INIT;

	config_init(&c);
	ck_ok(read_text(&c, "; comment\n[runtimed]\nkeep_alive = 5s\n\nregion=x-1\n", &e), &e);
	ck_assert_uint_eq(c.keep_alive_us, 5 * CLK_US_PER_SEC);
	ck_assert_str_eq(c.region, "x-1");
}
END_TEST

static const struct {
	const char *text, *error;
} files[] = {
	{"[runtimed]\nregion = a\nx = 1\n", ":3: unknown key 'x'"                      },
	{"region = a\n",                    ":1: 'region' stands outside of [runtimed]"},
	{"[runtimed]\nregion\n",            ":2: not 'key = value'"                    },
	{"[runtimed]\nx = 1\ny = 1\n",      ":2: unknown key 'x'"                      },
};

START_TEST(file_error_names_the_line_and_changes_nothing)
{
	struct config c, before;
	struct err e = ERR_INIT;

	config_init(&c);
	before = c;
	ck_assert_int_lt(read_text(&c, files[_i].text, &e), 0);
	ck_assert_msg(strstr(e.text, files[_i].error), "%s", e.text);
	ck_assert_int_eq(memcmp(&c, &before, sizeof(c)), 0);
	ck_assert_int_eq(config_read(&c, "/nonexistent", &e), -ENOENT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");

	tcase_add_test(t, every_default_can_be_set);
	tcase_add_test(t, defaults_are_sane);
	tcase_add_loop_test(t, values_are_checked, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, file_is_read);
	tcase_add_loop_test(t, file_error_names_the_line_and_changes_nothing, 0, ARRAY_SIZE(files));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

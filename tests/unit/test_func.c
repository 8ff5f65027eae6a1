/* Functions: what is refused, the form in the store, the registry; request ids. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/func.h"
#include "runtimed/invoke.h"

static struct func *make(const char *name)
{
	struct func *f = func_new();

	ck_assert_ptr_nonnull(f);
	ck_assert(str_copy(f->name, sizeof(f->name), name));
	str_copy(f->handler, sizeof(f->handler), "app.handler");
	str_copy(f->image, sizeof(f->image), "python3.11");
	f->memory_mb = 128;
	f->timeout_ms = 3000;
	f->tmp_mb = 512;
	return f;
}

/* clang-format off */
static const struct {
	const char *handler;
	bool is_valid;
} handlers[] = {
	{"app.handler", true },
	{"a/b.f",       true },
	{"a.b.f",       true },
	{"_a._b1",      true },
	{"app",         false},
	{"",            false},
	{".",           false},
	{".f",          false},
	{"app.",        false},
	{"a..f",        false},
	{"a.b/c",       false},
	{"../a.f",      false},
	{"/a.f",        false},
	{"1a.f",        false},
	{"a.1f",        false},
	{"a-b.f",       false},
	{"a b.f",       false},
	{"\xc3\xa4.f",  false},
};
/* clang-format on */

START_TEST(handler_is_module_and_function)
{
	struct func *f = make("x");
	struct err e = ERR_INIT;

	str_copy(f->handler, sizeof(f->handler), handlers[_i].handler);
	ck_assert_msg((func_check(f, &e) == 0) == handlers[_i].is_valid, "'%s': %s",
		      handlers[_i].handler, e.text);
	func_unref(f);
}
END_TEST

START_TEST(numbers_have_a_range_and_the_error_names_the_field)
{
	struct func *f = make("x");
	struct err e = ERR_INIT;

	f->memory_mb = 12;
	ck_assert_int_eq(func_check(f, &e), -EINVAL);
	ck_assert_str_eq(e.text, "MemorySize: 12 is not in 64..10240");
	f->memory_mb = 128;
	f->timeout_ms = FUNC_TIMEOUT_MAX_MS + 1;
	ck_assert_int_eq(func_check(f, &e), -EINVAL);
	ck_assert(str_has_prefix(e.text, "Timeout: "));
	f->timeout_ms = 1;
	f->tmp_mb = 0;
	ck_assert_int_eq(func_check(f, &e), -EINVAL);
	ck_assert(str_has_prefix(e.text, "EphemeralStorage.Size: "));
	f->tmp_mb = FUNC_TMP_MIN_MB;
	f->name[0] = '\0';
	ck_assert_int_eq(func_check(f, &e), -EINVAL);
	ck_assert(str_has_prefix(e.text, "FunctionName: "));
	func_unref(f);
}
END_TEST

/* clang-format off */
static const struct {
	const char *key;
	int result;
} variables[] = {
	{"A",                0      },
	{"_a1",              0      },
	{"AWS_LAMBDA_X",     -EINVAL},
	{"LAMBDA_TASK_ROOT", -EINVAL},
	{"_HANDLER",         -EINVAL},
	{"AWS_REGION",       -EINVAL},
	{"AWS_PROFILE",      0      },
	{"1A",               -EINVAL},
	{"A-B",              -EINVAL},
	{"A=B",              -EINVAL},
	{"",                 -EINVAL},
	{"TWICE",            -EINVAL},
};
/* clang-format on */

START_TEST(environment_refuses_reserved_and_odd_names)
{
	struct func *f = make("x");
	struct err e = ERR_INIT;

	ck_ok(func_env_add(f, "TWICE", "=", &e), &e);
	ck_assert_int_eq(func_env_add(f, variables[_i].key, "v", &e), variables[_i].result);
	ck_ok(func_check(f, &e), &e);
	func_unref(f);
}
END_TEST

START_TEST(environment_is_bounded)
{
	struct func *f = make("x");
	struct err e = ERR_INIT;
	char value[FUNC_ENV_BYTES_MAX + 1], key[16];

	memset(value, 'v', sizeof(value));
	value[FUNC_ENV_BYTES_MAX] = '\0';
	ck_assert_int_eq(func_env_add(f, "K", value, &e), -E2BIG);
	value[FUNC_ENV_BYTES_MAX - 1] = '\0';
	ck_ok(func_env_add(f, "K", value, &e), &e);
	ck_assert_int_eq(func_env_add(f, "L", "", &e), -E2BIG);
	func_unref(f);
	f = make("x");
	for (int i = 0; i < FUNC_ENV_MAX; i++) {
		snprintf(key, sizeof(key), "K%d", i);
		ck_ok(func_env_add(f, key, "", &e), &e);
	}
	ck_assert_int_eq(func_env_add(f, "L", "", &e), -E2BIG);
	func_unref(f);
}
END_TEST

START_TEST(store_form_keeps_every_field)
{
	struct func *f = make("hello"), *g = NULL;
	_cleanup_free_ char *text = NULL, *again = NULL;
	struct err e = ERR_INIT;

	str_copy(f->role, sizeof(f->role), "arn:aws:iam::1:role/r");
	str_copy(f->description, sizeof(f->description), "say \"h\xc3\xa9llo\"");
	str_copy(f->revision, sizeof(f->revision), "0190a6b2-0000-7000-8000-000000000000");
	memset(f->code_sha256, 0xa5, sizeof(f->code_sha256));
	f->code_bytes = 1234567890123;
	f->modified_wall_us = 1795244972000001;
	ck_ok(func_env_add(f, "B", "x=y", &e), &e);
	ck_ok(func_env_add(f, "A", "", &e), &e);
	text = func_to_json(f);
	ck_assert_ptr_nonnull(text);
	ck_ok(func_from_json(text, strlen(text), &g, &e), &e);
	again = func_to_json(g);
	ck_assert_str_eq(text, again);
	ck_assert_uint_eq(f->env_size, g->env_size);
	ck_assert_int_eq(memcmp(f->env, g->env, f->env_size), 0);
	ck_assert_int_eq(memcmp(f->code_sha256, g->code_sha256, FUNC_SHA256_LEN), 0);
	ck_assert_uint_ne(f->serial, g->serial);
	func_unref(f);
	func_unref(g);
}
END_TEST

START_TEST(copy_is_a_version_of_its_own)
{
	struct func *f = func_ref(make("hello")), *g;
	char here;

	f->pool = (struct fnpool *)&here;
	g = func_copy(f);
	ck_assert_uint_eq(g->refs, 1);
	ck_assert_uint_ne(f->serial, g->serial);
	ck_assert_ptr_null(g->pool);
	ck_assert_str_eq(g->handler, f->handler);
	func_unref(g);
	func_unref(f);
	func_unref(f);
}
END_TEST

static const char *const broken[] = {
	"",
	"[]",
	"{}",
	"{\"name\":\"x\"}",
	"{\"name\":\"x\",\"name\":\"y\"}",
	"{\"name\":\"x\",\"handler\":\"a.b\",\"image\":\"i\",\"role\":\"\",\"description\":\"\","
	"\"revision\":\"\",\"memory_mb\":-1}",
};

START_TEST(broken_rows_are_refused)
{
	struct func *f = NULL;
	struct err e = ERR_INIT;

	ck_assert_int_eq(func_from_json(broken[_i], strlen(broken[_i]), &f, &e), -EINVAL);
	ck_assert_ptr_null(f);
}
END_TEST

static void put(struct funcs *fs, const char *name, uint8_t code)
{
	struct func *f = make(name);
	struct err e = ERR_INIT;

	f->code_sha256[0] = code;
	ck_ok(funcs_put(fs, f, &e), &e);
	func_unref(f);
}

START_TEST(registry_keeps_the_order_of_names)
{
	struct funcs *fs = funcs_new();
	char order[64] = "";

	put(fs, "b", 1);
	put(fs, "c", 2);
	put(fs, "a", 3);
	put(fs, "aa", 3);
	for (struct func *f = NULL; (f = funcs_next(fs, f ? f->name : NULL));)
		strcat(strcat(order, f->name), " ");
	ck_assert_str_eq(order, "a aa b c ");
	funcs_remove(fs, "b");
	funcs_remove(fs, "nobody");
	ck_assert_str_eq(funcs_next(fs, "ab")->name, "c");
	ck_assert_str_eq(funcs_next(fs, "aa")->name, "c");
	ck_assert_ptr_null(funcs_next(fs, "c"));
	ck_assert_ptr_null(funcs_find(fs, "b"));
	ck_assert_uint_eq(funcs_count(fs), 3);
	funcs_free(fs);
}
END_TEST

START_TEST(replaced_function_lives_while_somebody_holds_it)
{
	struct funcs *fs = funcs_new();
	struct func *old;
	uint8_t one[FUNC_SHA256_LEN] = {1}, two[FUNC_SHA256_LEN] = {2};

	put(fs, "a", 1);
	old = func_ref(funcs_find(fs, "a"));
	put(fs, "a", 2);
	ck_assert_uint_eq(funcs_count(fs), 1);
	ck_assert_uint_eq(old->code_sha256[0], 1);
	ck_assert(funcs_find(fs, "a") != old);
	ck_assert(!funcs_use_code(fs, one) && funcs_use_code(fs, two));
	func_unref(old);
	funcs_free(fs);
}
END_TEST

START_TEST(registry_is_bounded)
{
	struct funcs *fs = funcs_new();
	struct func *f = make("one-more");
	struct err e = ERR_INIT;
	char name[16];

	for (int i = 0; i < FUNCS_MAX; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		put(fs, name, 0);
	}
	ck_assert_int_eq(funcs_put(fs, f, &e), -ENOSPC);
	put(fs, "f7", 7);
	ck_assert_uint_eq(f->refs, 1);
	func_unref(f);
	funcs_free(fs);
}
END_TEST

START_TEST(request_ids_are_ordered_and_differ)
{
	char id[37], before[37] = "";

	for (int i = 0; i < 1000; i++) {
		request_id_make(id);
		ck_assert_uint_eq(strlen(id), 36);
		ck_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
		ck_assert(id[14] == '7' && strchr("89ab", id[19]));
		ck_assert_int_ge(strncmp(id, before, 13), 0);
		ck_assert_str_ne(id, before);
		memcpy(before, id, sizeof(id));
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("func");
	TCase *t = tcase_create("func");

	tcase_add_loop_test(t, handler_is_module_and_function, 0, ARRAY_SIZE(handlers));
	tcase_add_test(t, numbers_have_a_range_and_the_error_names_the_field);
	tcase_add_loop_test(t, environment_refuses_reserved_and_odd_names, 0,
			    ARRAY_SIZE(variables));
	tcase_add_test(t, environment_is_bounded);
	tcase_add_test(t, store_form_keeps_every_field);
	tcase_add_test(t, copy_is_a_version_of_its_own);
	tcase_add_loop_test(t, broken_rows_are_refused, 0, ARRAY_SIZE(broken));
	tcase_add_test(t, registry_keeps_the_order_of_names);
	tcase_add_test(t, replaced_function_lives_while_somebody_holds_it);
	tcase_add_test(t, registry_is_bounded);
	tcase_add_test(t, request_ids_are_ordered_and_differ);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

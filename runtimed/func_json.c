/* A function as the store keeps it: one flat JSON object, every field, exact round trip. */
#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/func.h"

static const struct {
	const char *key;
	size_t offset, size;
} texts[] = {
	{"name",        offsetof(struct func, name),        FUNC_NAME_MAX + 1       },
	{"handler",     offsetof(struct func, handler),     FUNC_HANDLER_MAX + 1    },
	{"image",       offsetof(struct func, image),       FUNC_IMAGE_MAX + 1      },
	{"role",        offsetof(struct func, role),        FUNC_ROLE_MAX + 1       },
	{"description", offsetof(struct func, description), FUNC_DESCRIPTION_MAX + 1},
	{"revision",    offsetof(struct func, revision),    37                      },
};

static const struct {
	const char *key;
	size_t offset, size; /* 4 or 8 bytes */
	uint64_t max;
} numbers[] = {
	{"memory_mb",        offsetof(struct func, memory_mb),        4, UINT32_MAX},
	{"timeout_ms",       offsetof(struct func, timeout_ms),       4, UINT32_MAX},
	{"tmp_mb",           offsetof(struct func, tmp_mb),           4, UINT32_MAX},
	{"code_bytes",       offsetof(struct func, code_bytes),       8, INT64_MAX },
	{"modified_wall_us", offsetof(struct func, modified_wall_us), 8, INT64_MAX },
};

static json_t *env_to_json(const struct func *f)
{
	json_t *env = json_object();

	for (size_t at = 0; env && at < f->env_size; at += strlen(f->env + at) + 1) {
		const char *pair = f->env + at, *eq = strchr(pair, '=');
		json_t *value = json_string(eq + 1);

		if (json_object_setn_new(env, pair, (size_t)(eq - pair), value) < 0) {
			json_decref(env);
			return NULL;
		}
	}
	return env;
}

char *func_to_json(const struct func *f)
{
	json_auto_t *doc = json_object();
	char sha256[2 * FUNC_SHA256_LEN + 1];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		r |= json_object_set_new(doc, texts[i].key,
					 json_string((const char *)f + texts[i].offset));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *at = (const char *)f + numbers[i].offset;
		uint64_t value =
			numbers[i].size == 4 ? *(const uint32_t *)at : *(const uint64_t *)at;

		r |= json_object_set_new(doc, numbers[i].key, json_integer((json_int_t)value));
	}
	str_hex(f->code_sha256, FUNC_SHA256_LEN, sha256);
	r |= json_object_set_new(doc, "code_sha256", json_string(sha256));
	r |= json_object_set_new(doc, "env", env_to_json(f));
	return r == 0 ? json_dumps(doc, JSON_COMPACT) : NULL;
}

static int read_texts(const json_t *doc, struct func *f, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *s = json_string_value(json_object_get(doc, texts[i].key));

		if (!s || !str_copy((char *)f + texts[i].offset, texts[i].size, s))
			return err_set(e, EINVAL, "function: '%s' is missing or too long",
				       texts[i].key);
	}
	return 0;
}

static int read_numbers(const json_t *doc, struct func *f, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const json_t *value = json_object_get(doc, numbers[i].key);
		json_int_t v = json_integer_value(value);
		char *to = (char *)f + numbers[i].offset;

		if (!json_is_integer(value) || v < 0 || (uint64_t)v > numbers[i].max)
			return err_set(e, EINVAL, "function: '%s' is missing or out of range",
				       numbers[i].key);
		if (numbers[i].size == 4)
			*(uint32_t *)to = (uint32_t)v;
		else
			*(uint64_t *)to = (uint64_t)v;
	}
	return 0;
}

static int read_env(json_t *env, struct func *f, struct err *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(env))
		return err_set(e, EINVAL, "function: 'env' is missing");
	json_object_foreach(env, key, value)
	{
		if (!json_is_string(value))
			return err_set(e, EINVAL, "function: variable '%s' is no text", key);
		if (func_env_add(f, key, json_string_value(value), e) < 0)
			return -e->code;
	}
	return 0;
}

static int read_all(json_t *doc, struct func *f, struct err *e)
{
	const char *sha256 = json_string_value(json_object_get(doc, "code_sha256"));
	int r = read_texts(doc, f, e);

	if (r == 0)
		r = read_numbers(doc, f, e);
	if (r == 0 && (!sha256 || !str_unhex(sha256, f->code_sha256, FUNC_SHA256_LEN)))
		r = err_set(e, EINVAL, "function: 'code_sha256' is not one");
	if (r == 0)
		r = read_env(json_object_get(doc, "env"), f, e);
	return r < 0 ? r : func_check(f, e);
}

int func_from_json(const char *text, size_t n, struct func **ret, struct err *e)
{
	json_error_t why;
	json_auto_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
	struct func *f = func_new();
	int r;

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	r = doc ? read_all(doc, f, e) : err_set(e, EINVAL, "function: %s", why.text);
	if (r < 0) {
		func_unref(f);
		return r;
	}
	*ret = f;
	return 0;
}

#include "runtimed/settings.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* ---- what cannot be honoured ---- */

static bool is_empty(const json_t *v)
{
	const char *key;
	json_t *member;

	if (json_is_object(v)) /* all its members are: a VpcConfig without subnets is none */
		json_object_foreach((json_t *)(uintptr_t)v, key,
				    member) if (!is_empty(member)) return false;
	if (json_is_array(v))
		return json_array_size(v) == 0;
	if (json_is_string(v))
		return *json_string_value(v) == '\0';
	return json_is_object(v) || json_is_null(v) || json_is_false(v);
}

static bool is_text(const json_t *v, const char *text)
{
	return json_is_string(v) && str_is(json_string_value(v), text);
}

static bool is_zip(const json_t *v)
{
	return is_text(v, "Zip");
}

static bool is_x86_64(const json_t *v)
{
	return json_array_size(v) == 0 ||
	       (json_array_size(v) == 1 && is_text(json_array_get(v, 0), "x86_64"));
}

static bool is_none(const json_t *v)
{
	const json_t *on = json_object_get(v, "ApplyOn");

	return !on || json_is_null(on) || is_text(on, "None");
}

static const struct demand {
	const char *member;
	bool (*may_be)(const json_t *v);
	const char *why;
} demands[] = {
	{"PackageType",       is_zip,    "only 'Zip' is offered"                 },
	{"Architectures",     is_x86_64, "only 'x86_64' is offered"              },
	{"Publish",           is_empty,  "versions are not offered yet"          },
	{"Layers",            is_empty,  "layers are not offered yet"            },
	{"VpcConfig",         is_empty,  "functions have no network of their own"},
	{"FileSystemConfigs", is_empty,  "file systems are not offered"          },
	{"ImageConfig",       is_empty,  "container images are not offered"      },
	{"ImageUri",          is_empty,  "container images are not offered"      },
	{"KMSKeyArn",         is_empty,  "encryption by a key is not offered"    },
	{"SnapStart",         is_none,   "only ApplyOn 'None' is offered"        },
	{"S3Bucket",          is_empty,  "send the package as ZipFile"           },
	{"S3Key",             is_empty,  "send the package as ZipFile"           },
};

int settings_check(const json_t *body, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(demands); i++) {
		const json_t *v = json_object_get(body, demands[i].member);

		if (v && !json_is_null(v) && !demands[i].may_be(v))
			return err_set(e, EINVAL, "%s: %s", demands[i].member, demands[i].why);
	}
	return 0;
}

int settings_check_code(const json_t *code, struct err *e)
{
	return json_is_object(code) ? settings_check(code, e)
				    : err_set(e, EINVAL, "Code: ZipFile is wanted");
}

/* ---- what can ---- */

static const struct {
	const char *member;
	size_t offset, size;
} texts[] = {
	{"Handler",     offsetof(struct func, handler),     FUNC_HANDLER_MAX + 1    },
	{"Runtime",     offsetof(struct func, image),       FUNC_IMAGE_MAX + 1      },
	{"Role",        offsetof(struct func, role),        FUNC_ROLE_MAX + 1       },
	{"Description", offsetof(struct func, description), FUNC_DESCRIPTION_MAX + 1},
};

static int read_text(const json_t *v, const char *member, char *out, size_t size, struct err *e)
{
	if (!v || json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return err_set(e, EINVAL, "%s: a text is wanted", member);
	if (!str_copy(out, size, json_string_value(v)))
		return err_set(e, EINVAL, "%s: longer than %zu bytes", member, size - 1);
	return 0;
}

/* Ranges are func_check()'s; here only what fits the field. */
static int read_number(const json_t *v, const char *member, uint32_t factor, uint32_t *out,
		       struct err *e)
{
	json_int_t n = json_integer_value(v);

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || n < 0 || n > UINT32_MAX / factor)
		return err_set(e, EINVAL, "%s: a number in range is wanted", member);
	*out = (uint32_t)n * factor;
	return 0;
}

static int read_environment(const json_t *v, struct func *f, struct err *e)
{
	json_t *variables = json_object_get(v, "Variables"), *value;
	const char *key;

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_object(v) || (variables && !json_is_object(variables)))
		return err_set(e, EINVAL, "Environment: Variables is wanted");
	f->n_env = 0;
	f->env_size = 0;
	json_object_foreach(variables, key, value)
	{
		if (!json_is_string(value))
			return err_set(e, EINVAL, "Environment: '%s' is no text", key);
		if (func_env_add(f, key, json_string_value(value), e) < 0)
			return -e->code;
	}
	return 0;
}

int settings_read(const json_t *body, struct func *f, struct err *e)
{
	const json_t *storage = json_object_get(body, "EphemeralStorage");
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = read_text(json_object_get(body, texts[i].member), texts[i].member,
			      (char *)f + texts[i].offset, texts[i].size, e);
	if (r == 0)
		r = read_number(json_object_get(body, "MemorySize"), "MemorySize", 1, &f->memory_mb,
				e);
	if (r == 0)
		r = read_number(json_object_get(body, "Timeout"), "Timeout", 1000, &f->timeout_ms,
				e);
	if (r == 0)
		r = read_number(json_object_get(storage, "Size"), "EphemeralStorage.Size", 1,
				&f->tmp_mb, e);
	return r < 0 ? r : read_environment(json_object_get(body, "Environment"), f, e);
}

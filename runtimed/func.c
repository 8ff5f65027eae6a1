/* Functions and their registry: see runtimed/func.h. */
#include "runtimed/func.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const char name_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

struct func *func_new(void)
{
	static uint64_t last_serial; /* the core's one thread */
	struct func *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	f->serial = ++last_serial;
	list_init(&f->link);
	return f;
}

struct func *func_copy(const struct func *f)
{
	struct func *copy = func_new();
	uint64_t serial;

	if (!copy)
		return NULL;
	serial = copy->serial;
	*copy = *f;
	copy->refs = 1;
	copy->serial = serial;
	copy->pool = NULL;
	list_init(&copy->link);
	return copy;
}

struct func *func_ref(struct func *f)
{
	f->refs++;
	return f;
}

void func_unref(struct func *f)
{
	if (f && --f->refs == 0)
		free(f);
}

/* ---- checks ---- */

static int check_name(const struct func *f, struct err *e)
{
	size_t n = strlen(f->name);

	if (n == 0 || strspn(f->name, name_letters) != n)
		return err_set(e, EINVAL, "FunctionName: '%s' is not 1 to %d of a-z A-Z 0-9 - _",
			       f->name, FUNC_NAME_MAX);
	return 0;
}

static bool is_identifier(const char *s, size_t n)
{
	return n > 0 && !(s[0] >= '0' && s[0] <= '9') && strspn(s, name_letters) >= n &&
	       !memchr(s, '-', n);
}

/* "module.function"; the module may be a path of packages: "a/b.f" or "a.b.f". */
static int check_handler(const struct func *f, struct err *e)
{
	const char *at = f->handler, *end;
	bool is_valid = strchr(f->handler, '.') != NULL;

	do {
		end = at + strcspn(at, "./");
		is_valid = is_valid && is_identifier(at, (size_t)(end - at));
		at = end + 1;
	} while (*end);
	end = strrchr(f->handler, '.');
	if (!is_valid || strchr(end, '/'))
		return err_set(e, EINVAL, "Handler: '%s' is not module.function", f->handler);
	return 0;
}

static int check_range(const char *what, uint32_t value, uint32_t min, uint32_t max, struct err *e)
{
	if (value < min || value > max)
		return err_set(e, EINVAL, "%s: %" PRIu32 " is not in %" PRIu32 "..%" PRIu32, what,
			       value, min, max);
	return 0;
}

static int check_env(const struct func *f, struct err *e)
{
	size_t n = 0;

	if (f->env_size > sizeof(f->env) || (f->env_size && f->env[f->env_size - 1]))
		return err_set(e, EINVAL, "Environment: not well formed");
	for (size_t at = 0; at < f->env_size; at += strlen(f->env + at) + 1, n++)
		if (!strchr(f->env + at, '='))
			return err_set(e, EINVAL, "Environment: not well formed");
	return n == f->n_env ? 0 : err_set(e, EINVAL, "Environment: not well formed");
}

int func_check(const struct func *f, struct err *e)
{
	int r = check_name(f, e);

	if (r == 0)
		r = check_handler(f, e);
	if (r == 0 && !f->image[0])
		r = err_set(e, EINVAL, "Runtime: no image is named");
	if (r == 0)
		r = check_range("MemorySize", f->memory_mb, FUNC_MEMORY_MIN_MB, FUNC_MEMORY_MAX_MB,
				e);
	if (r == 0 && (f->timeout_ms == 0 || f->timeout_ms > FUNC_TIMEOUT_MAX_MS))
		r = err_set(e, EINVAL, "Timeout: %" PRIu32 " ms is not in 1 ms..%d s",
			    f->timeout_ms, FUNC_TIMEOUT_MAX_MS / 1000);
	if (r == 0)
		r = check_range("EphemeralStorage.Size", f->tmp_mb, FUNC_TMP_MIN_MB,
				FUNC_TMP_MAX_MB, e);
	return r < 0 ? r : check_env(f, e);
}

/* ---- environment ---- */

/* What the platform sets itself. A name that ends with '*' stands for all that begin so. */
static const char *const reserved[] = {
	"_HANDLER",
	"_X_AMZN_TRACE_ID",
	"AWS_ACCESS_KEY",
	"AWS_ACCESS_KEY_ID",
	"AWS_DEFAULT_REGION",
	"AWS_EXECUTION_ENV",
	"AWS_LAMBDA_*",
	"AWS_REGION",
	"AWS_SECRET_ACCESS_KEY",
	"AWS_SECRET_KEY",
	"AWS_SECURITY_TOKEN",
	"AWS_SESSION_TOKEN",
	"LAMBDA_*",
	"TZ",
};

static bool is_reserved(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		size_t n = strlen(reserved[i]) - 1;

		if (reserved[i][n] == '*' ? strncmp(key, reserved[i], n) == 0
					  : str_is(key, reserved[i]))
			return true;
	}
	return false;
}

static bool is_set(const struct func *f, const char *key)
{
	size_t n = strlen(key);

	for (size_t at = 0; at < f->env_size; at += strlen(f->env + at) + 1)
		if (strncmp(f->env + at, key, n) == 0 && f->env[at + n] == '=')
			return true;
	return false;
}

int func_env_add(struct func *f, const char *key, const char *value, struct err *e)
{
	size_t n_key = strlen(key), n_value = strlen(value);
	/* Each pair costs a '=' and a NUL beside the 4 KiB that Lambda counts. */
	size_t counted = f->env_size - 2 * (size_t)f->n_env + n_key + n_value;

	if (is_reserved(key))
		return err_set(e, EINVAL, "Environment: '%s' is reserved", key);
	if (n_key == 0 || strspn(key, name_letters) != n_key || strchr(key, '-') ||
	    (key[0] >= '0' && key[0] <= '9'))
		return err_set(e, EINVAL, "Environment: '%s' is no name of a variable", key);
	if (is_set(f, key))
		return err_set(e, EINVAL, "Environment: '%s' is given twice", key);
	if (counted > FUNC_ENV_BYTES_MAX || f->n_env == FUNC_ENV_MAX)
		return err_set(e, E2BIG, "Environment: more than %d bytes or %d variables",
			       FUNC_ENV_BYTES_MAX, FUNC_ENV_MAX);
	memcpy(f->env + f->env_size, key, n_key);
	f->env[f->env_size + n_key] = '=';
	memcpy(f->env + f->env_size + n_key + 1, value, n_value + 1);
	f->env_size += n_key + n_value + 2;
	f->n_env++;
	return 0;
}

/* ---- the registry ---- */

struct funcs {
	struct func **sorted; /* by name; a binary search is 14 steps for all that may be */
	size_t n, cap;
};

struct funcs *funcs_new(void)
{
	return calloc(1, sizeof(struct funcs));
}

void funcs_free(struct funcs *fs)
{
	if (!fs)
		return;
	for (size_t i = 0; i < fs->n; i++)
		func_unref(fs->sorted[i]);
	free(fs->sorted);
	free(fs);
}

/* The first place whose name is not less. */
static size_t place_of(const struct funcs *fs, const char *name)
{
	size_t low = 0, high = fs->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(fs->sorted[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct funcs *fs, size_t i, const char *name)
{
	return i < fs->n && str_is(fs->sorted[i]->name, name);
}

struct func *funcs_find(const struct funcs *fs, const char *name)
{
	size_t i = place_of(fs, name);

	return is_at(fs, i, name) ? fs->sorted[i] : NULL;
}

size_t funcs_count(const struct funcs *fs)
{
	return fs->n;
}

static int grow(struct funcs *fs, struct err *e)
{
	size_t cap = fs->cap ? 2 * fs->cap : 64;
	struct func **sorted;

	if (fs->n < fs->cap)
		return 0;
	sorted = realloc(fs->sorted, cap * sizeof(struct func *));
	if (!sorted)
		return err_set(e, ENOMEM, "out of memory");
	fs->sorted = sorted;
	fs->cap = cap;
	return 0;
}

int funcs_put(struct funcs *fs, struct func *f, struct err *e)
{
	size_t i = place_of(fs, f->name);

	func_ref(f);
	if (is_at(fs, i, f->name)) {
		func_unref(fs->sorted[i]);
		fs->sorted[i] = f;
		return 0;
	}
	if (fs->n == FUNCS_MAX || grow(fs, e) < 0) {
		func_unref(f);
		return fs->n == FUNCS_MAX
			       ? err_set(e, ENOSPC, "there are %d functions already", FUNCS_MAX)
			       : -e->code;
	}
	memmove(fs->sorted + i + 1, fs->sorted + i, (fs->n - i) * sizeof(struct func *));
	fs->sorted[i] = f;
	fs->n++;
	return 0;
}

void funcs_remove(struct funcs *fs, const char *name)
{
	size_t i = place_of(fs, name);

	if (!is_at(fs, i, name))
		return;
	func_unref(fs->sorted[i]);
	fs->n--;
	memmove(fs->sorted + i, fs->sorted + i + 1, (fs->n - i) * sizeof(struct func *));
}

struct func *funcs_next(const struct funcs *fs, const char *after)
{
	size_t i = after ? place_of(fs, after) : 0;

	i += after && is_at(fs, i, after);
	return i < fs->n ? fs->sorted[i] : NULL;
}

bool funcs_use_code(const struct funcs *fs, const uint8_t sha256[FUNC_SHA256_LEN])
{
	for (size_t i = 0; i < fs->n; i++)
		if (memcmp(fs->sorted[i]->code_sha256, sha256, FUNC_SHA256_LEN) == 0)
			return true;
	return false;
}

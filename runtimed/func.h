/*
 * Functions: what a user deployed, as plain data, and the registry of the core.
 *
 * A struct func is one immutable version. An update makes a new one and replaces it in the registry;
 * invocations and instances hold a reference to the one they began with, so a change never pulls
 * anything from under them. One thread (the core's loop) owns all of it; no locking.
 */
#ifndef RUNTIMED_FUNC_H
#define RUNTIMED_FUNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/log.h"

/* Lambda's limits where it has one. */
#define FUNC_NAME_MAX        64
#define FUNC_HANDLER_MAX     128
#define FUNC_IMAGE_MAX       63
#define FUNC_ROLE_MAX        256
#define FUNC_DESCRIPTION_MAX 256
#define FUNC_ENV_BYTES_MAX   4096
#define FUNC_ENV_MAX         128
#define FUNC_MEMORY_MIN_MB   64
#define FUNC_MEMORY_MAX_MB   10240
#define FUNC_TIMEOUT_MAX_MS  900000
#define FUNC_TMP_MIN_MB      16
#define FUNC_TMP_MAX_MB      10240
#define FUNC_SHA256_LEN      32
#define FUNCS_MAX            10000

struct func {
	uint32_t refs;
	uint64_t serial; /* unique in this daemon's life: instances are bound to one serial */
	char name[FUNC_NAME_MAX + 1];
	char handler[FUNC_HANDLER_MAX + 1];
	char image[FUNC_IMAGE_MAX + 1]; /* "python3.11": the Runtime of the API */
	char role[FUNC_ROLE_MAX + 1];
	char description[FUNC_DESCRIPTION_MAX + 1];
	uint32_t memory_mb;
	uint32_t timeout_ms;
	uint32_t tmp_mb;
	uint32_t n_env;
	size_t env_size;
	char env[FUNC_ENV_BYTES_MAX + 2 * FUNC_ENV_MAX]; /* "K=V\0K=V\0", n_env pairs */
	uint8_t code_sha256[FUNC_SHA256_LEN];
	uint64_t code_bytes; /* packed */
	char revision[37];   /* fresh UUID per change */
	uint64_t modified_wall_us;
	struct list link;            /* registry */
	struct fnpool *pool;         /* pool.c's, while it has instances or waiting invocations */
	struct log_limit broken_log; /* instance.c's: a new version goes on with the old one's */
};

/* References. func_unref(NULL) is fine; the last one frees. */
struct func *func_new(void); /* zeroed, one reference, fresh serial; or NULL */
struct func *
func_copy(const struct func *f); /* to be changed into the next version; as func_new() */
struct func *func_ref(struct func *f);
void func_unref(struct func *f);

/*
 * Refuse what is out of range: name pattern, handler "module.function", memory, timeout, tmp,
 * environment. The error names the field as the API does ("MemorySize: 12 is not in 64..10240").
 */
int func_check(const struct func *f, struct err *e);

/* Add one variable; refuses reserved names (AWS_LAMBDA_*, LAMBDA_*, _HANDLER, ...) and over 4 KiB. */
int func_env_add(struct func *f, const char *key, const char *value, struct err *e);

/* JSON <-> func, the form kept in the store: every field, exact round trip. */
char *func_to_json(const struct func *f); /* caller frees; NULL = out of memory */
int func_from_json(const char *text, size_t n, struct func **ret, struct err *e);

/* The registry, in name order. */
struct funcs;
struct funcs *funcs_new(void);
void funcs_free(struct funcs *fs);
struct func *funcs_find(const struct funcs *fs, const char *name); /* borrowed, or NULL */
size_t funcs_count(const struct funcs *fs);

/* Insert or replace by f->name; takes a reference of its own. -ENOSPC at FUNCS_MAX. */
int funcs_put(struct funcs *fs, struct func *f, struct err *e);
void funcs_remove(struct funcs *fs, const char *name);

/* The first whose name is greater than after (NULL = from the start), borrowed, or NULL. */
struct func *funcs_next(const struct funcs *fs, const char *after);

/* Whether any registered function uses this code. */
bool funcs_use_code(const struct funcs *fs, const uint8_t sha256[FUNC_SHA256_LEN]);

#endif

/*
 * Memory that lives and dies together: allocate many, free once. Bounded by a maximum given at creation.
 * Everything handed out is zeroed and aligned for any type.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(size_t max_bytes); /* NULL = out of memory */
void arena_free(struct arena *a);          /* NULL is fine */

/* n bytes, or NULL over the maximum or out of memory. */
void *arena_get(struct arena *a, size_t n);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

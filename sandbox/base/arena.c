/* Memory that lives and dies together. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192

struct chunk {
	struct chunk *next;
	max_align_t data[];
};

struct arena {
	struct chunk *chunks;
	char *at;    /* free space of the newest chunk */
	size_t left; /* bytes of it */
	size_t budget;
};

struct arena *arena_new(size_t max_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a)
		a->budget = max_bytes;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

void *arena_get(struct arena *a, size_t n)
{
	size_t step = sizeof(max_align_t), size;
	void *p;

	if (n > a->budget)
		return NULL;
	n = n ? (n + step - 1) / step * step : step;
	if (n > a->left) {
		struct chunk *c;

		size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		c = calloc(1, sizeof(*c) + size);
		if (!c)
			return NULL;
		c->next = a->chunks;
		a->chunks = c;
		a->at = (char *)c->data;
		a->left = size;
	}
	p = a->at;
	a->at += n;
	a->left -= n;
	a->budget -= n < a->budget ? n : a->budget;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = arena_get(a, n);

	return copy ? memcpy(copy, s, n) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = n < 0 ? NULL : arena_get(a, (size_t)n + 1);
	if (!s)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

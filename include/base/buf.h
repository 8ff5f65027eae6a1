/*
 * A growing byte buffer with a hard maximum, fixed at init.
 *
 * Invariants: len <= cap <= max; once anything was appended data[len] is NUL (the NUL is not
 * counted), so text can be used as a C string. Appending is sticky: after the first failure (over the
 * maximum, out of memory) every further append does nothing and buf_failed() is true, so writers
 * check once at the end.
 *
 *	struct buf b;
 *	buf_init(&b, 64 << 10);
 *	buf_printf(&b, "x=%d", x);
 *	if (buf_failed(&b)) ...
 *	buf_fini(&b);
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap; /* bytes allocated, without the NUL */
	size_t max;
	bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b); /* frees; safe twice */
#define _cleanup_buf_ __attribute__((cleanup(buf_fini)))

void buf_clear(struct buf *b);                  /* len = 0, failed = false; keeps the memory */
void buf_consume(struct buf *b, size_t n);      /* drop n <= len bytes from the front */
void *buf_reserve(struct buf *b, size_t n);     /* room for n more bytes, or NULL (and failed) */
void buf_commit(struct buf *b, size_t n);       /* n bytes were written into the reserved room */
char *buf_take(struct buf *b, size_t *ret_len); /* hand over data (caller frees); b is empty */

void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The string as a JSON string with quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_json_string(struct buf *b, const char *s, size_t n);

static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}

#endif

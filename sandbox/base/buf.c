/* A growing byte buffer with a hard maximum: see include/base/buf.h for the invariants. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_consume(struct buf *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

void *buf_reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	char *data;

	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	if (b->data && b->len + n <= b->cap)
		return b->data + b->len;
	while (cap < b->len + n)
		cap *= 2; /* cannot wrap: len + n <= max, and max is far below SIZE_MAX / 2 */
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap + 1);
	if (!data) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return b->data + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

char *buf_take(struct buf *b, size_t *ret_len)
{
	char *data = b->data;

	if (ret_len)
		*ret_len = b->len;
	b->data = NULL;
	buf_fini(b);
	return data;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	void *to = buf_reserve(b, n);

	if (!to)
		return;
	if (n)
		memcpy(to, p, n);
	buf_commit(b, n);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
	if (!to)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Length of the valid UTF-8 sequence at s (1..4), or 0. Rejects overlongs and surrogates. */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = {
		{0x80, 0x00, 0      },
                {0xe0, 0xc0, 0x80   },
                {0xf0, 0xe0, 0x800  },
                {0xf8, 0xf0, 0x10000}
        };

	for (size_t len = 1; len <= 4; len++) {
		uint32_t cp;

		if ((s[0] & forms[len - 1].mask) != forms[len - 1].lead)
			continue;
		if (n < len)
			return 0;
		cp = s[0] & (unsigned char)~forms[len - 1].mask;
		for (size_t i = 1; i < len; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			cp = cp << 6 | (s[i] & 0x3f);
		}
		if (cp < forms[len - 1].min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return 0;
		return len;
	}
	return 0;
}

void buf_json_string(struct buf *b, const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;
	size_t plain = 0; /* start of the run that needs no escape */
	size_t i = 0;

	buf_putc(b, '"');
	while (i < n) {
		size_t len = utf8_len(s + i, n - i);

		if (len > 0 && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\') {
			i += len;
			continue;
		}
		buf_append(b, s + plain, i - plain);
		if (len == 0)
			buf_puts(b, "\\ufffd");
		else if (s[i] == '"' || s[i] == '\\')
			buf_printf(b, "\\%c", s[i]);
		else if (s[i] == '\n')
			buf_puts(b, "\\n");
		else
			buf_printf(b, "\\u%04x", s[i]);
		plain = ++i;
	}
	buf_append(b, s + plain, n - plain);
	buf_putc(b, '"');
}

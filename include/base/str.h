/* Numbers, sizes and names from text. All parsers take whole strings: trailing bytes are errors. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Decimal without sign or blanks, min..max. what names the value in the error. */
int str_to_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *ret,
	       struct err *e);

/* "64M" -> bytes. Suffixes K M G (powers of 1024); none = bytes. */
int str_to_bytes(const char *s, const char *what, uint64_t *ret_bytes, struct err *e);

/* "250ms", "3s", "15m", "2h", "10us" -> µs. A number without unit is refused, except 0. */
int str_to_us(const char *s, const char *what, uint64_t *ret_us, struct err *e);

/* Lower-case hex of n bytes; out has room for 2 * n + 1. */
void str_hex(const void *bytes, size_t n, char *out);

/* Exactly 2 * n hex digits -> n bytes; false on anything else. */
bool str_unhex(const char *hex, void *out, size_t n);

/* Copy with NUL; false (and out empty) if s does not fit in size. */
bool str_copy(char *out, size_t size, const char *s);

static inline bool str_is(const char *a, const char *b)
{
	return __builtin_strcmp(a, b) == 0;
}

bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);

#endif

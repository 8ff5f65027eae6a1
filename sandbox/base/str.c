/* Numbers, sizes and names from text. */
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

/* Parse leading digits; *end points behind them. Returns false on none or overflow. */
static bool take_digits(const char *s, uint64_t *ret, const char **end)
{
	uint64_t v = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	*ret = v;
	*end = p;
	return p > s;
}

int str_to_u64(const char *s, uint64_t min, uint64_t max, const char *what, uint64_t *ret,
	       struct err *e)
{
	const char *end;
	uint64_t v;

	if (!take_digits(s, &v, &end) || *end != '\0')
		return err_set(e, EINVAL, "%s: '%s' is not a whole number", what, s);
	if (v < min || v > max)
		return err_set(e, ERANGE, "%s: %s is not in %" PRIu64 "..%" PRIu64, what, s, min,
			       max);
	*ret = v;
	return 0;
}

struct unit {
	const char *suffix;
	uint64_t factor;
};

static int scaled(const char *s, const struct unit *units, size_t n_units, const char *what,
		  uint64_t *ret, struct err *e)
{
	const char *end;
	uint64_t v;

	if (!take_digits(s, &v, &end))
		return err_set(e, EINVAL, "%s: '%s' does not begin with a number in range", what,
			       s);
	for (size_t i = 0; i < n_units; i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v))
			return err_set(e, ERANGE, "%s: '%s' is too large", what, s);
		*ret = v;
		return 0;
	}
	if (v == 0 && *end == '\0') {
		*ret = 0;
		return 0;
	}
	return err_set(e, EINVAL, "%s: unknown unit '%s' in '%s'", what, end, s);
}

int str_to_bytes(const char *s, const char *what, uint64_t *ret_bytes, struct err *e)
{
	static const struct unit units[] = {
		{"",  1                },
		{"K", UINT64_C(1) << 10},
		{"M", UINT64_C(1) << 20},
		{"G", UINT64_C(1) << 30}
        };

	return scaled(s, units, ARRAY_SIZE(units), what, ret_bytes, e);
}

int str_to_us(const char *s, const char *what, uint64_t *ret_us, struct err *e)
{
	static const struct unit units[] = {
		{"us", 1                   },
		{"ms", 1000                },
		{"s",  UINT64_C(1000000)   },
		{"m",  UINT64_C(60000000)  },
		{"h",  UINT64_C(3600000000)}
        };

	return scaled(s, units, ARRAY_SIZE(units), what, ret_us, e);
}

void str_hex(const void *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[b[i] >> 4];
		*out++ = digits[b[i] & 15];
	}
	*out = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool str_unhex(const char *hex, void *out, size_t n)
{
	unsigned char *o = out;

	if (strlen(hex) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		o[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

bool str_copy(char *out, size_t size, const char *s)
{
	size_t n = strlen(s);

	if (n >= size) {
		out[0] = '\0';
		return false;
	}
	memcpy(out, s, n + 1);
	return true;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

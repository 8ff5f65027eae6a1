#include "runtimed/fnctl/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *data, size_t n, struct buf *out)
{
	const uint8_t *p = data;
	char *to = buf_reserve(out, (n + 2) / 3 * 4);

	if (!to)
		return;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t b = i + 1 < n ? p[i + 1] : 0, c = i + 2 < n ? p[i + 2] : 0;
		uint32_t word = (uint32_t)p[i] << 16 | b << 8 | c;

		*to++ = alphabet[word >> 18];
		*to++ = alphabet[word >> 12 & 63];
		*to++ = i + 1 < n ? alphabet[word >> 6 & 63] : '=';
		*to++ = i + 2 < n ? alphabet[word & 63] : '=';
	}
	buf_commit(out, (n + 2) / 3 * 4);
}

void base64_decode(const char *text, struct buf *out)
{
	uint32_t word = 0;
	unsigned n_bits = 0;
	const char *at;

	for (; *text && (at = strchr(alphabet, *text)); text++) {
		word = word << 6 | (uint32_t)(at - alphabet);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			buf_putc(out, (char)(word >> n_bits & 255));
		}
	}
}

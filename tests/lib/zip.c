#include "tests/lib/zip.h"

#include <check.h>
#include <string.h>
#include <sys/stat.h>

#define ZIP_BYTES_MAX (64 << 20)
#define MADE_BY_UNIX  0x0314

static void put16(struct buf *b, unsigned v)
{
	buf_putc(b, (char)(v & 0xff));
	buf_putc(b, (char)(v >> 8 & 0xff));
}

static void put32(struct buf *b, uint32_t v)
{
	put16(b, v & 0xffff);
	put16(b, v >> 16);
}

static uint32_t crc32_add(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int k = 0; k < 8; k++)
		crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	return crc;
}

static uint32_t crc32_of(const char *s, size_t n, size_t zeros)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++)
		crc = crc32_add(crc, (uint8_t)s[i]);
	for (size_t i = 0; i < zeros; i++)
		crc = crc32_add(crc, 0);
	return ~crc;
}

struct bits {
	struct buf *out;
	unsigned acc, n;
};

static void put_bits(struct bits *b, unsigned v, unsigned n)
{
	b->acc |= v << b->n;
	for (b->n += n; b->n >= 8; b->n -= 8, b->acc >>= 8)
		buf_putc(b->out, (char)(b->acc & 0xff));
}

/*
 * n zeros as one deflate block of the fixed codes (RFC 1951, 3.2.6): the literal 0, then matches of length
 * 258 at distance 1 (13 bits each, so about 158 to 1), then literals. Codes go most significant bit first.
 */
static void put_zeros(struct buf *out, size_t n)
{
	struct bits b = {.out = out};

	put_bits(&b, 1 | 1 << 1, 3);
	put_bits(&b, 0x0c, 8); /* literal 0: 00110000 */
	n--;
	for (; n >= 258; n -= 258) {
		put_bits(&b, 0xa3, 8); /* length 258: 11000101 */
		put_bits(&b, 0, 5);    /* distance 1 */
	}
	while (n-- > 0)
		put_bits(&b, 0x0c, 8);
	put_bits(&b, 0, 7); /* end of block */
	put_bits(&b, 0, 7); /* to a whole byte */
}

void zip_init(struct zip *z)
{
	*z = (struct zip){.n_entries = 0};
	buf_init(&z->out, ZIP_BYTES_MAX);
	buf_init(&z->central, ZIP_BYTES_MAX);
}

void zip_fini(struct zip *z)
{
	buf_fini(&z->out);
	buf_fini(&z->central);
}

struct header {
	unsigned flags, method;
	uint32_t crc, packed, unpacked;
	size_t n_name;
};

/* What local and central headers share, from "version needed" to the length of the extra field. */
static void put_header(struct buf *b, const struct header *h)
{
	put16(b, 20);
	put16(b, h->flags);
	put16(b, h->method);
	put32(b, 0x21 << 16); /* 1980-01-01 00:00 */
	put32(b, h->crc);
	put32(b, h->packed);
	put32(b, h->unpacked);
	put16(b, (unsigned)h->n_name);
	put16(b, 0);
}

void zip_add(struct zip *z, const struct zip_entry *entry)
{
	const char *text = entry->text && !entry->zeros_bytes ? entry->text : "";
	size_t n_text = strlen(text), n_name = strlen(entry->name);
	uint32_t is_dir = n_name > 0 && entry->name[n_name - 1] == '/', at = (uint32_t)z->out.len;
	uint32_t mode = entry->mode ? entry->mode : is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	struct buf body;
	struct header h = {
		.flags = entry->flags,
		.method = entry->zeros_bytes ? 8 : entry->method,
		.crc = crc32_of(text, n_text, entry->zeros_bytes) ^ entry->crc_xor,
		.unpacked = (uint32_t)n_text + entry->zeros_bytes + entry->size_more,
		.n_name = n_name,
	};

	buf_init(&body, ZIP_BYTES_MAX);
	if (entry->zeros_bytes)
		put_zeros(&body, entry->zeros_bytes);
	else
		buf_append(&body, text, n_text);
	h.packed = (uint32_t)body.len;
	put32(&z->out, 0x04034b50);
	put_header(&z->out, &h);
	buf_append(&z->out, entry->name, n_name);
	buf_append(&z->out, body.data, body.len);
	put32(&z->central, 0x02014b50);
	put16(&z->central, MADE_BY_UNIX);
	put_header(&z->central, &h);
	put16(&z->central, 0);
	put32(&z->central, 0);
	put32(&z->central, mode << 16 | (is_dir ? 0x10 : 0));
	put32(&z->central, at);
	buf_append(&z->central, entry->name, n_name);
	ck_assert(!buf_failed(&body));
	buf_fini(&body);
	z->n_entries++;
}

void zip_finish(struct zip *z)
{
	uint32_t at = (uint32_t)z->out.len;

	buf_append(&z->out, z->central.data, z->central.len);
	put32(&z->out, 0x06054b50);
	put32(&z->out, 0);
	put16(&z->out, z->n_entries);
	put16(&z->out, z->n_entries);
	put32(&z->out, (uint32_t)z->central.len);
	put32(&z->out, at);
	put16(&z->out, 0);
	ck_assert(!buf_failed(&z->out) && !buf_failed(&z->central));
}

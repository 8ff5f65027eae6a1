/*
 * Zip archives as bytes, good and bad: for tests of whatever reads them. Contents are stored, not packed,
 * except by zip_zeros(), which makes a deflated file.
 *
 *	struct zip z;
 *	zip_init(&z);
 *	zip_add(&z, &(struct zip_entry){.name = "app.py", .text = "x = 1\n"});
 *	zip_finish(&z);          // z.out.data, z.out.len
 *	zip_fini(&z);
 */
#ifndef TESTS_ZIP_H
#define TESTS_ZIP_H

#include <stdint.h>

#include "base/buf.h"

#define ZIP_FLAG_ENCRYPTED 0x0001
#define ZIP_FLAG_UTF8      0x0800

struct zip_entry {
	const char *name;
	const char *text; /* content; NULL = empty */
	uint32_t mode;    /* st_mode; 0 = regular file 0644, directory 0755 if name ends with '/' */
	uint16_t flags;   /* ZIP_FLAG_* */
	uint16_t method;  /* what the headers say: 0 stored, 8 deflated, ... */
	uint32_t crc_xor; /* damage */
	uint32_t size_more;   /* unpacked size in both headers: so much too large */
	uint32_t zeros_bytes; /* content: so many zeros, deflated; text is ignored */
};

struct zip {
	struct buf out, central;
	unsigned n_entries;
};

void zip_init(struct zip *z);
void zip_fini(struct zip *z);
void zip_add(struct zip *z, const struct zip_entry *entry);
void zip_finish(struct zip *z); /* the central directory; aborts the test when memory ran out */

#endif

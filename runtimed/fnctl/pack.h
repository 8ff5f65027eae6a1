/*
 * The code of a function as one zip file in memory.
 *
 * A directory is packed so that the same files give the same bytes, whoever packs them and when: entries
 * in name order, no times, no owners, modes 0644 or 0755. Left out are __pycache__, .git and what is no
 * file, directory or link. A file is taken as it is, if it looks like a zip.
 */
#ifndef FNCTL_PACK_H
#define FNCTL_PACK_H

#include "base/buf.h"
#include "base/err.h"

/* What the daemon takes; checked here as well, to refuse before anything is sent. */
#define PACK_PACKED_MAX_BYTES   (50 << 20)
#define PACK_UNPACKED_MAX_BYTES (250 << 20)
#define PACK_ENTRIES_MAX        100000

/* Append the zip of path to out, a buffer of PACK_PACKED_MAX_BYTES. The error names the file. */
int pack_code(const char *path, struct buf *out, struct err *e);

#endif

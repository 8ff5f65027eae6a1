/* Base64, the standard alphabet with padding: packages in JSON, log tails in headers. */
#ifndef FNCTL_BASE64_H
#define FNCTL_BASE64_H

#include <stddef.h>

#include "base/buf.h"

/* Append the encoded bytes to out. */
void base64_encode(const void *data, size_t n, struct buf *out);

/* Append what text decodes to; decoding ends at the first byte that is not of the alphabet. */
void base64_decode(const char *text, struct buf *out);

#endif

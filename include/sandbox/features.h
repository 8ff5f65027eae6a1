/*
 * What this runtime makes of a config.json, whatever the host has: the "features document" of the runtime
 * specification. Lists are the tables the parser itself reads; whether a member is honoured is found out by
 * giving the parser a config with it. So it cannot promise what the parser refuses.
 */
#ifndef SANDBOX_FEATURES_H
#define SANDBOX_FEATURES_H

#include "base/buf.h"
#include "base/err.h"

#define SBX_FEATURES_BYTES (64 << 10)

/* Append the document, indented, with these versions of the specification and of this program. */
int sbx_features_json(const char *oci_version, const char *version, struct buf *out, struct err *e);

#endif

/*
 * User and group ids from a command line.
 *
 * Only canonical decimal numbers are ids: no sign, no blank, no leading zero, no "0x", no name. What a
 * container's own /etc/passwd says about a name is the container's word, so names are not looked up. An empty
 * part is an error, never 0 (CVE-2026-30892), and so is 4294967295, which means "leave it" to the kernel.
 */
#ifndef SANDBOX_USER_H
#define SANDBOX_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define USER_ID_MAX (UINT32_MAX - 1)

struct user_ids {
	uint32_t uid, gid;
	bool has_gid;
};

/* "UID" or "UID:GID". Without GID gid stays as it is. */
int user_parse(const char *text, struct user_ids *ret, struct err *e);

/* One id; what names it in the error. */
int user_parse_id(const char *text, const char *what, uint32_t *ret, struct err *e);

#endif

/*
 * AWS Signature Version 4, the verifying side, for service "lambda". Pure but for a cache of one signing
 * key, which saves four HMACs a request.
 *
 * A request is signed by its Authorization header or, presigned, by its query. All x-amz-* headers and
 * Host must be among the signed ones. Session tokens are refused: there are only long-lived keys.
 */
#ifndef RUNTIMED_SIGV4_H
#define RUNTIMED_SIGV4_H

#include <stdint.h>

#include "base/err.h"
#include "runtimed/http.h"

#define SIGV4_KEY_ID_MAX    128
#define SIGV4_SECRET_MAX    128
#define SIGV4_SKEW_MAX_S    900
#define SIGV4_EXPIRES_MAX_S 604800

struct sigv4_key {
	char id[SIGV4_KEY_ID_MAX + 1];
	char secret[SIGV4_SECRET_MAX + 1];
};

/* Read the root key: "ID\nSECRET\n". fd is borrowed, read from offset 0. */
int sigv4_key_read(int fd, struct sigv4_key *ret, struct err *e);

struct sigv4; /* OpenSSL's algorithms, fetched once, and the cache */

int sigv4_new(struct sigv4 **ret, struct err *e);
void sigv4_free(struct sigv4 *s); /* NULL is fine */

/* Why a request is not let in; e holds the text for the client. */
enum sigv4_outcome {
	SIGV4_E_MISSING = 1,   /* not signed at all */
	SIGV4_E_INCOMPLETE,    /* signed in a form that is not understood */
	SIGV4_E_UNKNOWN_KEY,   /* or a session token */
	SIGV4_E_EXPIRED,       /* date too far from ours, presigned time over */
	SIGV4_E_BAD_SIGNATURE, /* or a body that does not have the hash that was signed */
};

/*
 * Check a whole request against one key. wall_us is now. Returns 0, one of sigv4_outcome, or -EIO when
 * OpenSSL fails.
 */
int sigv4_check(struct sigv4 *s, const struct sigv4_key *key, const struct http_request *req,
		uint64_t wall_us, struct err *e);

#endif

/*
 * The texts of SigV4: who claims to have signed, and what. Pure; private to sigv4.c.
 */
#ifndef RUNTIMED_SIGV4_TEXT_H
#define RUNTIMED_SIGV4_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "runtimed/http.h"
#include "runtimed/sigv4.h"

#define SIGV4_SCOPE_MAX   255
#define SIGV4_SIGNED_MAX  2047
#define SIGV4_HEX_LEN     64
#define SIGV4_TEXT_MAX    (128u << 10) /* a canonical request: everything in it is bounded by HTTP_* */
#define SIGV4_QUERIES_MAX 128

/* What a request says about its signature, by header or by query. */
struct sigv4_claim {
	char key_id[SIGV4_KEY_ID_MAX + 1];
	char scope[SIGV4_SCOPE_MAX + 1]; /* "20261121/local-1/lambda/aws4_request" */
	char date[8 + 1];                /* the scope's parts */
	char region[64 + 1];
	char time[16 + 1];                         /* "20261121T070457Z" */
	char signed_headers[SIGV4_SIGNED_MAX + 1]; /* "host;x-amz-date" */
	char signature[SIGV4_HEX_LEN + 1];
	bool has_token;     /* a session token came along */
	uint64_t wall_s;    /* time */
	uint64_t expires_s; /* presigned: valid so long; else 0 */
	bool is_presigned;
};

/* 0, SIGV4_E_MISSING or SIGV4_E_INCOMPLETE with the reason in e. */
int sigv4_claim_read(const struct http_request *req, struct sigv4_claim *ret, struct err *e);

/*
 * The canonical request, with payload_hash as given. 0, or SIGV4_E_INCOMPLETE: a header is signed and not
 * there, or there and not signed. out fails when out of memory.
 */
int sigv4_canonical(const struct http_request *req, const struct sigv4_claim *claim,
		    const char *payload_hash, struct buf *out, struct err *e);

#endif

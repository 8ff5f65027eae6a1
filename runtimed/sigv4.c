/* Verifying SigV4: see runtimed/sigv4.h. */
#include "runtimed/sigv4.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/file.h"
#include "base/str.h"
#include "runtimed/sigv4_text.h"

#define HASH_LEN 32

struct sigv4 {
	EVP_MAC *mac;
	EVP_MAC_CTX *hmac; /* knows its digest; each use sets the key */
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
	/* The signing key of the last request: the same for all of one day and region. */
	char cached_date[8 + 1], cached_region[64 + 1], cached_secret[SIGV4_SECRET_MAX + 1];
	uint8_t cached[HASH_LEN];
};

int sigv4_key_read(int fd, struct sigv4_key *ret, struct err *e)
{
	char text[sizeof(*ret) + 2];
	struct sigv4_key key;
	char *rest = text;
	const char *id, *secret;

	if (file_pread(fd, text, sizeof(text)) < 0)
		return err_errno(e, "read the root key");
	id = strsep(&rest, "\n");
	secret = strsep(&rest, "\n");
	if (!secret || !*id || !*secret || !str_copy(key.id, sizeof(key.id), id) ||
	    !str_copy(key.secret, sizeof(key.secret), secret))
		return err_set(e, EINVAL, "root key: not two lines, name and secret");
	*ret = key;
	return 0;
}

int sigv4_new(struct sigv4 **ret, struct err *e)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_end(),
	};
	struct sigv4 *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	s->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->hmac = s->mac ? EVP_MAC_CTX_new(s->mac) : NULL;
	s->digest = EVP_MD_CTX_new();
	if (!s->sha256 || !s->digest || !s->hmac || !EVP_MAC_CTX_set_params(s->hmac, params)) {
		sigv4_free(s);
		return err_set(e, EIO, "OpenSSL offers no HMAC-SHA256");
	}
	*ret = s;
	return 0;
}

void sigv4_free(struct sigv4 *s)
{
	if (!s)
		return;
	EVP_MAC_CTX_free(s->hmac);
	EVP_MAC_free(s->mac);
	EVP_MD_CTX_free(s->digest);
	EVP_MD_free(s->sha256);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

static int hash_hex(struct sigv4 *s, const void *data, size_t n, char out[SIGV4_HEX_LEN + 1],
		    struct err *e)
{
	uint8_t hash[HASH_LEN];

	if (!EVP_DigestInit_ex2(s->digest, s->sha256, NULL) ||
	    !EVP_DigestUpdate(s->digest, data, n) || !EVP_DigestFinal_ex(s->digest, hash, NULL))
		return err_set(e, EIO, "OpenSSL: SHA-256 failed");
	str_hex(hash, HASH_LEN, out);
	return 0;
}

static int hmac(struct sigv4 *s, const void *key, size_t n_key, const char *text,
		uint8_t out[HASH_LEN], struct err *e)
{
	size_t n;

	if (!EVP_MAC_init(s->hmac, key, n_key, NULL) ||
	    !EVP_MAC_update(s->hmac, (const uint8_t *)text, strlen(text)) ||
	    !EVP_MAC_final(s->hmac, out, &n, HASH_LEN))
		return err_set(e, EIO, "OpenSSL: HMAC failed");
	return 0;
}

/* HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request") */
static int signing_key(struct sigv4 *s, const char *secret, const struct sigv4_claim *c,
		       struct err *e)
{
	const char *const rest[] = {c->region, "lambda", "aws4_request"};
	char first[4 + SIGV4_SECRET_MAX + 1] = "AWS4";
	int r;

	if (str_is(s->cached_date, c->date) && str_is(s->cached_region, c->region) &&
	    str_is(s->cached_secret, secret))
		return 0;
	s->cached_date[0] = '\0';
	str_copy(first + 4, sizeof(first) - 4, secret);
	r = hmac(s, first, strlen(first), c->date, s->cached, e);
	for (size_t i = 0; r == 0 && i < 3; i++)
		r = hmac(s, s->cached, HASH_LEN, rest[i], s->cached, e);
	OPENSSL_cleanse(first, sizeof(first));
	if (r < 0)
		return r;
	str_copy(s->cached_date, sizeof(s->cached_date), c->date);
	str_copy(s->cached_region, sizeof(s->cached_region), c->region);
	str_copy(s->cached_secret, sizeof(s->cached_secret), secret);
	return 0;
}

static int deny(struct err *e, enum sigv4_outcome outcome, const char *why)
{
	err_set(e, EACCES, "%s", why);
	return outcome;
}

static int check_time(const struct sigv4_claim *c, uint64_t wall_us, struct err *e)
{
	uint64_t now_s = wall_us / CLK_US_PER_SEC;
	uint64_t valid_s = c->is_presigned ? c->expires_s : SIGV4_SKEW_MAX_S;

	if (c->wall_s > now_s + SIGV4_SKEW_MAX_S)
		return deny(e, SIGV4_E_EXPIRED, "Signature not yet current: clocks differ");
	if (now_s > c->wall_s + valid_s)
		return deny(e, SIGV4_E_EXPIRED, "Signature expired, or clocks differ");
	return 0;
}

/*
 * The hash the client signed for its body. When it names one in a header, that header is signed, and is
 * compared with the body here.
 */
static int payload_hash(struct sigv4 *s, const struct http_request *req,
			char out[SIGV4_HEX_LEN + 1], struct err *e)
{
	const char *claimed = http_header(req, "x-amz-content-sha256");
	int r;

	if (claimed && str_is(claimed, "UNSIGNED-PAYLOAD")) {
		str_copy(out, SIGV4_HEX_LEN + 1, claimed);
		return 0;
	}
	r = hash_hex(s, req->body.data ? req->body.data : "", req->body.len, out, e);
	if (r == 0 && claimed && !str_is(claimed, out))
		return deny(e, SIGV4_E_BAD_SIGNATURE,
			    "x-amz-content-sha256 is not the hash of the body");
	return r;
}

static int check_signature(struct sigv4 *s, const struct sigv4_key *key,
			   const struct http_request *req, const struct sigv4_claim *c,
			   struct err *e)
{
	_cleanup_buf_ struct buf canonical;
	char hash[SIGV4_HEX_LEN + 1], text[SIGV4_SCOPE_MAX + 2 * SIGV4_HEX_LEN];
	char expected[SIGV4_HEX_LEN + 1];
	uint8_t mac[HASH_LEN];
	int r;

	buf_init(&canonical, SIGV4_TEXT_MAX);
	r = payload_hash(s, req, hash, e);
	if (r == 0)
		r = sigv4_canonical(req, c, hash, &canonical, e);
	if (r == 0 && buf_failed(&canonical))
		r = err_set(e, ENOMEM, "canonical request: out of memory");
	if (r == 0)
		r = hash_hex(s, canonical.data, canonical.len, hash, e);
	if (r == 0)
		r = signing_key(s, key->secret, c, e);
	if (r)
		return r;
	snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s\n%s", c->time, c->scope, hash);
	if (hmac(s, s->cached, HASH_LEN, text, mac, e) < 0)
		return -e->code;
	str_hex(mac, HASH_LEN, expected);
	if (strlen(c->signature) != SIGV4_HEX_LEN ||
	    CRYPTO_memcmp(expected, c->signature, SIGV4_HEX_LEN) != 0)
		return deny(e, SIGV4_E_BAD_SIGNATURE,
			    "The signature is not the one we calculate from the request");
	return 0;
}

int sigv4_check(struct sigv4 *s, const struct sigv4_key *key, const struct http_request *req,
		uint64_t wall_us, struct err *e)
{
	struct sigv4_claim claim;
	int r = sigv4_claim_read(req, &claim, e);

	if (r)
		return r;
	if (!str_is(claim.key_id, key->id))
		return deny(e, SIGV4_E_UNKNOWN_KEY,
			    "The security token included in the request is invalid");
	if (claim.has_token)
		return deny(e, SIGV4_E_UNKNOWN_KEY, "session tokens are not known here");
	r = check_time(&claim, wall_us, e);
	return r ? r : check_signature(s, key, req, &claim, e);
}

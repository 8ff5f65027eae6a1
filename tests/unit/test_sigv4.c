/*
 * SigV4: signatures that real clients made (awscli 2.9, boto3 1.26), and everything that must not pass.
 * Key AKIDTEST, secret SECRETTEST, Host 127.0.0.1:19001, region us-east-1.
 */
#include "tests/lib/harness.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clk.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/sigv4.h"
#include "runtimed/sigv4_text.h"

#define HOST  "Host: 127.0.0.1:19001\r\n"
#define CRED  "AWS4-HMAC-SHA256 Credential=AKIDTEST/20261121/us-east-1/lambda/aws4_request, "
#define LIST  "GET /2015-03-31/functions/ HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T070457Z\r\n"
#define LISTS "0083c0a3019c07761ca713c8202eda724fa56dd27aa31869618e53269347a4bc"
#define SIGN(headers, signature)                                                                   \
	"Authorization: " CRED "SignedHeaders=" headers ", Signature=" signature "\r\n\r\n"

static const struct sigv4_key key = {"AKIDTEST", "SECRETTEST"};

/* Parse, check at the given time; the outcome. */
static int check_at(const char *text, uint64_t wall_s, struct err *e)
{
	struct sigv4 *s = NULL;
	struct http h;
	size_t used, more;
	int r;

	http_init(&h);
	ck_assert_int_eq(http_feed(&h, text, strlen(text), &used, e), HTTP_GOT_HEAD);
	h.body_max = 1000;
	ck_assert_int_eq(http_feed(&h, text + used, strlen(text) - used, &more, e), HTTP_GOT_ALL);
	ck_ok(sigv4_new(&s, e), e);
	r = sigv4_check(s, &key, &h.req, wall_s * CLK_US_PER_SEC, e);
	ck_assert_msg(r == sigv4_check(s, &key, &h.req, wall_s * CLK_US_PER_SEC, e),
		      "the cached key says the same");
	sigv4_free(s);
	http_fini(&h);
	return r;
}

static uint64_t at(const char *time)
{
	struct tm tm = {0};

	strptime(time, "%Y%m%dT%H%M%SZ", &tm);
	return (uint64_t)timegm(&tm);
}

/* clang-format off */
static const struct {
	const char *name, *text;
	const char *canonical_sha256; /* NULL = not known */
} vectors[] = {
	{"list", LIST SIGN("host;x-amz-date", LISTS),
	  "ae119209d5ef9e0fef3dd517078cc918d0ad7c0e941cb714165e2c769966ec88"},
	{"an ARN in the path is encoded twice",
	  "POST /2015-03-31/functions/"
	  "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello%3Aprod/invocations "
	  "HTTP/1.1\r\n" HOST "X-Amz-Client-Context: eyJhIjoxfQo=\r\n"
	  "X-Amz-Date: 20261121T070504Z\r\n"
	  SIGN("host;x-amz-client-context;x-amz-date",
	       "b9dc23913febea6c80a356575a48173c167d4b031dff218a1d6ab04771edcfc0"),
	  "c01bf110de6c4e2d54aa6d9a29572b7dafa92add33b92b924b6fd657e9f75738"},
	{"a query is decoded and encoded",
	  "POST /2015-03-31/functions/hello/invocations?Qualifier=%24LATEST HTTP/1.1\r\n" HOST
	  "X-Amz-Date: 20261121T070502Z\r\nX-Amz-Invocation-Type: Event\r\n"
	  SIGN("host;x-amz-date;x-amz-invocation-type",
	       "30b23658138129f6e6ec230ab342cb75c9ae1f429bef3c7d8dad9af62a23f5c9"),
	  NULL},
	{"blanks in values, order of headers and parts do not matter",
	  "GET /2015-03-31/functions/ HTTP/1.1\r\nX-Amz-Date:   20261121T070457Z  \r\n"
	  "Authorization: AWS4-HMAC-SHA256 Signature=" LISTS ",SignedHeaders=host;x-amz-date,"
	  "Credential=AKIDTEST/20261121/us-east-1/lambda/aws4_request\r\n" HOST "\r\n",
	  "ae119209d5ef9e0fef3dd517078cc918d0ad7c0e941cb714165e2c769966ec88"},
};
/* clang-format on */

START_TEST(signature_of_a_real_client_passes)
{
	struct err e = ERR_INIT;

	ck_assert_msg(check_at(vectors[_i].text, at("20261121T070500Z"), &e) == 0, "%s: %s",
		      vectors[_i].name, e.text);
}
END_TEST

START_TEST(canonical_request_is_the_clients)
{
	struct sigv4_claim claim;
	_cleanup_buf_ struct buf text;
	struct err e = ERR_INIT;
	struct http h;
	unsigned char hash[32];
	char hex[65], empty[65];
	size_t used;

	buf_init(&text, 1 << 20);
	if (!vectors[_i].canonical_sha256)
		return;
	http_init(&h);
	ck_assert_int_eq(http_feed(&h, vectors[_i].text, strlen(vectors[_i].text), &used, &e),
			 HTTP_GOT_HEAD);
	ck_ok(sigv4_claim_read(&h.req, &claim, &e), &e);
	EVP_Digest("", 0, hash, NULL, EVP_sha256(), NULL);
	str_hex(hash, 32, empty);
	ck_ok(sigv4_canonical(&h.req, &claim, empty, &text, &e), &e);
	EVP_Digest(text.data, text.len, hash, NULL, EVP_sha256(), NULL);
	str_hex(hash, 32, hex);
	ck_assert_msg(str_is(hex, vectors[_i].canonical_sha256), "%s:\n%s", vectors[_i].name,
		      text.data);
	http_fini(&h);
}
END_TEST

/* clang-format off */
static const struct {
	const char *name, *text, *time; /* time NULL = in good time */
	int outcome;
} refused[] = {
	{"unsigned", LIST "\r\n", NULL, SIGV4_E_MISSING},
	{"another scheme", LIST "Authorization: Basic eDp5\r\n\r\n", NULL, SIGV4_E_INCOMPLETE},
	{"no signature", LIST "Authorization: " CRED "SignedHeaders=host;x-amz-date\r\n\r\n", NULL,
	  SIGV4_E_INCOMPLETE},
	{"one digit differs", LIST SIGN("host;x-amz-date", "1083c0a3019c07761ca713c8202eda724fa56dd27aa31869618e53269347a4bc"), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"cut", LIST SIGN("host;x-amz-date", "0083c0"), NULL, SIGV4_E_BAD_SIGNATURE},
	{"in capitals", LIST SIGN("host;x-amz-date", "0083C0A3019C07761CA713C8202EDA724FA56DD27AA31869618E53269347A4BC"), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"another method", "PUT /2015-03-31/functions/ HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T070457Z\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"another path", "GET /2015-03-31/functions HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T070457Z\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"another query", "GET /2015-03-31/functions/?a HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T070457Z\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"another host", "GET /2015-03-31/functions/ HTTP/1.1\r\nHost: evil\r\nX-Amz-Date: 20261121T070457Z\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"another body", "GET /2015-03-31/functions/ HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T070457Z\r\nContent-Length: 1\r\n" SIGN("host;x-amz-date", LISTS) "x", NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"a header added", LIST "X-Amz-Invocation-Type: Event\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_INCOMPLETE},
	{"host is not signed", LIST SIGN("x-amz-date", LISTS), NULL, SIGV4_E_INCOMPLETE},
	{"a signed header is not there", LIST SIGN("host;x-amz-date;x-other", LISTS), NULL,
	  SIGV4_E_INCOMPLETE},
	{"a body hash that is not the body's", LIST "X-Amz-Content-Sha256: 00\r\n" SIGN("host;x-amz-content-sha256;x-amz-date", LISTS), NULL,
	  SIGV4_E_BAD_SIGNATURE},
	{"a session token", LIST "X-Amz-Security-Token: t\r\n" SIGN("host;x-amz-date;x-amz-security-token", LISTS), NULL,
	  SIGV4_E_UNKNOWN_KEY},
	{"an unknown key", LIST "Authorization: AWS4-HMAC-SHA256 Credential=OTHER/20261121/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" LISTS "\r\n\r\n", NULL,
	  SIGV4_E_UNKNOWN_KEY},
	{"another service", LIST "Authorization: AWS4-HMAC-SHA256 Credential=AKIDTEST/20261121/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=" LISTS "\r\n\r\n", NULL,
	  SIGV4_E_INCOMPLETE},
	{"another day", LIST "Authorization: AWS4-HMAC-SHA256 Credential=AKIDTEST/20261122/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=" LISTS "\r\n\r\n", NULL,
	  SIGV4_E_INCOMPLETE},
	{"a date that is none", "GET / HTTP/1.1\r\n" HOST "X-Amz-Date: 20261121T0704\r\n" SIGN("host;x-amz-date", LISTS), NULL,
	  SIGV4_E_INCOMPLETE},
	{"too old", LIST SIGN("host;x-amz-date", LISTS), "20261121T071958Z", SIGV4_E_EXPIRED},
	{"just in time", LIST SIGN("host;x-amz-date", LISTS), "20261121T071957Z", 0},
	{"from the future", LIST SIGN("host;x-amz-date", LISTS), "20261121T064956Z", SIGV4_E_EXPIRED},
	{"from the near future", LIST SIGN("host;x-amz-date", LISTS), "20261121T064957Z", 0},
};
/* clang-format on */

START_TEST(anything_else_is_refused)
{
	struct err e = ERR_INIT;
	int r = check_at(refused[_i].text,
			 at(refused[_i].time ? refused[_i].time : "20261121T070500Z"), &e);

	ck_assert_msg(r == refused[_i].outcome, "%s: %d: %s", refused[_i].name, r, e.text);
}
END_TEST

/* Made by boto3 1.26: generate_presigned_url('list_functions', ExpiresIn=60) */
#define PRESIGNED                                                                                  \
	"GET /2015-03-31/functions/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="            \
	"AKIDTEST%2F20261121%2Fus-east-1%2Flambda%2Faws4_request&X-Amz-Date=20261121T070457Z&"     \
	"X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature="                               \
	"ccc3b5d833c4a578d2f8e36adbd158ca01199064532a24dd9f03b8d3282278ef HTTP/1.1\r\n" HOST       \
	"\r\n"

START_TEST(presigned_url_is_good_for_its_time)
{
	struct err e = ERR_INIT;

	ck_assert_msg(check_at(PRESIGNED, at("20261121T070557Z"), &e) == 0, "%s", e.text);
	ck_assert_int_eq(check_at(PRESIGNED, at("20261121T070558Z"), &e), SIGV4_E_EXPIRED);
}
END_TEST

START_TEST(root_key_is_two_lines)
{
	struct sigv4_key k;
	struct err e = ERR_INIT;
	_cleanup_fd_ int fd = memfd_create("key", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, "AKID\nSECRET\n", 12), 12);
	ck_ok(sigv4_key_read(fd, &k, &e), &e);
	ck_assert_str_eq(k.id, "AKID");
	ck_assert_str_eq(k.secret, "SECRET");
	ck_assert_int_eq(ftruncate(fd, 5), 0);
	ck_assert_int_eq(sigv4_key_read(fd, &k, &e), -EINVAL);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(sigv4_key_read(fd, &k, &e), -EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("sigv4");
	TCase *t = tcase_create("sigv4");

	tcase_add_loop_test(t, signature_of_a_real_client_passes, 0, ARRAY_SIZE(vectors));
	tcase_add_loop_test(t, canonical_request_is_the_clients, 0, ARRAY_SIZE(vectors));
	tcase_add_loop_test(t, anything_else_is_refused, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, presigned_url_is_good_for_its_time);
	tcase_add_test(t, root_key_is_two_lines);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

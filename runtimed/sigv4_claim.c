/* Who claims to have signed a request: the Authorization header, or the query of a presigned one. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/route.h"
#include "runtimed/sigv4_text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

static int incomplete(struct err *e, const char *what)
{
	err_set(e, EACCES, "%s", what);
	return SIGV4_E_INCOMPLETE;
}

/* n bytes at s as a string; false when they do not fit. */
static bool copy_n(char *out, size_t size, const char *s, size_t n)
{
	if (n >= size)
		return false;
	memcpy(out, s, n);
	out[n] = '\0';
	return true;
}

/* "KEY/20261121/REGION/lambda/aws4_request" */
static int read_credential(const char *s, size_t n, struct sigv4_claim *c, struct err *e)
{
	char text[SIGV4_KEY_ID_MAX + SIGV4_SCOPE_MAX + 2], *rest = text, *part[5];
	const char *slash = memchr(s, '/', n);

	if (!slash || !copy_n(text, sizeof(text), s, n) ||
	    !copy_n(c->scope, sizeof(c->scope), slash + 1, (size_t)(s + n - slash - 1)))
		return incomplete(e, "Credential is not KEY/date/region/lambda/aws4_request");
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		part[i] = strsep(&rest, "/");
	if (rest || !part[4] || !str_is(part[4], "aws4_request") || !str_is(part[3], "lambda") ||
	    !str_copy(c->key_id, sizeof(c->key_id), part[0]) || strlen(part[1]) != 8 ||
	    !str_copy(c->date, sizeof(c->date), part[1]) ||
	    !str_copy(c->region, sizeof(c->region), part[2]))
		return incomplete(e, "Credential is not KEY/date/region/lambda/aws4_request");
	return 0;
}

/* "20261121T070457Z" -> seconds since 1970; the date must be the scope's. */
static int read_time(struct sigv4_claim *c, struct err *e)
{
	struct tm tm = {0};
	const char *end = strlen(c->time) == 16 ? strptime(c->time, "%Y%m%dT%H%M%SZ", &tm) : NULL;
	time_t t = end && !*end ? timegm(&tm) : -1;

	if (t < 0)
		return incomplete(e, "X-Amz-Date is not of the form 20261121T070457Z");
	if (strncmp(c->time, c->date, 8) != 0)
		return incomplete(e, "Credential is of another day than X-Amz-Date");
	c->wall_s = (uint64_t)t;
	return 0;
}

/* The value of "name=" in the header; parts are separated by commas and blanks, in any order. */
static const char *find_part(const char *header, const char *name, size_t *ret_n)
{
	size_t n = strlen(name);

	for (const char *at = header; *at; at += strcspn(at, ", "), at += strspn(at, ", "))
		if (strncmp(at, name, n) == 0 && at[n] == '=') {
			*ret_n = strcspn(at + n + 1, ", ");
			return at + n + 1;
		}
	return NULL;
}

static int from_header(const struct http_request *req, const char *header, struct sigv4_claim *c,
		       struct err *e)
{
	const char *parts = header + strlen(ALGORITHM), *time = http_header(req, "x-amz-date");
	const char *credential, *names, *signature;
	size_t n_credential, n_names, n_signature;

	if (strncmp(header, ALGORITHM, strlen(ALGORITHM)) != 0 || *parts != ' ')
		return incomplete(e, "Authorization is not AWS4-HMAC-SHA256");
	credential = find_part(parts + 1, "Credential", &n_credential);
	names = find_part(parts + 1, "SignedHeaders", &n_names);
	signature = find_part(parts + 1, "Signature", &n_signature);
	if (!credential || !names || !signature || !time)
		return incomplete(e,
				  "Credential, SignedHeaders, Signature and X-Amz-Date are wanted");
	if (!copy_n(c->signed_headers, sizeof(c->signed_headers), names, n_names) ||
	    !copy_n(c->signature, sizeof(c->signature), signature, n_signature) ||
	    !str_copy(c->time, sizeof(c->time), time))
		return incomplete(e, "SignedHeaders, Signature or X-Amz-Date is too long");
	c->has_token = http_header(req, "x-amz-security-token") != NULL;
	return read_credential(credential, n_credential, c, e);
}

static int from_query(const char *query, struct sigv4_claim *c, struct err *e)
{
	char algorithm[32], credential[SIGV4_KEY_ID_MAX + SIGV4_SCOPE_MAX + 2], expires[16];
	const struct {
		const char *name;
		char *out;
		size_t size;
	} rows[] = {
		{"X-Amz-Algorithm",     algorithm,         sizeof(algorithm)        },
		{"X-Amz-Credential",    credential,        sizeof(credential)       },
		{"X-Amz-Date",          c->time,           sizeof(c->time)          },
		{"X-Amz-Expires",       expires,           sizeof(expires)          },
		{"X-Amz-SignedHeaders", c->signed_headers, sizeof(c->signed_headers)},
		{"X-Amz-Signature",     c->signature,      sizeof(c->signature)     },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!route_query(query, rows[i].name, rows[i].out, rows[i].size)) {
			err_set(e, EACCES, "%s is wanted in the query", rows[i].name);
			return SIGV4_E_INCOMPLETE;
		}
	if (!str_is(algorithm, ALGORITHM))
		return incomplete(e, "X-Amz-Algorithm is not AWS4-HMAC-SHA256");
	if (str_to_u64(expires, 1, SIGV4_EXPIRES_MAX_S, "X-Amz-Expires", &c->expires_s, e) < 0)
		return SIGV4_E_INCOMPLETE;
	c->has_token = strstr(query, "X-Amz-Security-Token=") != NULL;
	c->is_presigned = true;
	return read_credential(credential, strlen(credential), c, e);
}

int sigv4_claim_read(const struct http_request *req, struct sigv4_claim *ret, struct err *e)
{
	const char *header = http_header(req, "authorization");
	int r;

	memset(ret, 0, sizeof(*ret));
	if (header) {
		r = from_header(req, header, ret, e);
	} else if (strstr(req->query, "X-Amz-Signature=")) {
		r = from_query(req->query, ret, e);
	} else {
		err_set(e, EACCES, "the request is not signed");
		return SIGV4_E_MISSING;
	}
	return r ? r : read_time(ret, e);
}

/* The canonical request of SigV4: what is hashed and signed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/route.h"
#include "runtimed/sigv4_text.h"

static const char unreserved[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

static void put_encoded(struct buf *out, const char *s, size_t n, bool keeps_slash)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if ((c && strchr(unreserved, c)) || (keeps_slash && c == '/'))
			buf_putc(out, (char)c);
		else
			buf_append(out, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
	}
}

/* Decode and encode again, so that "%7e" and "~" are the same; a lone '%' stands for itself. */
static void put_normal(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		i += route_unescape(s + i, n - i, &c) ? 2 : 0;
		put_encoded(out, &c, 1, false);
	}
}

/* Names first: '=' sorts after characters that names may contain. */
static int compare_pairs(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t n_x = strcspn(x, "="), n_y = strcspn(y, "=");
	int d = strncmp(x, y, n_x < n_y ? n_x : n_y);

	if (d == 0 && n_x != n_y)
		return n_x < n_y ? -1 : 1;
	return d ? d : strcmp(x + n_x, y + n_y);
}

/* One "name=value" into text, NUL-terminated. */
static void put_pair(struct buf *text, const char *pair, size_t n)
{
	const char *eq = memchr(pair, '=', n);
	size_t n_name = eq ? (size_t)(eq - pair) : n;

	put_normal(text, pair, n_name);
	buf_putc(text, '=');
	if (eq)
		put_normal(text, eq + 1, n - n_name - 1);
	buf_putc(text, '\0');
}

static int put_query(const char *query, bool is_presigned, struct buf *out, struct err *e)
{
	_cleanup_buf_ struct buf text;
	const char *pairs[SIGV4_QUERIES_MAX];
	size_t n_pairs = 0;

	buf_init(&text, SIGV4_TEXT_MAX);
	for (const char *at = query; *at; at += strcspn(at, "&"), at += *at == '&') {
		size_t n = strcspn(at, "&");

		if (n == 0 || (is_presigned && str_has_prefix(at, "X-Amz-Signature=")))
			continue;
		if (n_pairs++ == SIGV4_QUERIES_MAX) {
			err_set(e, EACCES, "more than %d query parameters", SIGV4_QUERIES_MAX);
			return SIGV4_E_INCOMPLETE;
		}
		put_pair(&text, at, n);
	}
	if (buf_failed(&text)) {
		out->failed = true;
		return 0;
	}
	for (size_t i = 0, at = 0; i < n_pairs; at += strlen(text.data + at) + 1)
		pairs[i++] = text.data + at;
	qsort(pairs, n_pairs, sizeof(pairs[0]), compare_pairs);
	for (size_t i = 0; i < n_pairs; i++) {
		buf_puts(out, i ? "&" : "");
		buf_puts(out, pairs[i]);
	}
	buf_putc(out, '\n');
	return 0;
}

/* A value with inner runs of spaces as one. */
static void put_value(struct buf *out, const char *value)
{
	for (; *value; value++)
		if (*value != ' ' || value[1] != ' ')
			buf_putc(out, *value);
}

/* "name:value,value\n"; false when the request has no such header. */
static bool put_header(const struct http_request *req, const char *name, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < req->n_fields; i++) {
		if (!str_is(req->fields[i].name, name))
			continue;
		buf_puts(out, n ? "," : name);
		buf_puts(out, n++ ? "" : ":");
		put_value(out, req->fields[i].value);
	}
	buf_putc(out, '\n');
	return n > 0;
}

static int put_headers(const struct http_request *req, const char *names, struct buf *out,
		       struct err *e)
{
	char list[SIGV4_SIGNED_MAX + 1], *rest = list, *name;

	str_copy(list, sizeof(list), names);
	while ((name = strsep(&rest, ";")))
		if (!put_header(req, name, out)) {
			err_set(e, EACCES, "header '%s' is signed and not there", name);
			return SIGV4_E_INCOMPLETE;
		}
	buf_putc(out, '\n');
	return 0;
}

static bool is_signed(const char *names, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = names; *at; at += strcspn(at, ";"), at += *at == ';')
		if (strncmp(at, name, n) == 0 && (at[n] == ';' || at[n] == '\0'))
			return true;
	return false;
}

/* Else somebody could add a header that means something to a request signed by another. */
static int check_signed(const struct http_request *req, const char *names, struct err *e)
{
	for (size_t i = 0; i < req->n_fields; i++) {
		const char *name = req->fields[i].name;

		if ((str_is(name, "host") || str_has_prefix(name, "x-amz-")) &&
		    !is_signed(names, name)) {
			err_set(e, EACCES, "header '%s' must be signed", name);
			return SIGV4_E_INCOMPLETE;
		}
	}
	return 0;
}

int sigv4_canonical(const struct http_request *req, const struct sigv4_claim *claim,
		    const char *payload_hash, struct buf *out, struct err *e)
{
	int r = check_signed(req, claim->signed_headers, e);

	if (r)
		return r;
	buf_printf(out, "%s\n", req->method);
	put_encoded(out, req->path, strlen(req->path), true);
	buf_putc(out, '\n');
	r = put_query(req->query, claim->is_presigned, out, e);
	if (r == 0)
		r = put_headers(req, claim->signed_headers, out, e);
	buf_printf(out, "%s\n%s", claim->signed_headers, payload_hash);
	return r;
}

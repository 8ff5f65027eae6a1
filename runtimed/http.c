/*
 * Requests out of bytes: see runtimed/http.h. The only file that knows llhttp.
 *
 * llhttp hands out pieces of names and values as they arrive; they are copied, NUL-terminated, into one
 * block per request, so pointers into it stay valid. llhttp is paused after the head and after the body:
 * what it takes for the end of a request is the end for us too, there is no second opinion.
 */
#include "runtimed/http.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Debian's header turns it off by default, and then bare CR splits requests (CVE-2023-30589). */
static_assert(LLHTTP_STRICT_MODE == 1, "llhttp must be strict");

#define BODY_FIRST_BYTES (64u << 10)

struct http_parser {
	llhttp_t ll; /* .data is the struct http */
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t target_size;
	size_t head_size; /* bytes seen before the body */
	char last[2];     /* of them: folding is "\r\n" and a blank */
	bool is_head_done;
	size_t n_text;
	const char *mark; /* body: bytes from here on are accounted for in no piece yet ... */
	size_t gap;       /* ... and so many were before this feed */
	const char *why;
	/* Copies are no longer than what arrived, as each NUL replaces a separator; and path once more. */
	char text[HTTP_BLOCK_MAX + 2 * HTTP_TARGET_MAX + 2];
};

const char *http_header(const struct http_request *req, const char *name)
{
	for (size_t i = 0; i < req->n_fields; i++)
		if (strcmp(req->fields[i].name, name) == 0)
			return req->fields[i].value;
	return NULL;
}

/* ---- callbacks: 0, or -1 after refuse() ---- */

static int refuse(struct http *h, unsigned status, const char *why)
{
	h->status = status;
	h->parser->why = why;
	return -1;
}

static int keep(struct http *h, const char *at, size_t n)
{
	struct http_parser *p = h->parser;

	if (n >= sizeof(p->text) - p->n_text)
		return refuse(h, 431, "header block too long");
	memcpy(p->text + p->n_text, at, n);
	p->n_text += n;
	return 0;
}

static int on_url(llhttp_t *ll, const char *at, size_t n)
{
	struct http *h = ll->data;

	h->parser->target_size += n;
	if (h->parser->target_size > HTTP_TARGET_MAX)
		return refuse(h, 414, "request line too long");
	return keep(h, at, n);
}

static int on_url_complete(llhttp_t *ll)
{
	struct http *h = ll->data;
	const char *target = h->parser->text;
	char *query;

	if (keep(h, "", 1) < 0)
		return -1;
	if (target[0] != '/' || strchr(target, '#'))
		return refuse(h, 400, "the target must be a path");
	h->req.target = target;
	h->req.path = h->parser->text + h->parser->n_text;
	if (keep(h, target, h->parser->target_size + 1) < 0)
		return -1;
	query = strchr(h->req.path, '?');
	h->req.query = query ? query + 1 : "";
	if (query)
		*query = '\0';
	return 0;
}

static int on_field(llhttp_t *ll, const char *at, size_t n)
{
	struct http *h = ll->data;
	struct http_parser *p = h->parser;
	size_t from = p->n_text;

	if (p->is_head_done)
		return refuse(h, 400, "trailers are not taken");
	if (h->req.n_fields == HTTP_FIELDS_MAX)
		return refuse(h, 431, "too many header fields");
	if (!p->fields[h->req.n_fields].name)
		p->fields[h->req.n_fields].name = p->text + from;
	if (keep(h, at, n) < 0)
		return -1;
	for (size_t i = from; i < p->n_text; i++)
		p->text[i] = (char)tolower((unsigned char)p->text[i]);
	return 0;
}

static int on_field_complete(llhttp_t *ll)
{
	struct http *h = ll->data;
	struct http_parser *p = h->parser;

	if (p->fields[h->req.n_fields].name == p->text + p->n_text) /* llhttp takes ": x" */
		return refuse(h, 400, "header field without a name");
	if (keep(h, "", 1) < 0)
		return -1;
	p->fields[h->req.n_fields].value = p->text + p->n_text;
	return 0;
}

static int on_value(llhttp_t *ll, const char *at, size_t n)
{
	return keep(ll->data, at, n);
}

static int on_value_complete(llhttp_t *ll)
{
	struct http *h = ll->data;
	struct http_parser *p = h->parser;
	const char *value = p->fields[h->req.n_fields].value;

	while (p->text + p->n_text > value && strchr(" \t", p->text[p->n_text - 1]))
		p->n_text--;
	h->req.n_fields++;
	return keep(h, "", 1);
}

static size_t count_fields(const struct http_request *req, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < req->n_fields; i++)
		n += strcmp(req->fields[i].name, name) == 0;
	return n;
}

static int check_transfer_encoding(struct http *h, bool is_1_0)
{
	const char *value = http_header(&h->req, "transfer-encoding");

	if (!value)
		return 0;
	if (is_1_0)
		return refuse(h, 400, "Transfer-Encoding in HTTP/1.0");
	if (count_fields(&h->req, "transfer-encoding") > 1 || strcasecmp(value, "chunked") != 0)
		return refuse(h, 400, "Transfer-Encoding other than 'chunked'");
	h->req.is_chunked = true;
	return 0;
}

static int check_expect(struct http *h, bool is_1_0)
{
	const char *value = http_header(&h->req, "expect");

	if (!value || is_1_0)
		return 0;
	if (strcasecmp(value, "100-continue") != 0)
		return refuse(h, 417, "Expect other than '100-continue'");
	h->req.expects_continue = h->req.is_chunked || h->req.content_length > 0;
	return 0;
}

static int on_headers_complete(llhttp_t *ll)
{
	struct http *h = ll->data;
	size_t n_hosts = count_fields(&h->req, "host");
	bool is_1_0 = ll->http_minor == 0;

	if (ll->http_major != 1 || ll->http_minor > 1)
		return refuse(h, 505, "HTTP/1.0 and 1.1 are spoken here");
	if (n_hosts > 1 || (n_hosts == 0 && !is_1_0))
		return refuse(h, 400, "exactly one Host is wanted");
	if (ll->method == HTTP_CONNECT)
		return refuse(h, 400, "CONNECT");
	ll->upgrade = 0; /* offered, not taken: the request is served as it stands */
	h->req.method = llhttp_method_name(ll->method);
	h->req.content_length = ll->flags & F_CONTENT_LENGTH ? ll->content_length : 0;
	h->req.is_keep_alive = !is_1_0 && llhttp_should_keep_alive(ll);
	if (check_transfer_encoding(h, is_1_0) < 0 || check_expect(h, is_1_0) < 0)
		return -1;
	return HPE_PAUSED;
}

static int check_gap(struct http *h, const char *to)
{
	struct http_parser *p = h->parser;

	p->gap += (size_t)(to - p->mark);
	p->mark = to;
	return p->gap > HTTP_GAP_MAX ? refuse(h, 400, "chunk header too long") : 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
	struct http *h = ll->data;

	if (check_gap(h, at) < 0)
		return -1;
	h->parser->gap = 0;
	h->parser->mark = at + n;
	if (n > h->body_max - h->req.body.len)
		return refuse(h, 413, "body too long");
	buf_append(&h->req.body, at, n);
	return buf_failed(&h->req.body) ? refuse(h, 500, "out of memory") : 0;
}

static int on_message_complete(llhttp_t *ll)
{
	(void)ll;
	return HPE_PAUSED;
}

/* llhttp wants it writable, and does not write. */
static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_url_complete = on_url_complete,
	.on_header_field = on_field,
	.on_header_field_complete = on_field_complete,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* ---- feeding ---- */

void http_init(struct http *h)
{
	*h = (struct http){0};
}

void http_fini(struct http *h)
{
	buf_fini(&h->req.body);
	free(h->parser);
	*h = (struct http){0};
}

void http_next(struct http *h)
{
	http_fini(h);
}

bool http_is_started(const struct http *h)
{
	return h->parser != NULL;
}

static int fail(struct http *h, llhttp_errno_t code, struct err *e)
{
	const char *why = h->parser->why;

	if (!h->status)
		h->status =
			code == HPE_INVALID_VERSION || code == HPE_PAUSED_H2_UPGRADE ? 505 : 400;
	if (!why)
		why = llhttp_get_error_reason(&h->parser->ll);
	return err_set(e, EBADMSG, "%s", why && *why ? why : llhttp_errno_name(code));
}

static int start(struct http *h, struct err *e)
{
	struct http_parser *p = malloc(sizeof(*p));

	if (!p) {
		h->status = 500;
		return err_set(e, ENOMEM, "out of memory");
	}
	memset(p, 0, offsetof(struct http_parser, text));
	llhttp_init(&p->ll, HTTP_REQUEST, &settings);
	p->ll.data = h;
	h->parser = p;
	h->req.fields = p->fields;
	return 0;
}

/* Whether a line of the head that begins with a blank is in these bytes. */
static bool has_fold(struct http_parser *p, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p->last[0] == '\r' && p->last[1] == '\n' && (data[i] == ' ' || data[i] == '\t'))
			return true;
		p->last[0] = p->last[1];
		p->last[1] = data[i];
	}
	return false;
}

/* llhttp_execute() that says how much it took. */
static llhttp_errno_t execute(struct http_parser *p, const char *data, size_t n, size_t *ret_used)
{
	llhttp_errno_t code = llhttp_execute(&p->ll, data, n);

	*ret_used = code == HPE_OK ? n : (size_t)(llhttp_get_error_pos(&p->ll) - data);
	return code;
}

static int feed_head(struct http *h, const char *data, size_t n, size_t *ret_used, struct err *e)
{
	struct http_parser *p = h->parser;
	llhttp_errno_t code = HPE_OK;
	size_t total = 0;

	while (total < n && code == HPE_OK) {
		size_t room = HTTP_BLOCK_MAX + p->target_size - p->head_size, used;

		if (room == 0) {
			refuse(h, 431, "header block too long");
			return fail(h, HPE_USER, e);
		}
		code = execute(p, data + total, n - total < room ? n - total : room, &used);
		if (has_fold(p, data + total, used)) {
			refuse(h, 400, "folded header line");
			return fail(h, HPE_USER, e);
		}
		p->head_size += used;
		total += used;
	}
	if (code != HPE_OK && code != HPE_PAUSED)
		return fail(h, code, e);
	*ret_used = total;
	p->is_head_done = code == HPE_PAUSED;
	return p->is_head_done ? HTTP_GOT_HEAD : HTTP_WANTS_MORE;
}

static int begin_body(struct http *h, struct err *e)
{
	size_t want = h->req.content_length;

	if (want > h->body_max) {
		refuse(h, 413, "body too long");
		return fail(h, HPE_USER, e);
	}
	/* What is announced is taken in one piece, but nobody gets megabytes for a promise. */
	buf_init(&h->req.body, h->body_max);
	buf_reserve(&h->req.body, want < BODY_FIRST_BYTES ? want : BODY_FIRST_BYTES);
	llhttp_resume(&h->parser->ll);
	return 0;
}

static int feed_body(struct http *h, const char *data, size_t n, size_t *ret_used, struct err *e)
{
	llhttp_errno_t code;

	*ret_used = 0;
	if (!h->req.is_chunked && h->req.content_length == 0)
		return HTTP_GOT_ALL;
	if (h->req.body.max == 0 && begin_body(h, e) < 0)
		return -e->code;
	h->parser->mark = data;
	code = execute(h->parser, data, n, ret_used);
	if ((code == HPE_OK || code == HPE_PAUSED) && check_gap(h, data + *ret_used) < 0)
		code = HPE_USER;
	if (code != HPE_OK && code != HPE_PAUSED)
		return fail(h, code, e);
	return code == HPE_PAUSED ? HTTP_GOT_ALL : HTTP_WANTS_MORE;
}

int http_feed(struct http *h, const char *data, size_t n, size_t *ret_used, struct err *e)
{
	if (!h->parser && start(h, e) < 0)
		return -e->code;
	return h->parser->is_head_done ? feed_body(h, data, n, ret_used, e)
				       : feed_head(h, data, n, ret_used, e);
}

#include "runtimed/fnctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"

int client_init(struct client *c, const char *socket, struct err *e)
{
	c->socket = socket;
	c->curl = curl_easy_init();
	if (!c->curl)
		return err_set(e, ENOMEM, "libcurl does not start");
	return 0;
}

void client_fini(struct client *c)
{
	curl_easy_cleanup(c->curl);
	c->curl = NULL;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_append(body, data, size * n);
	return buf_failed(body) ? 0 : size * n;
}

static struct curl_slist *make_headers(const struct request *rq)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *next;

	if (rq->body)
		list = (next = curl_slist_append(list, "Content-Type: application/json")) ? next
											  : list;
	if (rq->header)
		list = (next = curl_slist_append(list, rq->header)) ? next : list;
	return list;
}

static void set_options(struct client *c, const struct request *rq, struct curl_slist *headers,
			struct reply *ret)
{
	char url[CLIENT_PATH_MAX + sizeof("http://runtimed")];

	snprintf(url, sizeof(url), "http://runtimed%s", rq->path);
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, rq->method);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &ret->body);
	/* A unix socket answers at once or not at all; the request itself may take 15 minutes. */
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
	if (rq->body) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_size);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, rq->body);
	}
}

int client_call(struct client *c, const struct request *rq, struct reply *ret, struct err *e)
{
	struct curl_slist *headers = make_headers(rq);
	CURLcode code;

	reply_init(ret);
	set_options(c, rq, headers, ret);
	code = curl_easy_perform(c->curl);
	curl_slist_free_all(headers);
	if (code == CURLE_COULDNT_CONNECT)
		return err_set(e, ECONNREFUSED, "no daemon answers at %s", c->socket);
	if (code != CURLE_OK)
		return err_set(e, EIO, "%s: %s", c->socket, curl_easy_strerror(code));
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &ret->status);
	return 0;
}

int client_must(struct client *c, const struct request *rq, struct reply *ret, struct err *e)
{
	int r = client_call(c, rq, ret, e);

	if (r == 0 && ret->status >= 300)
		return client_error(c, ret, e);
	return r;
}

const char *client_header(struct client *c, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(c->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return header->value;
}

int client_error(struct client *c, const struct reply *r, struct err *e)
{
	struct err ignored = ERR_INIT;
	const char *type = client_header(c, "X-Amzn-ErrorType"), *text = NULL;
	json_auto_t *doc = NULL;

	/* The API's errors spell it either way. */
	if (reply_json(r, &doc, &ignored) == 0 && json_unpack(doc, "{s:s}", "Message", &text) < 0)
		text = json_string_value(json_object_get(doc, "message"));
	return err_set(e, EPROTO, "%s%s%s", type ? type : "", type ? ": " : "",
		       text ? text : "the daemon refused the request");
}

void reply_init(struct reply *r)
{
	r->status = 0;
	buf_init(&r->body, CLIENT_REPLY_MAX);
}

void reply_fini(struct reply *r)
{
	buf_fini(&r->body);
}

int reply_json(const struct reply *r, json_t **ret, struct err *e)
{
	json_error_t why;
	json_t *doc = json_loadb(r->body.data ? r->body.data : "", r->body.len, 0, &why);

	if (!doc)
		return err_set(e, EPROTO, "the daemon's answer is not JSON: %s", why.text);
	*ret = doc;
	return 0;
}

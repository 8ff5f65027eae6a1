/* How a change of a function goes: see runtimed/change.h. */
#include "runtimed/change.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/core.h"
#include "runtimed/invoke.h"
#include "runtimed/logs.h"
#include "runtimed/package.h"
#include "runtimed/pool.h"
#include "runtimed/store.h"

static void change_free(struct change *ch)
{
	struct core *core = ch->call->core;

	if (ch->holds_code)
		package_release(core, ch->code);
	list_del(&ch->link);
	json_decref(ch->body);
	free(ch->zip);
	func_unref(ch->fn);
	free(ch);
}

void change_fail(struct change *ch, enum api_error kind, const char *fmt, ...)
{
	struct call *c = ch->call;
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	change_free(ch);
	api_fail(c, kind, "%s", text);
}

void change_answer(struct change *ch, const struct func *f)
{
	struct call *c = ch->call;
	json_t *doc = f ? api_function(&c->core->cfg, f) : NULL;
	unsigned status = ch->status;

	change_free(ch);
	if (status == 204)
		call_reply(c, &(struct reply){.status = 204});
	else
		api_json(c, status, doc);
}

/* ---- on a thread ---- */

/* ZipFile stands in the body of UpdateFunctionCode, and in Code of CreateFunction. */
static json_t *find_code(json_t *body)
{
	json_t *code = json_object_get(body, "Code");

	return json_is_object(code) ? code : body;
}

/* Standard base64, whole groups: what clients send. */
static int decode_zip(struct change *ch, const json_t *text, struct err *e)
{
	const char *s = json_string_value(text);
	size_t n = json_string_length(text);
	unsigned padding = n && s[n - 1] == '=' ? 1 + (n > 1 && s[n - 2] == '=') : 0;
	int size;

	ch->zip = malloc(n / 4 * 3 + 1);
	if (!ch->zip)
		return err_set(e, ENOMEM, "out of memory");
	size = EVP_DecodeBlock((unsigned char *)ch->zip, (const unsigned char *)s, (int)n);
	if (n % 4 != 0 || size < 0 || strspn(s, " \t\r\n"))
		return err_set(e, EINVAL, "ZipFile: not base64");
	ch->zip_size = (size_t)size - padding;
	ch->has_zip = true;
	return 0;
}

static void parse(uv_work_t *work)
{
	struct change *ch = container_of(work, struct change, work);
	const struct buf *text = &ch->call->req->body;
	json_error_t why;
	json_t *zip;

	ch->body =
		json_loadb(text->data ? text->data : "", text->len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(ch->body)) {
		err_set(&ch->err, EBADMSG, "Could not parse request body into json: %s",
			ch->body ? "not an object" : why.text);
		return;
	}
	zip = json_object_get(find_code(ch->body), "ZipFile");
	if (json_is_string(zip) && decode_zip(ch, zip, &ch->err) == 0)
		(void)json_object_del(find_code(ch->body), "ZipFile"); /* up to 67 MB */
}

static void on_parsed(uv_work_t *work, int status)
{
	struct change *ch = container_of(work, struct change, work);

	buf_fini(&ch->call->req->body); /* up to 70 MB, not needed any more */
	if (status < 0)
		change_fail(ch, API_SERVICE, "the daemon is ending");
	else if (ch->err.code == EBADMSG)
		change_fail(ch, API_INVALID_JSON, "%s", ch->err.text);
	else if (ch->err.code == EINVAL)
		change_fail(ch, API_INVALID_PARAMETER, "%s", ch->err.text);
	else if (ch->err.code)
		change_fail(ch, API_SERVICE, "%s", ch->err.text);
	else
		ch->apply(ch);
}

void change_begin(struct call *c, void (*apply)(struct change *ch))
{
	struct change *ch = calloc(1, sizeof(*ch));

	if (!ch) {
		api_fail(c, API_SERVICE, "out of memory");
		return;
	}
	list_init(&ch->link);
	ch->call = c;
	ch->apply = apply;
	ch->status = 200;
	if (c->req->body.len == 0 && str_is(c->req->method, "DELETE"))
		apply(ch);
	else if (uv_queue_work(&c->core->loop, &ch->work, parse, on_parsed) < 0)
		change_fail(ch, API_SERVICE, "no thread for this request");
}

/* ---- on the loop ---- */

bool change_claim(struct change *ch, const char *name)
{
	struct list *changes = call_changes(ch->call);

	list_for_each (l, changes)
		if (str_is(container_of(l, struct change, link)->name, name)) {
			change_fail(
				ch, API_CONFLICT,
				"The operation cannot be performed at this time. An update is in "
				"progress for function %s",
				name);
			return false;
		}
	str_copy(ch->name, sizeof(ch->name), name);
	list_add_tail(changes, &ch->link);
	return true;
}

/* The registry follows the disk. Code that the old version alone used is forgotten. */
static int register_change(struct core *core, const struct change *ch, struct err *e)
{
	const struct func *old = funcs_find(core->funcs, ch->name);
	uint8_t code[LAUNCH_SHA256_LEN];
	bool had_code = old != NULL;

	if (old)
		memcpy(code, old->code_sha256, sizeof(code));
	if (ch->fn && funcs_put(core->funcs, ch->fn, e) < 0)
		return -e->code;
	if (!ch->fn) {
		funcs_remove(core->funcs, ch->name);
		(void)logs_delete(core->logs, ch->name); /* out of memory: a log is left */
	}
	pool_registry_changed(core);
	if (had_code)
		package_gc(core, code);
	return 0;
}

static void on_stored(void *arg, const struct err *e)
{
	struct change *ch = arg;
	struct err why = *e;

	if (why.code || register_change(ch->call->core, ch, &why) < 0)
		change_fail(ch, API_SERVICE, "%s", why.text);
	else
		change_answer(ch, ch->fn);
}

void change_store(struct change *ch)
{
	struct core *core = ch->call->core;
	_cleanup_free_ char *text = NULL;
	int r;

	if (ch->fn) {
		request_id_make(ch->fn->revision);
		ch->fn->modified_wall_us = clk_wall_us();
		text = func_to_json(ch->fn);
		r = text ? store_put_function(core->store, ch->name, text, on_stored, ch) : -ENOMEM;
	} else {
		r = store_delete_function(core->store, ch->name, on_stored, ch);
	}
	if (r < 0)
		change_fail(ch, API_SERVICE, "out of memory");
}

static void on_installed(void *arg, const struct package *p, const struct err *e)
{
	struct change *ch = arg;

	if (!p) {
		bool is_users = e->code == EINVAL || e->code == E2BIG || e->code == EBADMSG ||
				e->code == ENOENT;

		change_fail(ch, is_users ? API_INVALID_PARAMETER : API_SERVICE, "%s", e->text);
		return;
	}
	memcpy(ch->code, p->sha256, sizeof(ch->code));
	ch->holds_code = true;
	memcpy(ch->fn->code_sha256, p->sha256, FUNC_SHA256_LEN);
	ch->fn->code_bytes = p->packed_bytes;
	change_store(ch);
}

void change_install(struct change *ch)
{
	struct err e = ERR_INIT;
	int r = package_submit(ch->call->core, ch->zip, ch->zip_size, ch->fn->handler, on_installed,
			       ch, &e);

	if (r == 0)
		ch->zip = NULL;
	else if (r == -EAGAIN)
		change_fail(ch, API_TOO_MANY, "%s", e.text);
	else
		change_fail(ch, r == -ENOMEM ? API_SERVICE : API_INVALID_PARAMETER, "%s", e.text);
}

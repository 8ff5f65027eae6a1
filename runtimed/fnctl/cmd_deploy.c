/* deploy, update, delete: what changes a function. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/fnctl/base64.h"
#include "runtimed/fnctl/fnctl.h"
#include "runtimed/fnctl/pack.h"

/* The API demands a role; nothing is looked up by it. */
#define ROLE         "arn:aws:iam::000000000000:role/local"

#define READY_MAX_US (60 * CLK_US_PER_SEC)

#define AT(field)    offsetof(struct options, field)

/* clang-format off */
#define SETTING_ROWS                                                                               \
	OPT_ROW_NAME,                                                                              \
	{"code", 0, OPT_TEXT, AT(code), "PATH", "a directory or a zip, at most 50 MB packed"},     \
	{"handler", 0, OPT_TEXT, AT(handler), "M.F", "called as F(event, context) of module M"},   \
	{"image", 0, OPT_TEXT, AT(image), "NAME", "root file system (python3.11)"},                \
	{"memory", 0, OPT_NUMBER, AT(memory_mb), "MB", "memory limit (128)"},                      \
	{"timeout", 0, OPT_NUMBER, AT(timeout_s), "SECONDS", "time limit of one call (3)"},        \
	{"tmp", 0, OPT_NUMBER, AT(tmp_mb), "MB", "size of /tmp (512)"},                            \
	{"env", 0, OPT_LIST, AT(env), "K=V", "a variable; all given ones replace the old ones"},   \
	{"description", 0, OPT_TEXT, AT(description), "TEXT", "a line for people"},                \
	OPT_ROW_END
/* clang-format on */

const struct opt deploy_opts[] = {SETTING_ROWS};
const struct opt update_opts[] = {SETTING_ROWS};
const struct opt name_opts[] = {OPT_ROW_NAME, OPT_ROW_END};

static int add_env(json_t *body, const struct opt_list *env, struct err *e)
{
	json_t *variables = json_object();

	for (size_t i = 0; i < env->n; i++) {
		const char *eq = strchr(env->items[i], '=');
		char key[256];

		if (!eq || eq == env->items[i] || eq - env->items[i] >= (ptrdiff_t)sizeof(key)) {
			json_decref(variables);
			return err_set(e, EINVAL, "--env '%s' is not K=V", env->items[i]);
		}
		snprintf(key, sizeof(key), "%.*s", (int)(eq - env->items[i]), env->items[i]);
		json_object_set_new(variables, key, json_string(eq + 1));
	}
	json_object_set_new(body, "Environment", json_pack("{s:o}", "Variables", variables));
	return 0;
}

/* Put what was given, and only that, into the body. */
static int add_settings(json_t *body, const struct options *o, struct err *e)
{
	const struct {
		const char *key, *text;
		uint64_t number;
	} rows[] = {
		{"Handler",     o->handler,     0           },
                {"Runtime",     o->image,       0           },
		{"Description", o->description, 0           },
                {"MemorySize",  NULL,           o->memory_mb},
		{"Timeout",     NULL,           o->timeout_s},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].text)
			json_object_set_new(body, rows[i].key, json_string(rows[i].text));
		else if (rows[i].number)
			json_object_set_new(body, rows[i].key,
					    json_integer((json_int_t)rows[i].number));
	}
	if (o->tmp_mb)
		json_object_set_new(body, "EphemeralStorage",
				    json_pack("{s:I}", "Size", (json_int_t)o->tmp_mb));
	return o->env.n ? add_env(body, &o->env, e) : 0;
}

/* {"ZipFile": base64}, a new reference. */
static int make_code(const char *path, json_t **ret, struct err *e)
{
	_cleanup_buf_ struct buf zip, text;
	int r;

	buf_init(&zip, PACK_PACKED_MAX_BYTES);
	buf_init(&text, PACK_PACKED_MAX_BYTES / 3 * 4 + 8);
	r = pack_code(path, &zip, e);
	if (r < 0)
		return r;
	base64_encode(zip.data, zip.len, &text);
	*ret = buf_failed(&text) ? NULL : json_pack("{s:s#}", "ZipFile", text.data, (int)text.len);
	return *ret ? 0 : err_set(e, ENOMEM, "pack '%s': out of memory", path);
}

/* Send a body; print the answer when asked to. */
static int send_json(struct app *a, struct request *rq, json_t *body, struct err *e)
{
	_cleanup_free_ char *text = json_dumps(body, JSON_COMPACT);
	_cleanup_reply_ struct reply reply;
	int r;

	reply_init(&reply);
	if (!text)
		return err_set(e, EINVAL, "a setting is not UTF-8");
	rq->body = text;
	rq->body_size = strlen(text);
	r = client_must(&a->client, rq, &reply, e);
	if (r == 0 && a->o.json)
		printf("%.*s\n", (int)reply.body.len, reply.body.data);
	return r;
}

/* 0 while it is being made ready, 1 when it is; negative when it will never be. */
static int is_ready(struct app *a, const struct request *rq, struct err *e)
{
	json_auto_t *doc = NULL;
	_cleanup_reply_ struct reply reply;
	const char *state, *update, *why = "";
	int r = client_must(&a->client, rq, &reply, e);

	if (r == 0)
		r = reply_json(&reply, &doc, e);
	if (r < 0)
		return r;
	if (json_unpack(doc, "{s:s,s:s,s?s,s?s}", "State", &state, "LastUpdateStatus", &update,
			"StateReason", &why, "LastUpdateStatusReason", &why) < 0)
		return err_set(e, EPROTO, "the daemon's answer has no State");
	if (str_is(state, "Failed") || str_is(update, "Failed"))
		return err_set(e, EPROTO, "%s",
			       *why ? why : "the function could not be made ready");
	return str_is(state, "Active") && str_is(update, "Successful");
}

static int wait_ready(struct app *a, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	uint64_t deadline_us = clk_now_us() + READY_MAX_US;
	struct request rq;
	int r = function_request(&rq, "GET", API_FUNCTIONS, a->o.name, "/configuration", e);

	while (r == 0 && (r = is_ready(a, &rq, e)) == 0) {
		if (clk_now_us() > deadline_us)
			return err_set(e, ETIMEDOUT, "still not ready after a minute");
		nanosleep(&pause, NULL);
	}
	return r < 0 ? r : 0;
}

static int create(struct app *a, struct err *e)
{
	struct request rq = {.method = "POST", .path = API_FUNCTIONS};
	struct options o = a->o;
	json_auto_t *body = NULL;
	json_t *code;
	int r;

	if (!o.code || !o.handler)
		return err_set(e, EINVAL, "a new function needs --code and --handler");
	o.image = o.image ? o.image : "python3.11";
	o.memory_mb = o.memory_mb ? o.memory_mb : 128;
	o.timeout_s = o.timeout_s ? o.timeout_s : 3;
	o.tmp_mb = o.tmp_mb ? o.tmp_mb : 512;
	r = make_code(o.code, &code, e);
	if (r < 0)
		return r;
	body = json_pack("{s:s,s:s,s:o}", "FunctionName", o.name, "Role", ROLE, "Code", code);
	r = add_settings(body, &o, e);
	return r < 0 ? r : send_json(a, &rq, body, e);
}

static int update_code(struct app *a, struct err *e)
{
	json_auto_t *code = NULL;
	struct request rq;
	int r = make_code(a->o.code, &code, e);

	if (r == 0)
		r = function_request(&rq, "PUT", API_FUNCTIONS, a->o.name, "/code", e);
	if (r == 0)
		r = send_json(a, &rq, code, e);
	return r == 0 ? wait_ready(a, e) : r;
}

/* Settings first: new code may need a larger limit, and old code bears it. */
static int update(struct app *a, struct err *e)
{
	json_auto_t *body = json_object();
	struct request rq;
	int r = add_settings(body, &a->o, e);

	if (r == 0 && json_object_size(body) == 0 && !a->o.code)
		return err_set(e, EINVAL, "nothing to change was given");
	if (r == 0 && json_object_size(body) > 0) {
		r = function_request(&rq, "PUT", API_FUNCTIONS, a->o.name, "/configuration", e);
		if (r == 0)
			r = send_json(a, &rq, body, e);
		if (r == 0)
			r = wait_ready(a, e);
	}
	return r == 0 && a->o.code ? update_code(a, e) : r;
}

/* 1 when there is such a function, 0 when not. */
static int exists(struct app *a, struct err *e)
{
	_cleanup_reply_ struct reply reply;
	struct request rq;
	int r;

	reply_init(&reply);
	r = function_request(&rq, "GET", API_FUNCTIONS, a->o.name, "/configuration", e);
	if (r == 0)
		r = client_call(&a->client, &rq, &reply, e);
	if (r < 0)
		return r;
	if (reply.status != 200 && reply.status != 404)
		return client_error(&a->client, &reply, e);
	return reply.status == 200;
}

int cmd_deploy(struct app *a, struct err *e)
{
	int is_old = exists(a, e);
	int r = is_old < 0 ? is_old : is_old ? update(a, e) : create(a, e);

	if (r == 0)
		r = wait_ready(a, e);
	if (r < 0)
		return err_wrap(e, "deploy '%s'", a->o.name);
	if (!a->o.json)
		printf("%s %s\n", is_old ? "updated" : "created", a->o.name);
	return 0;
}

int cmd_update(struct app *a, struct err *e)
{
	if (update(a, e) < 0)
		return err_wrap(e, "update '%s'", a->o.name);
	if (!a->o.json)
		printf("updated %s\n", a->o.name);
	return 0;
}

int cmd_delete(struct app *a, struct err *e)
{
	_cleanup_reply_ struct reply reply;
	struct request rq;
	int r;

	reply_init(&reply);
	r = function_request(&rq, "DELETE", API_FUNCTIONS, a->o.name, "", e);
	if (r == 0)
		r = client_must(&a->client, &rq, &reply, e);
	if (r < 0)
		return err_wrap(e, "delete '%s'", a->o.name);
	if (!a->o.json)
		printf("deleted %s\n", a->o.name);
	return 0;
}

/* CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, DeleteFunction. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimed/change.h"
#include "runtimed/core.h"
#include "runtimed/handlers.h"
#include "runtimed/route.h"
#include "runtimed/settings.h"

static const char *text_of(const struct change *ch, const char *member)
{
	return json_string_value(json_object_get(ch->body, member));
}

static int check_image(const struct core *core, const char *image, struct err *e)
{
	_cleanup_buf_ struct buf names;

	buf_init(&names, 2 << 10);
	for (uint32_t i = 0; i < core->hello.n_images; i++) {
		if (str_is(core->hello.images[i].name, image))
			return 0;
		buf_printf(&names, "%s%s", i ? ", " : "", core->hello.images[i].name);
	}
	return err_set(e, EINVAL, "Runtime: '%s' is not one of: %s", image,
		       names.data ? names.data : "");
}

/* All that can be checked before the package is looked at. */
static int check_settings(struct change *ch, struct err *e)
{
	int r = settings_check(ch->body, e);

	if (r == 0)
		r = settings_read(ch->body, ch->fn, e);
	if (r == 0)
		r = check_image(ch->call->core, ch->fn->image, e);
	return r < 0 ? r : func_check(ch->fn, e);
}

/* ---- create ---- */

static struct func *default_func(const char *name)
{
	struct func *f = func_new();

	if (!f)
		return NULL;
	str_copy(f->name, sizeof(f->name), name);
	f->memory_mb = 128;
	f->timeout_ms = 3000;
	f->tmp_mb = 512;
	return f;
}

static void apply_create(struct change *ch)
{
	const char *given = text_of(ch, "FunctionName");
	char name[FUNC_NAME_MAX + 1];
	struct err e = ERR_INIT;

	if (!given || route_function_name(given, name, &e)) {
		change_fail(ch, API_INVALID_PARAMETER, "%s",
			    given ? e.text : "FunctionName: a text is wanted");
		return;
	}
	if (!change_claim(ch, name))
		return;
	if (funcs_find(ch->call->core->funcs, name)) {
		change_fail(ch, API_CONFLICT, "Function already exist: %s", name);
		return;
	}
	ch->fn = default_func(name);
	ch->status = 201;
	if (!ch->fn)
		change_fail(ch, API_SERVICE, "out of memory");
	else if (settings_check_code(json_object_get(ch->body, "Code"), &e) < 0 ||
		 check_settings(ch, &e) < 0)
		change_fail(ch, API_INVALID_PARAMETER, "%s", e.text);
	else if (!ch->has_zip)
		change_fail(ch, API_INVALID_PARAMETER, "Code: ZipFile is wanted");
	else if (funcs_count(ch->call->core->funcs) >= FUNCS_MAX)
		change_fail(ch, API_INVALID_PARAMETER, "there are %d functions already", FUNCS_MAX);
	else
		change_install(ch);
}

void api_create_function(struct call *c)
{
	change_begin(c, apply_create);
}

/* ---- change ---- */

/* Claim the function of the path and begin its next version. NULL: it has been answered. */
static const struct func *begin_next(struct change *ch)
{
	const char *revision = ch->body ? text_of(ch, "RevisionId") : NULL;
	struct call *c = ch->call;
	const struct func *old = funcs_find(c->core->funcs, c->name);
	char arn[API_ARN_MAX];

	if (!old || !route_is_latest(c->req->query)) { /* not: delete all for "version 7" */
		api_arn(&c->core->cfg, c->name, arn);
		change_fail(ch, API_NOT_FOUND, "Function not found: %s", arn);
		return NULL;
	}
	if (!change_claim(ch, c->name))
		return NULL;
	if (revision && !str_is(revision, old->revision)) {
		change_fail(ch, API_PRECONDITION,
			    "The RevisionId provided does not match the latest one, %s",
			    old->revision);
		return NULL;
	}
	ch->fn = func_copy(old);
	if (ch->fn)
		return old;
	change_fail(ch, API_SERVICE, "out of memory");
	return NULL;
}

static void apply_code(struct change *ch)
{
	const struct func *old = begin_next(ch);
	struct err e = ERR_INIT;

	if (!old)
		return;
	if (settings_check(ch->body, &e) < 0)
		change_fail(ch, API_INVALID_PARAMETER, "%s", e.text);
	else if (!ch->has_zip)
		change_fail(ch, API_INVALID_PARAMETER, "ZipFile: a package is wanted");
	else if (json_is_true(json_object_get(ch->body, "DryRun")))
		change_answer(ch, old);
	else
		change_install(ch);
}

static void apply_configuration(struct change *ch)
{
	struct err e = ERR_INIT;

	if (!begin_next(ch))
		return;
	if (check_settings(ch, &e) < 0)
		change_fail(ch, API_INVALID_PARAMETER, "%s", e.text);
	else
		change_store(ch);
}

static void apply_delete(struct change *ch)
{
	if (!begin_next(ch))
		return;
	func_unref(mem_steal(&ch->fn)); /* there is no next version */
	ch->status = 204;
	change_store(ch);
}

void api_update_code(struct call *c)
{
	change_begin(c, apply_code);
}

void api_update_configuration(struct call *c)
{
	change_begin(c, apply_configuration);
}

void api_delete_function(struct call *c)
{
	change_begin(c, apply_delete);
}

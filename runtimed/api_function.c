/* GetFunction, GetFunctionConfiguration, ListFunctions: reading only. */
#include <string.h>

#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/core.h"
#include "runtimed/handlers.h"
#include "runtimed/route.h"

#define LIST_MAX 50 /* of one page, Lambda's */

/* The function of the path; NULL: it has been answered. */
static const struct func *find(struct call *c)
{
	const struct func *f = funcs_find(c->core->funcs, c->name);

	if (f && route_is_latest(c->req->query))
		return f;
	api_fail_not_found(c, c->name);
	return NULL;
}

void api_get_configuration(struct call *c)
{
	const struct func *f = find(c);

	if (f)
		api_json(c, 200, api_function(&c->core->cfg, f));
}

/* There is nowhere to download a package from: Location names it, so that two can be compared. */
void api_get_function(struct call *c)
{
	const struct func *f = find(c);
	char location[sizeof("file-sha256:") + 2 * FUNC_SHA256_LEN] = "file-sha256:";

	if (!f)
		return;
	str_hex(f->code_sha256, FUNC_SHA256_LEN, location + strlen(location));
	api_json(c, 200,
		 json_pack("{s:o,s:{s:s,s:s},s:{}}", "Configuration",
			   api_function(&c->core->cfg, f), "Code", "RepositoryType", "file",
			   "Location", location, "Tags"));
}

void api_list_functions(struct call *c)
{
	char marker[FUNC_NAME_MAX + 1], number[16];
	bool has_marker = route_query(c->req->query, "Marker", marker, sizeof(marker));
	uint64_t max = LIST_MAX;
	json_t *functions = json_array();
	struct err e = ERR_INIT;
	const struct func *f, *last = NULL;

	if (route_query(c->req->query, "MaxItems", number, sizeof(number)) &&
	    str_to_u64(number, 1, 10000, "MaxItems", &max, &e) < 0) {
		json_decref(functions);
		api_fail(c, API_INVALID_PARAMETER, "%s", e.text);
		return;
	}
	f = funcs_next(c->core->funcs, has_marker ? marker : NULL);
	for (; f && max > 0 && json_array_size(functions) < LIST_MAX; max--) {
		json_array_append_new(functions, api_function(&c->core->cfg, f));
		last = f;
		f = funcs_next(c->core->funcs, f->name);
	}
	/* More to come: the next page begins after the last name of this one. */
	api_json(c, 200,
		 json_pack("{s:o,s:s?}", "Functions", functions, "NextMarker",
			   f && last ? last->name : NULL));
}

/* Documents of the Lambda API. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/api.h"
#include "runtimed/core.h"

void api_arn(const struct config *cfg, const char *name, char out[API_ARN_MAX])
{
	snprintf(out, API_ARN_MAX, "arn:aws:lambda:%s:%s:function:%s", cfg->region, cfg->account,
		 name);
}

void api_fail_not_found(struct call *c, const char *name)
{
	char arn[API_ARN_MAX];

	api_arn(&c->core->cfg, name, arn);
	api_fail(c, API_NOT_FOUND, "Function not found: %s", arn);
}

void api_json(struct call *c, unsigned status, json_t *doc)
{
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	struct reply r = {.status = status, .type = "application/json", .body = text};

	json_decref(doc);
	if (!text) {
		api_fail(c, API_SERVICE, "out of memory");
		return;
	}
	r.body_size = strlen(text);
	call_reply(c, &r);
}

/* "2024-01-01T00:00:00.000+0000" */
static void put_time(uint64_t wall_us, char out[32])
{
	time_t t = (time_t)(wall_us / CLK_US_PER_SEC);
	struct tm tm;
	size_t n = strftime(out, 32, "%FT%T", gmtime_r(&t, &tm));

	snprintf(out + n, 32 - n, ".%03u+0000", (unsigned)(wall_us / CLK_US_PER_MS % 1000));
}

static json_t *environment(const struct func *f)
{
	json_t *variables = json_object();

	for (size_t at = 0; at < f->env_size; at += strlen(f->env + at) + 1) {
		const char *pair = f->env + at, *eq = strchr(pair, '=');

		json_object_setn_new(variables, pair, (size_t)(eq - pair), json_string(eq + 1));
	}
	return json_pack("{s:o}", "Variables", variables);
}

json_t *api_function(const struct config *cfg, const struct func *f)
{
	char arn[API_ARN_MAX], modified[32];
	unsigned char sha256[4 * (FUNC_SHA256_LEN + 2) / 3 + 1];
	json_t *doc;

	api_arn(cfg, f->name, arn);
	put_time(f->modified_wall_us, modified);
	EVP_EncodeBlock(sha256, f->code_sha256, FUNC_SHA256_LEN);
	doc = json_pack(
		"{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:i,s:i,s:s,s:s,s:s,s:{s:s},s:s,s:s,s:s,s:s,s:[s],s:{"
		"s:i}}",
		"FunctionName", f->name, "FunctionArn", arn, "Runtime", f->image, "Role", f->role,
		"Handler", f->handler, "CodeSize", (json_int_t)f->code_bytes, "Description",
		f->description, "Timeout", (int)(f->timeout_ms / CLK_US_PER_MS), "MemorySize",
		(int)f->memory_mb, "LastModified", modified, "CodeSha256", (char *)sha256,
		"Version", "$LATEST", "TracingConfig", "Mode", "PassThrough", "RevisionId",
		f->revision, "State", "Active", "LastUpdateStatus", "Successful", "PackageType",
		"Zip", "Architectures", "x86_64", "EphemeralStorage", "Size", (int)f->tmp_mb);
	if (doc && f->n_env)
		json_object_set_new(doc, "Environment", environment(f));
	return doc;
}

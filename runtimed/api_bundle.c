/*
 * What a bundle of a function is made of: names, limits, and where code and image lie. No byte of either
 * passes through here: the core may read neither. `fnctl export` is root and reads the files itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/core.h"
#include "runtimed/guest.h"
#include "runtimed/guestinit.h"
#include "runtimed/handlers.h"
#include "runtimed/pool.h"

static const struct launch_image *find_image(const struct launch_hello *hello, const char *name)
{
	for (uint32_t i = 0; i < hello->n_images; i++)
		if (str_is(hello->images[i].name, name))
			return &hello->images[i];
	return NULL;
}

/* The GUEST_INIT object; NULL = out of memory. */
static json_t *init_of(const struct core *core, const struct func *f)
{
	_cleanup_buf_ struct buf b;

	buf_init(&b, GUEST_INIT_MAX);
	guestinit_object(core, f, 0, &b);
	return buf_failed(&b) ? NULL : json_loadb(b.data, b.len, 0, NULL);
}

void api_bundle(struct call *c)
{
	const struct config *cfg = &c->core->cfg;
	const struct func *f = funcs_find(c->core->funcs, c->name);
	const struct launch_image *image = f ? find_image(&c->core->hello, f->image) : NULL;
	char code[CONFIG_PATH_MAX + sizeof("/code/") + 2 * FUNC_SHA256_LEN];
	char digest[sizeof("sha256:") + 2 * LAUNCH_SHA256_LEN] = "sha256:";
	int n;

	if (!f) {
		api_fail_not_found(c, c->name);
		return;
	}
	if (!image) {
		api_fail(c, API_INVALID_PARAMETER, "there is no image '%s' any more", f->image);
		return;
	}
	n = snprintf(code, sizeof(code), "%s/code/", cfg->state_dir);
	str_hex(f->code_sha256, FUNC_SHA256_LEN, code + n);
	str_hex(image->digest, LAUNCH_SHA256_LEN, digest + strlen(digest));
	api_json(c, 200,
		 json_pack("{s:o,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I}", "init", init_of(c->core, f),
			   "revision", f->revision, "code_dir", code, "images_dir", cfg->images_dir,
			   "image", digest, "memory_bytes", (json_int_t)f->memory_mb << 20,
			   "tmp_bytes", (json_int_t)f->tmp_mb << 20, "cpu_quota_us",
			   (json_int_t)pool_cpu_quota_us(f->memory_mb), "pids_max",
			   (json_int_t)cfg->pids_max));
}

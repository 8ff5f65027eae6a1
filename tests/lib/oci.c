/* Configs for tests of sandbox/plan_oci*.c: see oci.h. */
#include "tests/lib/oci.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "tests/lib/harness.h"

#define TEXT_MAX 65536

static const struct oci_parts plain = {
	.top = "",
	.root = "\"path\": \"rootfs\"",
	.process = "",
	.args = "\"true\"",
	.cwd = "\"/\"",
	.mounts = "",
	.linux_part = "",
	.namespaces = "{\"type\": \"mount\"}, {\"type\": \"pid\"}",
	.version = "1.2.0",
};

int oci_parse(const struct oci_parts *p, struct sbx_plan **ret, struct err *e)
{
	static char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text),
			 "{\"ociVersion\": \"%s\", %s \"root\": {%s}, \"process\": {%s "
			 "\"args\": [%s], \"cwd\": %s}, \"mounts\": [%s], \"linux\": {%s "
			 "\"namespaces\": [%s]}}",
			 p->version, p->top, p->root, p->process, p->args, p->cwd, p->mounts,
			 p->linux_part, p->namespaces);

	ck_assert_int_lt(n, TEXT_MAX);
	return plan_oci_parse(text, (size_t)n, "/bundle", ret, e);
}

struct sbx_plan *oci_plan(struct oci_parts p)
{
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;

	ck_ok(oci_parse(&p, &plan, &e), &e);
	return plan;
}

void oci_refused(struct oci_parts p, const char *says)
{
	static const char file[] = "config.json: ";
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;

	ck_assert_int_eq(oci_parse(&p, &plan, &e), -EINVAL);
	ck_assert_ptr_null(plan);
	ck_assert_msg(str_has_prefix(e.text, file), "%s", e.text);
	ck_assert_msg(str_has_prefix(e.text + strlen(file), says), "%s", e.text);
}

struct oci_parts oci_merge(const struct oci_parts *given)
{
	const char *const *from = (const char *const *)given;
	struct oci_parts p = plain;
	const char **to = (const char **)&p;

	for (size_t i = 0; i < sizeof(p) / sizeof(*to); i++)
		if (from[i])
			to[i] = from[i];
	return p;
}

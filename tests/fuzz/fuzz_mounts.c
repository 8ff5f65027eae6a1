/*
 * Any mount: a line each for type, destination and source, then one for each option. Either an error that names the
 * place, or a row of the plan that the child can rely on.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sandbox/plan_oci.h"
#include "sandbox/sys.h"

#define CONFIG_MAX (1u << 20)

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_mounts: %s\n", #cond);                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void add_line(struct buf *config, const char **at, const char *end)
{
	const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;

	if (!stop)
		stop = end;
	buf_json_string(config, *at, (size_t)(stop - *at));
	*at = stop < end ? stop + 1 : end;
}

static void write_config(struct buf *config, const char *at, const char *end)
{
	static const char *const members[] = {"type", "destination", "source"};

	buf_puts(config, "{\"ociVersion\": \"1.3.0\", \"root\": {\"path\": \"r\"}, \"process\": "
			 "{\"args\": [\"a\"], \"cwd\": \"/\"}, \"linux\": {\"namespaces\": "
			 "[{\"type\": \"mount\"}]}, \"mounts\": [{");
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		buf_printf(config, "\"%s\": ", members[i]);
		add_line(config, &at, end);
		buf_puts(config, ", ");
	}
	buf_puts(config, "\"options\": [");
	for (int i = 0; at < end; i++) {
		if (i > 0)
			buf_putc(config, ',');
		add_line(config, &at, end);
	}
	buf_puts(config, "]}]}");
}

static void check(const struct sbx_mount *m)
{
	bool is_fs = m->kind == SBX_MOUNT_FS || m->kind == SBX_MOUNT_CGROUP;

	MUST(m->target[0] == '/' && m->target[1]);
	MUST(!(m->attr_set & m->attr_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
	MUST(!(m->rattr_set & m->rattr_clr & ~(uint64_t)MOUNT_ATTR__ATIME));
	MUST(m->idmapping == SBX_IDMAP_NONE);
	if (m->kind == SBX_MOUNT_BIND)
		MUST(m->source[0] == '/' && !m->data && (m->propagation || m->rpropagation));
	if (is_fs)
		MUST(m->type && !m->rattr_set);
	if (m->copies_up || m->keeps_mode || m->late_readonly)
		MUST(m->kind == SBX_MOUNT_FS && !strcmp(m->type, "tmpfs"));
	if (m->late_readonly)
		MUST(!(m->attr_set & MOUNT_ATTR_RDONLY));
	if (m->is_bind)
		MUST(m->kind == SBX_MOUNT_REMOUNT && !m->data);
}

int fuzz_mounts(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf config;
	struct sbx_plan *p = NULL;
	struct err e = ERR_INIT;

	buf_init(&config, CONFIG_MAX);
	write_config(&config, (const char *)data, (const char *)data + size);
	if (buf_failed(&config))
		return 0;
	if (plan_oci_parse(config.data, config.len, "/bundle", &p, &e) < 0) {
		MUST(!p && !strncmp(e.text, "config.json:", 12));
		return 0;
	}
	MUST(p->n_mounts == 1);
	check(&p->mounts[0]);
	sbx_plan_free(p);
	return 0;
}

/*
 * config.json: linux.seccomp as the plan's filter, its flags and its listener. See plan_oci.h.
 *
 * The rules are read only if the cache does not have the program they give: a program was stored after the very
 * same text had been read and found right. Flags and listener are not part of a program, so they are
 * read always.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/plan_oci.h"
#include "sandbox/seccomp_cache.h"
#include "sandbox/seccomp_json.h"
#include "sandbox/sys.h"

#define FLAGS_MAX      16
#define METADATA_BYTES 4096
#define SKIPPED_BYTES  1024 /* more names than that are not told */

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const struct {
	const char *name;
	uint32_t flag;
} flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC",              SECCOMP_FILTER_FLAG_TSYNC             },
	{"SECCOMP_FILTER_FLAG_LOG",                SECCOMP_FILTER_FLAG_LOG               },
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW",         SECCOMP_FILTER_FLAG_SPEC_ALLOW        },
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

const char *oci_seccomp_flag_word(size_t i)
{
	return i < ARRAY_SIZE(flags) ? flags[i].name : NULL;
}

bool oci_seccomp_flag_is_usable(size_t i)
{
	/* Without a program the kernel looks at the flags alone: those it knows end in EFAULT. */
	return (sys_seccomp_filter(flags[i].flag, NULL) < 0 && errno == EFAULT) ||
	       (sys_seccomp_filter(flags[i].flag | SECCOMP_FILTER_FLAG_NEW_LISTENER, NULL) < 0 &&
		errno == EFAULT);
}

static int one_flag(const struct node *n, uint32_t *all, struct err *e)
{
	const char *name = NULL;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &name, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!str_is(flags[i].name, name))
			continue;
		*all |= flags[i].flag;
		return 0;
	}
	return node_fail(n, e, "'%s' is no flag", name);
}

static int read_flags(const struct node *section, uint32_t *ret, struct err *e)
{
	struct node list = node_get(section, "flags");
	size_t n;
	int r = node_list(&list, FLAGS_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = one_flag(&item, ret, e);
	}
	return r;
}

static bool asks_listener(const struct pol_program *prog)
{
	for (uint16_t i = 0; i < prog->n_insns; i++)
		if (prog->insns[i].code == (BPF_RET | BPF_K) &&
		    (prog->insns[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

static int read_listener(struct oci *o, const struct node *section, struct err *e)
{
	struct node path = node_get(section, "listenerPath"),
		    data = node_get(section, "listenerMetadata");
	struct sbx_listener *l = &o->plan->listener;
	int r = node_is_empty(&path) ? 0 : oci_host_path(o, &path, &l->path, e);

	if (r == 0 && l->path && strlen(l->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		r = node_fail(&path, e, "longer than the path of a socket can be");
	if (r == 0)
		r = oci_text(o, &data, &l->metadata, e);
	if (r == 0 && l->metadata && strlen(l->metadata) > METADATA_BYTES)
		r = node_fail(&data, e, "longer than %d bytes", METADATA_BYTES);
	return r;
}

/* Ours is a process of one thread: TSYNC has no thread to tell, and beside a listener needs ESRCH's flag. */
static int set_flags(struct oci *o, const struct node *section, struct err *e)
{
	struct node path = node_get(section, "listenerPath");
	struct sbx_drop *d = &o->plan->drop;

	if (!asks_listener(&d->filter)) {
		/* As the specification says: without SCMP_ACT_NOTIFY all of this means nothing. */
		d->filter_flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
		o->plan->listener.path = NULL;
		return 0;
	}
	if (!o->plan->listener.path)
		return node_fail(&path, e, "is missing: SCMP_ACT_NOTIFY needs it");
	d->filter_flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	if (d->filter_flags & SECCOMP_FILTER_FLAG_TSYNC)
		d->filter_flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	return 0;
}

static int keep_skipped(struct oci *o, const struct buf *skipped, struct err *e)
{
	char *copy;

	if (skipped->len == 0 || buf_failed(skipped))
		return 0;
	copy = oci_alloc(o, skipped->len + 1, e);
	if (!copy)
		return -e->code;
	o->plan->seccomp_skipped = memcpy(copy, skipped->data, skipped->len + 1);
	return 0;
}

static int compile(struct oci *o, const struct node *section, struct err *e)
{
	_cleanup_profile_ struct pol_profile *p = NULL;
	_cleanup_buf_ struct buf skipped;
	int r;

	buf_init(&skipped, SKIPPED_BYTES);
	r = seccomp_json_profile(section, NULL, &skipped, &p, e);
	if (r == 0)
		r = keep_skipped(o, &skipped, e);
	if (r < 0)
		return r;
	r = pol_profile_compile(p, &o->plan->drop.filter, e);
	return r < 0 ? node_fail(section, e, "%s", strdupa(e->text)) : 0;
}

static int load_or_compile(struct oci *o, const struct node *section, struct err *e)
{
	_cleanup_free_ char *text = NULL;
	struct seccomp_key key;
	int r;

	if (!o->cache_root)
		return compile(o, section, e);
	text = json_dumps(section->json, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return err_set(e, ENOMEM, "config.json: out of memory");
	seccomp_cache_key(text, strlen(text), &key);
	if (seccomp_cache_load(o->cache_root, &key, &o->plan->drop.filter))
		return 0;
	r = compile(o, section, e);
	if (r == 0)
		seccomp_cache_store(o->cache_root, &key, &o->plan->drop.filter);
	return r;
}

int oci_seccomp(struct oci *o, const struct node *section, struct err *e)
{
	int r;

	if (!section->json)
		return 0;
	r = node_object(section, e);
	if (r == 0)
		r = read_flags(section, &o->plan->drop.filter_flags, e);
	if (r == 0)
		r = read_listener(o, section, e);
	if (r == 0)
		r = load_or_compile(o, section, e);
	if (r == 0)
		r = set_flags(o, section, e);
	if (r == 0)
		o->plan->drop.has_filter = true;
	return r;
}

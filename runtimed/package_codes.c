/* Codes that the launcher may have, and when it is to forget them: see package_codes.h. */
#include "runtimed/package_codes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/core.h"

#define HEX_SIZE (2 * LAUNCH_SHA256_LEN + 1)

void codes_free(struct codes *c)
{
	list_for_each (at, &c->known)
		free(container_of(at, struct known, link));
	fd_close(&c->incoming);
	fd_close(&c->marks);
	free(c);
}

static struct known *find_known(const struct codes *c, const uint8_t *sha256)
{
	list_for_each (at, &c->known) {
		struct known *k = container_of(at, struct known, link);

		if (memcmp(k->sha256, sha256, LAUNCH_SHA256_LEN) == 0)
			return k;
	}
	return NULL;
}

struct known *codes_add(struct codes *c, const uint8_t *sha256)
{
	struct known *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	memcpy(k->sha256, sha256, LAUNCH_SHA256_LEN);
	list_add_tail(&c->known, &k->link);
	return k;
}

int codes_hold(struct codes *c, const uint8_t *sha256, struct known **ret, struct err *e)
{
	struct known *k = find_known(c, sha256);
	_cleanup_fd_ int fd = -1;
	char hex[HEX_SIZE];

	if (!k) {
		str_hex(sha256, LAUNCH_SHA256_LEN, hex);
		fd = openat(c->marks, hex, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return err_errno(e, "mark code %s", hex);
		k = codes_add(c, sha256);
		if (!k)
			return err_set(e, ENOMEM, "package: out of memory");
	}
	k->n_holds++;
	*ret = k;
	return 0;
}

void codes_collect(struct codes *c, struct known *k)
{
	struct err e = ERR_INIT;
	char hex[HEX_SIZE];

	if (k->n_holds > 0 || c->env.is_used(c->core, k->sha256))
		return;
	if (c->env.forget(c->core, k->sha256, &e) < 0)
		return;
	str_hex(k->sha256, LAUNCH_SHA256_LEN, hex);
	(void)unlinkat(c->marks, hex, 0); /* one that stays is a code forgotten twice */
	list_del(&k->link);
	free(k);
}

void package_gc(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN])
{
	struct known *k = core->codes ? find_known(core->codes, sha256) : NULL;

	if (k)
		codes_collect(core->codes, k);
}

void package_gc_all(struct core *core)
{
	if (!core->codes)
		return;
	list_for_each (at, &core->codes->known)
		codes_collect(core->codes, container_of(at, struct known, link));
}

void package_release(struct core *core, const uint8_t sha256[LAUNCH_SHA256_LEN])
{
	struct known *k = core->codes ? find_known(core->codes, sha256) : NULL;

	if (!k || k->n_holds == 0)
		return; /* closed meanwhile */
	k->n_holds--;
	codes_collect(core->codes, k);
}

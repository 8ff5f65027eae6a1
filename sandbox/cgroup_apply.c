/*
 * Resources to a group's files: see include/sandbox/resources.h.
 *
 * Some files bound each other at every moment: limit and swap on v1, quota and burst, a weight and idle. Which one
 * has to move first depends on what is there now. So nothing is computed: whatever the kernel refuses with EINVAL
 * or EBUSY is tried again after the others, for as long as that helps.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_resources.h"

#define NOW_TEXT_MAX 128
#define V1_LIMIT     ".limit_in_bytes"
#define V1_USE       ".usage_in_bytes"

/* ---- what must be known of the group ---- */

/* A number or "max" (-1). */
static int read_limit(const struct cg *cg, const char *file, int64_t *ret, struct err *e)
{
	char text[NOW_TEXT_MAX];
	uint64_t value = 0;
	int r = file_read(cg->dir[CG_MEMORY], file, text, sizeof(text), e);

	if (r == 0 && !str_is(text, "max"))
		r = str_to_u64(text, 0, INT64_MAX, file, &value, e);
	if (r == 0)
		*ret = str_is(text, "max") ? -1 : (int64_t)value;
	return r;
}

static int look(const struct cg *cg, const struct cg_resources *r, char quota[NOW_TEXT_MAX],
		struct cg_now *now, struct err *e)
{
	int code = 0;

	*now = (struct cg_now){.quota = quota};
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		now->in |= cg_is_in(cg, h) ? CG_BIT(h) : 0;
		now->v2 |= cg_is_v2(cg, h) ? CG_BIT(h) : 0;
	}
	if (r->has[CG_MEMORY_SWAP] && !r->has[CG_MEMORY_LIMIT] && cg_is_v2(cg, CG_MEMORY))
		code = read_limit(cg, "memory.max", &now->memory_bytes, e);
	if (code == 0 && r->has[CG_CPU_PERIOD] && cg_is_v2(cg, CG_CPU)) {
		code = file_read(cg->dir[CG_CPU], "cpu.max", quota, NOW_TEXT_MAX, e);
		quota[strcspn(quota, " ")] = '\0';
	}
	return code;
}

static int below_use(const char *member, int64_t limit, int64_t use, const char *more,
		     struct err *e)
{
	return err_set(e, EBUSY,
		       "linux.resources.%s: %" PRId64 " bytes are asked for, but %" PRId64
		       " are in use%s",
		       member, limit, use, more);
}

/* v1 refuses by itself what it cannot reclaim; v2 would kill. */
static int check_use(const struct cg *cg, const struct cg_resources *r, struct err *e)
{
	int64_t limit = r->number[CG_MEMORY_LIMIT], use = 0;
	int code;

	if (!r->has[CG_MEMORY_CHECK] || !r->number[CG_MEMORY_CHECK] || !r->has[CG_MEMORY_LIMIT] ||
	    limit <= 0)
		return 0;
	code = read_limit(cg, cg_is_v2(cg, CG_MEMORY) ? "memory.current" : "memory.usage_in_bytes",
			  &use, e);
	return code == 0 && use > limit ? below_use("memory.limit", limit, use, "", e) : code;
}

/* ---- writing ---- */

/* What it means that a file of the v2 group is not there: its controller is not. */
static int unified_error(const struct cg_write *w, struct err *e)
{
	return err_set(e, ENOENT,
		       "linux.resources.%s: unified resource \"%s\" can't be set: controller "
		       "\"%.*s\" not available: invalid configuration for this host",
		       w->member, w->file, (int)strcspn(w->file, "."), w->file);
}

/* v1 refuses (EBUSY) a limit below what is used and cannot be reclaimed. Beside it is a file that tells the use. */
static int write_error(const struct cg *cg, const struct cg_write *w, const char *file,
		       const char *text, struct err *e)
{
	int code = err_errno(e, "linux.resources.%s: write '%.64s' to '%s'", w->member, text, file);
	bool is_limit = w->at == CG_MEMORY && str_has_suffix(file, V1_LIMIT);
	char beside[CG_FILE_MAX + sizeof(V1_USE)];
	struct err lost = ERR_INIT;
	uint64_t limit = 0;
	int64_t use = 0;

	if (code != -EBUSY || !is_limit)
		return code;
	(void)snprintf(beside, sizeof(beside), "%.*s" V1_USE,
		       (int)(strlen(file) - strlen(V1_LIMIT)), file);
	if (read_limit(cg, beside, &use, &lost) == 0 &&
	    str_to_u64(text, 0, INT64_MAX, file, &limit, &lost) == 0)
		(void)below_use(w->member, (int64_t)limit, use, " and cannot be reclaimed", e);
	return code;
}

static int write_one(const struct cg *cg, const struct cg_write *w, struct err *e)
{
	const char *file = w->file, *text = w->long_text ? w->long_text : w->text;
	_cleanup_fd_ int fd = openat(cg->dir[w->at], file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t n;

	if (fd < 0 && errno == ENOENT && w->other_file[0]) {
		file = w->other_file;
		text = w->other_text;
		fd = openat(cg->dir[w->at], file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 && errno == ENOENT && w->may_lack)
		return 0;
	if (fd < 0 && errno == ENOENT && w->at == CG_CORE)
		return unified_error(w, e);
	if (fd < 0)
		return err_errno(e, "linux.resources.%s: open '%s'", w->member, file);
	n = strlen(text);
	return write(fd, text, n) == (ssize_t)n ? 0 : write_error(cg, w, file, text, e);
}

/* One round over what is left, moved to the front; *e is of the first that failed. */
static int write_round(const struct cg *cg, struct cg_write *writes, size_t *n, struct err *e)
{
	size_t left = 0;
	int first = 0;

	for (size_t i = 0; i < *n; i++) {
		struct err later = ERR_INIT;
		int r = write_one(cg, &writes[i], left == 0 ? e : &later);

		if (r == -EINVAL || r == -EBUSY) {
			first = left == 0 ? r : first;
			if (left != i)
				writes[left] = writes[i];
			left++;
		} else if (r < 0) {
			if (left > 0)
				*e = later;
			return r;
		}
	}
	*n = left;
	return first;
}

static int write_all(const struct cg *cg, struct cg_write *writes, size_t n, struct err *e)
{
	size_t before;
	int r = 0;

	while (n > 0) {
		before = n;
		r = write_round(cg, writes, &n, e);
		if (r < 0 && (n == before || (r != -EINVAL && r != -EBUSY)))
			return r;
	}
	return 0;
}

static int apply_numbers(const struct cg *cg, const struct cg_resources *r, struct err *e)
{
	_cleanup_free_ struct cg_write *writes = NULL;
	char quota[NOW_TEXT_MAX] = "max";
	struct cg_now now;
	size_t n = 0;
	int code;

	if (cg_resources_is_empty(r))
		return 0;
	writes = calloc(cg_compile_room(r), sizeof(*writes));
	if (!writes)
		return err_set(e, ENOMEM, "linux.resources: out of memory");
	code = look(cg, r, quota, &now, e);
	if (code == 0)
		code = check_use(cg, r, e);
	if (code == 0)
		code = cg_compile(r, &now, writes, &n, e);
	return code < 0 ? code : write_all(cg, writes, n, e);
}

int cg_resources_apply(const struct cg *cg, const struct cg_resources *r, struct err *e)
{
	struct err why = ERR_INIT;
	int code = apply_numbers(cg, r, e);

	if (code < 0 || !r->limits_devices)
		return code;
	code = cg_devices_apply(cg, r->devices, r->n_devices, &why);
	if (code == -EPERM && r->devices_may_fail)
		return 0;
	if (code < 0)
		*e = why;
	return code < 0 ? err_wrap(e, "linux.resources.devices") : 0;
}

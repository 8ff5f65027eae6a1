/*
 * All numbers of a group as JSON, in the shape that other runtimes' `events --stats` gave to "data". See cgroup.h.
 *
 * One table says which file and key a number comes from on v1 and on v2; what is not there is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_host.h"

#define TEXT_MAX (64 << 10)

struct reader {
	const struct cg *cg;
	char text[TEXT_MAX];
};

/* False where there is no such file, or it is longer than any we know of. */
static bool read_text(struct reader *r, enum cg_hierarchy at, const char *file)
{
	struct err lost = ERR_INIT;

	return cg_is_in(r->cg, at) &&
	       file_read(r->cg->dir[at], file, r->text, sizeof(r->text), &lost) == 0;
}

/* ---- single numbers ---- */

/* clang-format off */
static const struct row {
	const char *path; /* "cpu.usage.total" */
	enum cg_hierarchy at;
	const char *v1_file, *v1_key, *v2_file, *v2_key; /* file NULL: not there; key NULL: the whole file is it */
	uint64_t v1_scale, v2_scale;
} rows[] = {
	{"cpu.usage.total",                   CG_CORE,   "cpu.stat", "usage_usec", "cpu.stat", "usage_usec", 1000, 1000},
	{"cpu.usage.user",                    CG_CORE,   "cpu.stat", "user_usec", "cpu.stat", "user_usec", 1000, 1000},
	{"cpu.usage.kernel",                  CG_CORE,   "cpu.stat", "system_usec", "cpu.stat", "system_usec", 1000, 1000},
	{"cpu.throttling.periods",            CG_CPU,    "cpu.stat", "nr_periods", "cpu.stat", "nr_periods", 1, 1},
	{"cpu.throttling.throttledPeriods",   CG_CPU,    "cpu.stat", "nr_throttled", "cpu.stat", "nr_throttled", 1, 1},
	{"cpu.throttling.throttledTime",      CG_CPU,    "cpu.stat", "throttled_time", "cpu.stat", "throttled_usec", 1, 1000},
	{"memory.usage.usage",                CG_MEMORY, "memory.usage_in_bytes", NULL, "memory.current", NULL, 1, 1},
	{"memory.usage.limit",                CG_MEMORY, "memory.limit_in_bytes", NULL, "memory.max", NULL, 1, 1},
	{"memory.usage.max",                  CG_MEMORY, "memory.max_usage_in_bytes", NULL, "memory.peak", NULL, 1, 1},
	{"memory.usage.failcnt",              CG_MEMORY, "memory.failcnt", NULL, "memory.events", "max", 1, 1},
	{"memory.cache",                      CG_MEMORY, "memory.stat", "cache", "memory.stat", "file", 1, 1},
	{"memory.swap.usage",                 CG_MEMORY, "memory.memsw.usage_in_bytes", NULL, "memory.swap.current", NULL, 1, 1},
	{"memory.swap.limit",                 CG_MEMORY, "memory.memsw.limit_in_bytes", NULL, "memory.swap.max", NULL, 1, 1},
	{"memory.swap.max",                   CG_MEMORY, "memory.memsw.max_usage_in_bytes", NULL, "memory.swap.peak", NULL, 1, 1},
	{"memory.swap.failcnt",               CG_MEMORY, "memory.memsw.failcnt", NULL, "memory.swap.events", "fail", 1, 1},
	{"memory.kernel.usage",               CG_MEMORY, "memory.kmem.usage_in_bytes", NULL, "memory.stat", "kernel", 1, 1},
	{"memory.kernelTCP.usage",            CG_MEMORY, "memory.kmem.tcp.usage_in_bytes", NULL, "memory.stat", "sock", 1, 1},
	{"memory.kernelTCP.limit",            CG_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, NULL, NULL, 1, 1},
	{"pids.current",                      CG_PIDS,   "pids.current", NULL, "pids.current", NULL, 1, 1},
	{"pids.limit",                        CG_PIDS,   "pids.max", NULL, "pids.max", NULL, 1, 1},
};
/* clang-format on */

/* Put the number where the dotted path says, making the objects on the way. */
static int put(json_t *top, const char *path, uint64_t value)
{
	char part[64];
	size_t n = strcspn(path, ".");
	json_t *below;

	(void)snprintf(part, sizeof(part), "%.*s", (int)n, path);
	if (path[n] == '\0')
		/* Numbers of JSON are signed here; what is above is "unlimited" anyway. */
		return json_object_set_new(
			top, part, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
	below = json_object_get(top, part);
	if (!below) {
		below = json_object();
		if (json_object_set_new(top, part, below) < 0)
			return -1;
	}
	return put(below, path + n + 1, value);
}

/* "max" is the largest number: engines compare it with the machine's. */
static bool whole_file(const char *text, uint64_t *ret)
{
	char *end;

	if (str_is(text, "max")) {
		*ret = UINT64_MAX;
		return true;
	}
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static int put_rows(struct reader *r, json_t *top)
{
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		bool v2 = cg_is_v2(r->cg, row->at);
		const char *file = v2 ? row->v2_file : row->v1_file,
			   *key = v2 ? row->v2_key : row->v1_key;
		uint64_t value;

		if (!file || !read_text(r, row->at, file) ||
		    !(key ? cg_flat_value(r->text, key, &value) : whole_file(r->text, &value)))
			continue;
		if (value != UINT64_MAX)
			value *= v2 ? row->v2_scale : row->v1_scale;
		/* Elsewhere no limit of processes is told as 0. */
		if (str_is(row->path, "pids.limit") && value == UINT64_MAX)
			value = 0;
		failed |= put(top, row->path, value);
	}
	return failed;
}

/* ---- lists ---- */

/* memory.stat as it is: an object of its lines. */
static int put_raw(struct reader *r, json_t *top)
{
	json_t *memory = json_object_get(top, "memory"), *raw;
	unsigned long long value;
	char *save, key[64];
	int failed = 0;

	if (!memory || !read_text(r, CG_MEMORY, "memory.stat"))
		return 0;
	raw = json_object();
	failed |= json_object_set_new(memory, "raw", raw);
	for (char *line = strtok_r(r->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (failed == 0 && sscanf(line, "%63s %llu", key, &value) == 2)
			failed |= put(raw, key, value);
	return failed;
}

static int put_io(json_t *list, unsigned int major, unsigned int minor, const char *op,
		  unsigned long long value)
{
	return json_array_append_new(list, json_pack("{s:I, s:I, s:s, s:I}", "major",
						     (json_int_t)major, "minor", (json_int_t)minor,
						     "op", op, "value", (json_int_t)value));
}

/* "8:0 Read 4096", and a line "Total 4096" that is nobody's */
static int put_blkio_v1(struct reader *r, const char *file, json_t *list)
{
	unsigned int major, minor;
	unsigned long long value;
	char *save, op[32];
	int failed = 0;

	if (!read_text(r, CG_BLKIO, file))
		return 0;
	for (char *line = strtok_r(r->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u:%u %31s %llu", &major, &minor, op, &value) == 4)
			failed |= put_io(list, major, minor, op, value);
	return failed;
}

/* io.stat: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0" */
static int put_blkio_v2(struct reader *r, json_t *bytes, json_t *counts)
{
	static const struct {
		const char *key, *op;
		bool is_bytes;
	} keys[] = {
		{"rbytes=", "Read",  true },
		{"wbytes=", "Write", true },
		{"rios=",   "Read",  false},
		{"wios=",   "Write", false},
	};
	unsigned int major, minor;
	char *save;
	int failed = 0;

	if (!read_text(r, CG_BLKIO, "io.stat"))
		return 0;
	for (char *line = strtok_r(r->text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%u:%u", &major, &minor) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			const char *at = strstr(line, keys[i].key);

			if (at)
				failed |= put_io(keys[i].is_bytes ? bytes : counts, major, minor,
						 keys[i].op,
						 strtoull(at + strlen(keys[i].key), NULL, 10));
		}
	}
	return failed;
}

static int put_blkio(struct reader *r, json_t *top)
{
	json_t *blkio, *bytes, *counts;
	int failed;

	if (!cg_is_in(r->cg, CG_BLKIO))
		return 0;
	blkio = json_object();
	bytes = json_array();
	counts = json_array();
	failed = json_object_set_new(top, "blkio", blkio);
	failed |= json_object_set_new(blkio, "ioServiceBytesRecursive", bytes);
	failed |= json_object_set_new(blkio, "ioServicedRecursive", counts);
	if (failed)
		return failed;
	if (cg_is_v2(r->cg, CG_BLKIO))
		return put_blkio_v2(r, bytes, counts);
	failed = put_blkio_v1(r, "blkio.throttle.io_service_bytes_recursive", bytes);
	return failed | put_blkio_v1(r, "blkio.throttle.io_serviced_recursive", counts);
}

static int put_huge_page(struct reader *r, json_t *list, const char *size)
{
	static const char *const v1[] = {"usage_in_bytes", "max_usage_in_bytes", "failcnt"};
	static const char *const v2[] = {"current", NULL, "events"};
	static const char *const keys[] = {"usage", "max", "failcnt"};
	bool is_v2 = cg_is_v2(r->cg, CG_HUGETLB);
	json_t *page = json_object();
	int failed = json_object_set_new(list, size, page);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *last = is_v2 ? v2[i] : v1[i];
		char file[96];
		uint64_t value = 0;

		if (!last)
			continue;
		(void)snprintf(file, sizeof(file), "hugetlb.%s.%s", size, last);
		if (!read_text(r, CG_HUGETLB, file))
			continue;
		if (cg_flat_value(r->text, "max", &value) || whole_file(r->text, &value))
			failed |= put(page, keys[i], value);
	}
	return failed;
}

/* The page sizes are those of the machine: /sys/kernel/mm/hugepages/hugepages-2048kB. */
static int put_huge_pages(struct reader *r, json_t *top)
{
	static const struct {
		const char *size;
		const char *probe;
	} sizes[] = {
		{"64KB",  "/sys/kernel/mm/hugepages/hugepages-64kB"     },
		{"1MB",   "/sys/kernel/mm/hugepages/hugepages-1024kB"   },
		{"2MB",   "/sys/kernel/mm/hugepages/hugepages-2048kB"   },
		{"32MB",  "/sys/kernel/mm/hugepages/hugepages-32768kB"  },
		{"512MB", "/sys/kernel/mm/hugepages/hugepages-524288kB" },
		{"1GB",   "/sys/kernel/mm/hugepages/hugepages-1048576kB"},
	};
	json_t *list;
	int failed;

	if (!cg_is_in(r->cg, CG_HUGETLB))
		return 0;
	list = json_object();
	failed = json_object_set_new(top, "hugetlb", list);
	for (size_t i = 0; failed == 0 && i < ARRAY_SIZE(sizes); i++)
		if (access(sizes[i].probe, F_OK) == 0)
			failed |= put_huge_page(r, list, sizes[i].size);
	return failed;
}

int cg_stats_json(const struct cg *cg, struct buf *out, struct err *e)
{
	_cleanup_free_ struct reader *r = malloc(sizeof(*r));
	_cleanup_free_ char *text = NULL;
	json_t *top = json_object();
	int failed = !r || !top;

	if (!failed) {
		r->cg = cg;
		failed = put_rows(r, top) | put_raw(r, top) | put_blkio(r, top) |
			 put_huge_pages(r, top);
	}
	if (!failed)
		text = json_dumps(top, JSON_COMPACT);
	json_decref(top);
	if (!text)
		return err_set(e, ENOMEM, "cgroup statistics: out of memory");
	if (!cg_is_in(cg, CG_CORE) || str_is(text, "{}"))
		return err_set(e, ENODEV, "cgroup statistics: the group is gone");
	buf_puts(out, text);
	return buf_failed(out) ? err_set(e, EFBIG, "cgroup statistics: too long") : 0;
}

/*
 * sandbox update: other limits for a container that there is. What is asked becomes one linux.resources text,
 * from --resources or from single options, so both are checked as a config.json is.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/group.h"
#include "sandbox/plan.h"
#include "sandbox/resources.h"

#define RESOURCES_BYTES (1u << 20)
#define ARENA_BYTES     (4u * RESOURCES_BYTES)
#define AMOUNT_BYTES    32

#define NO_RDT          "cache and bandwidth of a running container are not changed"

/* clang-format off */
#define KNOB(which) OPT_TEXT, offsetof(struct cli, knobs[which])
const struct opt update_opts[] = {
	{"resources", 'r', OPT_TEXT, offsetof(struct cli, file), "FILE",
	 "take linux.resources from this file; - is standard input; no other option then"},
	{"memory", 'm', KNOB(CLI_MEMORY), "BYTES", "memory limit; 64M, 1G; -1 is none"},
	{"memory-swap", 0, KNOB(CLI_MEMORY_SWAP), "BYTES", "memory and swap together; -1 is no limit"},
	{"memory-reservation", 0, KNOB(CLI_MEMORY_RESERVATION), "BYTES", "memory that is reclaimed last"},
	{"kernel-memory", 0, KNOB(CLI_MEMORY_KERNEL), "BYTES", "limit of kernel memory; cgroup v1 before Linux 5.16"},
	{"kernel-memory-tcp", 0, KNOB(CLI_MEMORY_KERNEL_TCP), "BYTES", "limit of TCP buffers; cgroup v1"},
	{"cpu-share", 0, KNOB(CLI_CPU_SHARES), "N", "CPU weight, 2 to 262144; default 1024"},
	{"cpu-shares", 0, KNOB(CLI_CPU_SHARES), "N", NULL},
	{"cpu-quota", 0, KNOB(CLI_CPU_QUOTA), "US", "CPU time a period, microseconds; -1 is no limit"},
	{"cpu-period", 0, KNOB(CLI_CPU_PERIOD), "US", "length of that period"},
	{"cpu-burst", 0, KNOB(CLI_CPU_BURST), "US", "CPU time that may be saved for later periods"},
	{"cpu-idle", 0, KNOB(CLI_CPU_IDLE), "N", "1: run only when nobody else wants to"},
	{"cpu-rt-period", 0, KNOB(CLI_CPU_RT_PERIOD), "US", "period of real-time tasks; cgroup v1"},
	{"cpu-rt-runtime", 0, KNOB(CLI_CPU_RT_RUNTIME), "US", "time of real-time tasks in it; cgroup v1"},
	{"cpuset-cpus", 0, KNOB(CLI_CPUSET_CPUS), "LIST", "CPUs to run on; 0-3,7"},
	{"cpuset-mems", 0, KNOB(CLI_CPUSET_MEMS), "LIST", "memory nodes to allocate from"},
	{"pids-limit", 0, KNOB(CLI_PIDS_LIMIT), "N", "processes and threads; -1 is no limit"},
	{"blkio-weight", 0, KNOB(CLI_BLKIO_WEIGHT), "N", "disk weight, 10 to 1000"},
	{"l3-cache-schema", 0, OPT_REFUSED, 0, "TEXT", NO_RDT},
	{"mem-bw-schema", 0, OPT_REFUSED, 0, "TEXT", NO_RDT},
	OPT_ROW_ID,
	OPT_ROW_END,
};

enum kind { KIND_NUMBER, KIND_BYTES, KIND_TEXT };

/* Where each belongs in linux.resources. */
static const struct {
	const char *part, *key;
	enum kind kind;
} knobs[CLI_KNOBS] = {
	[CLI_MEMORY] =             {"memory", "limit", KIND_BYTES},
	[CLI_MEMORY_SWAP] =        {"memory", "swap", KIND_BYTES},
	[CLI_MEMORY_RESERVATION] = {"memory", "reservation", KIND_BYTES},
	[CLI_MEMORY_KERNEL] =      {"memory", "kernel", KIND_BYTES},
	[CLI_MEMORY_KERNEL_TCP] =  {"memory", "kernelTCP", KIND_BYTES},
	[CLI_CPU_SHARES] =         {"cpu", "shares", KIND_NUMBER},
	[CLI_CPU_QUOTA] =          {"cpu", "quota", KIND_NUMBER},
	[CLI_CPU_PERIOD] =         {"cpu", "period", KIND_NUMBER},
	[CLI_CPU_BURST] =          {"cpu", "burst", KIND_NUMBER},
	[CLI_CPU_IDLE] =           {"cpu", "idle", KIND_NUMBER},
	[CLI_CPU_RT_PERIOD] =      {"cpu", "realtimePeriod", KIND_NUMBER},
	[CLI_CPU_RT_RUNTIME] =     {"cpu", "realtimeRuntime", KIND_NUMBER},
	[CLI_CPUSET_CPUS] =        {"cpu", "cpus", KIND_TEXT},
	[CLI_CPUSET_MEMS] =        {"cpu", "mems", KIND_TEXT},
	[CLI_PIDS_LIMIT] =         {"pids", "limit", KIND_NUMBER},
	[CLI_BLKIO_WEIGHT] =       {"blockIO", "weight", KIND_NUMBER},
};
/* clang-format on */

static bool has_knobs(const struct cli *c)
{
	for (size_t i = 0; i < CLI_KNOBS; i++)
		if (c->knobs[i])
			return true;
	return false;
}

/* ---- the text ---- */

/* "64m", "64MB" and "64M" are one: the first two are how engines spell it. */
static int amount(const char *text, enum kind kind, const char *what, int64_t *ret, struct err *e)
{
	char copy[AMOUNT_BYTES];
	size_t n = strlen(text);
	uint64_t value = 0;
	int r;

	if (str_is(text, "-1")) {
		*ret = -1;
		return 0;
	}
	if (n == 0 || !str_copy(copy, sizeof(copy), text))
		return err_set(e, EINVAL, "%s: '%s' is no number", what, text);
	if (kind == KIND_BYTES && n > 1 && (copy[n - 1] == 'b' || copy[n - 1] == 'B'))
		copy[--n] = '\0';
	if (kind == KIND_BYTES)
		copy[n - 1] = (char)toupper((unsigned char)copy[n - 1]);
	r = kind == KIND_BYTES ? str_to_bytes(copy, what, &value, e)
			       : str_to_u64(copy, 0, INT64_MAX, what, &value, e);
	if (r == 0 && value > INT64_MAX)
		r = err_set(e, ERANGE, "%s: '%s' is too much", what, text);
	if (r == 0)
		*ret = (int64_t)value;
	return r;
}

static int add_knob(json_t *all, size_t i, const char *text, struct err *e)
{
	char what[64];
	json_t *one;
	int64_t value = 0;
	int r = 0;

	(void)snprintf(what, sizeof(what), "%s.%s", knobs[i].part, knobs[i].key);
	if (knobs[i].kind != KIND_TEXT)
		r = amount(text, knobs[i].kind, what, &value, e);
	if (r < 0)
		return r;
	one = knobs[i].kind == KIND_TEXT
		      ? json_pack("{s:{s:s}}", knobs[i].part, knobs[i].key, text)
		      : json_pack("{s:{s:I}}", knobs[i].part, knobs[i].key, (json_int_t)value);
	if (!one || json_object_update_recursive(all, one) < 0)
		r = err_set(e, ENOMEM, "out of memory, or not UTF-8: '%s'", text);
	json_decref(one);
	return r;
}

static int from_knobs(const struct cli *c, struct buf *out, struct err *e)
{
	json_t *all = json_object();
	_cleanup_free_ char *text = NULL;
	int r = all ? 0 : err_set(e, ENOMEM, "out of memory");

	for (size_t i = 0; r == 0 && i < CLI_KNOBS; i++)
		if (c->knobs[i])
			r = add_knob(all, i, c->knobs[i], e);
	if (r == 0)
		text = json_dumps(all, 0);
	json_decref(all);
	if (text)
		buf_puts(out, text);
	return r < 0 || text ? r : err_set(e, ENOMEM, "out of memory");
}

static int from_file(const char *path, struct buf *out, struct err *e)
{
	_cleanup_fd_ int file = -1;
	bool is_stdin = str_is(path, "-");
	ssize_t n = 1;

	if (!is_stdin)
		file = open(path, O_RDONLY | O_CLOEXEC);
	if (!is_stdin && file < 0)
		return err_errno(e, "open '%s'", path);
	while (n > 0) {
		void *room = buf_reserve(out, 4096);

		if (!room)
			return err_set(e, EFBIG, "'%s': over %u bytes", path, RESOURCES_BYTES);
		n = read(is_stdin ? STDIN_FILENO : file, room, 4096);
		if (n < 0)
			return err_errno(e, "read '%s'", path);
		buf_commit(out, (size_t)n);
	}
	return 0;
}

static int read_text(const struct cli *c, struct buf *out, struct err *e)
{
	if (c->file && has_knobs(c))
		return err_set(e, EINVAL, "--resources, or single limits: not both");
	if (c->file)
		return from_file(c->file, out, e);
	if (!has_knobs(c))
		return err_set(e, EINVAL, "nothing to change is given");
	return from_knobs(c, out, e);
}

/* ---- the command ---- */

static int apply(const struct cli *c, const struct cg_resources *resources, struct err *e)
{
	_cleanup_state_ struct state s = STATE_INIT;
	_cleanup_cg_ struct cg group = CG_INIT;
	enum state_status status;
	int r = cli_open_group(c, true, &s, &status, &group, e);

	return r < 0 ? r : cg_resources_apply(&group, resources, e);
}

int cmd_update(struct cli *c, struct err *e)
{
	_cleanup_buf_ struct buf text;
	struct cg_resources resources = {0};
	struct arena *arena = arena_new(ARENA_BYTES);
	int r = arena ? 0 : err_set(e, ENOMEM, "out of memory");

	buf_init(&text, RESOURCES_BYTES);
	if (r == 0)
		r = read_text(c, &text, e);
	if (r == 0)
		r = sbx_resources_parse(text.data, text.len, arena, &resources, e);
	if (r == 0)
		r = apply(c, &resources, e);
	arena_free(arena);
	return r;
}

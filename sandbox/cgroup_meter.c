/*
 * Metering by descriptors. Both versions spell the numbers alike ("oom_kill N" stands in
 * memory.events and in memory.oom_control), so only the names of the files differ, and who reads
 * needs not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cgroup_host.h"

/* cpu.stat of a kernel with PSI and burst statistics has about 350 bytes. */
#define STAT_TEXT_MAX 1024

/* clang-format off */
static const struct source {
	enum cg_hierarchy at;
	const char *v2_file, *v1_file;
	int flags;
	bool is_optional;
} sources[] = {
	[CG_FD_CPU_STAT]     = {CG_CORE,   "cpu.stat",       "cpu.stat",                  O_RDONLY, false},
	[CG_FD_MEM_PEAK]     = {CG_MEMORY, "memory.peak",    "memory.max_usage_in_bytes", O_RDWR,   false},
	[CG_FD_OOM]          = {CG_MEMORY, "memory.events",  "memory.oom_control",        O_RDONLY, false},
	[CG_FD_FREEZE]       = {CG_CORE,   "cgroup.freeze",  "cgroup.freeze",             O_RDWR,   false},
	[CG_FD_MEM_NOW]      = {CG_MEMORY, "memory.current", "memory.usage_in_bytes",     O_RDONLY, false},
	[CG_FD_CPU_THROTTLE] = {CG_CPU,    "cpu.stat",       "cpu.stat",                  O_RDONLY, false},
	[CG_FD_PIDS_NOW]     = {CG_PIDS,   "pids.current",   "pids.current",              O_RDONLY, false},
	[CG_FD_PIDS_PEAK]    = {CG_PIDS,   "pids.peak",      "pids.peak",                 O_RDONLY, true},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(sources) == CG_METER_FDS, "a source for each descriptor");

static int open_source(const struct cg *cg, const struct source *s, int *ret_fd, struct err *e)
{
	int dir = cg->dir[s->at], flags = s->flags;
	const char *file = cg_is_v2(cg, s->at) ? s->v2_file : s->v1_file;
	struct stat st;

	if (fstatat(dir, file, &st, 0) < 0)
		return errno == ENOENT && s->is_optional ? 0 : err_errno(e, "meter '%s'", file);
	/* memory.peak before 6.12 has no write bit, and an open for writing would be refused. */
	if (!(st.st_mode & S_IWUSR))
		flags = O_RDONLY;
	*ret_fd = openat(dir, file, flags | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno(e, "meter '%s'", file) : 0;
}

int cg_meter_open(const struct cg *cg, struct cg_meter *ret, struct err *e)
{
	struct cg_meter m = CG_METER_INIT;
	int r = 0;

	for (int i = 0; i < CG_METER_FDS && r == 0; i++)
		r = open_source(cg, &sources[i], &m.fd[i], e);
	if (r < 0) {
		cg_meter_close(&m);
		return r;
	}
	m.peak_resets = (fcntl(m.fd[CG_FD_MEM_PEAK], F_GETFL) & O_ACCMODE) == O_RDWR;
	*ret = m;
	return 0;
}

void cg_meter_close(struct cg_meter *m)
{
	for (int i = 0; i < CG_METER_FDS; i++)
		fd_close(&m->fd[i]);
}

/* ---- reading ---- */

static int read_text(const struct cg_meter *m, enum cg_meter_fd which, char *text, struct err *e)
{
	int r;

	text[0] = '\0';
	if (m->fd[which] < 0)
		return 0;
	r = file_pread(m->fd[which], text, STAT_TEXT_MAX);
	return r < 0 ? err_set(e, -r, "meter '%s': %s", sources[which].v2_file, err_name(-r)) : 0;
}

/* A file that is one number. */
static int read_number(const struct cg_meter *m, enum cg_meter_fd which, uint64_t *ret,
		       struct err *e)
{
	char text[STAT_TEXT_MAX];
	int r = read_text(m, which, text, e);

	if (r == 0)
		*ret = strtoull(text, NULL, 10);
	return r;
}

/* A file of "key number" lines; a key that is not there reads as 0. */
static int read_key(const struct cg_meter *m, enum cg_meter_fd which, const char *key,
		    uint64_t *ret, struct err *e)
{
	char text[STAT_TEXT_MAX];
	uint64_t value = 0;
	int r = read_text(m, which, text, e);

	if (r < 0)
		return r;
	(void)cg_flat_value(text, key, &value);
	*ret = value;
	return 0;
}

static int read_cpu(const struct cg_meter *m, struct cg_usage *u, struct err *e)
{
	char text[STAT_TEXT_MAX];
	int r = read_text(m, CG_FD_CPU_STAT, text, e);

	if (r < 0)
		return r;
	(void)cg_flat_value(text, "usage_usec", &u->cpu_us);
	(void)cg_flat_value(text, "user_usec", &u->cpu_user_us);
	(void)cg_flat_value(text, "system_usec", &u->cpu_system_us);
	return 0;
}

/* v2 tells µs as throttled_usec, v1 ns as throttled_time; each has only its own line. */
static int read_throttle(const struct cg_meter *m, struct cg_usage *u, struct err *e)
{
	char text[STAT_TEXT_MAX];
	uint64_t ns;
	int r = read_text(m, CG_FD_CPU_THROTTLE, text, e);

	if (r < 0)
		return r;
	if (cg_flat_value(text, "throttled_time", &ns))
		u->throttled_us = ns / 1000;
	(void)cg_flat_value(text, "throttled_usec", &u->throttled_us);
	return 0;
}

int cg_meter_read(const struct cg_meter *m, struct cg_usage *ret, struct err *e)
{
	struct cg_usage u = {0};
	int r = read_cpu(m, &u, e);

	if (r == 0)
		r = read_throttle(m, &u, e);
	if (r == 0)
		r = read_number(m, CG_FD_MEM_NOW, &u.memory_now_bytes, e);
	if (r == 0)
		r = read_number(m, CG_FD_MEM_PEAK, &u.memory_peak_bytes, e);
	if (r == 0)
		r = read_key(m, CG_FD_OOM, "oom_kill", &u.oom_kills, e);
	if (r == 0)
		r = read_number(m, CG_FD_PIDS_NOW, &u.pids_now, e);
	if (r == 0)
		r = read_number(m, CG_FD_PIDS_PEAK, &u.pids_peak, e);
	if (r == 0)
		*ret = u;
	return r;
}

int cg_meter_cpu_us(const struct cg_meter *m, uint64_t *ret_us, struct err *e)
{
	return read_key(m, CG_FD_CPU_STAT, "usage_usec", ret_us, e);
}

int cg_meter_memory_peak_bytes(const struct cg_meter *m, uint64_t *ret_bytes, struct err *e)
{
	return read_number(m, CG_FD_MEM_PEAK, ret_bytes, e);
}

int cg_meter_oom_kills(const struct cg_meter *m, uint64_t *ret, struct err *e)
{
	return read_key(m, CG_FD_OOM, "oom_kill", ret, e);
}

/* ---- writing ---- */

int cg_meter_set_frozen(const struct cg_meter *m, bool frozen, struct err *e)
{
	if (pwrite(m->fd[CG_FD_FREEZE], frozen ? "1" : "0", 1, 0) != 1)
		return err_errno(e, "cgroup: %s", frozen ? "freeze" : "thaw");
	return 0;
}

int cg_meter_reset_peak(const struct cg_meter *m, struct err *e)
{
	if (!m->peak_resets)
		return CG_E_PEAK_STAYS;
	if (pwrite(m->fd[CG_FD_MEM_PEAK], "0", 1, 0) != 1)
		return err_errno(e, "meter: reset the memory peak");
	return 0;
}

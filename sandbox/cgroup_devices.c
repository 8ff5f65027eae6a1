/* Which devices a group may use: see include/sandbox/resources.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cgroup_bpf.h"
#include "sandbox/cgroup_host.h"

/* clang-format off */
const struct cg_device cg_default_devices[] = {
	{true, 'c', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_MKNOD},
	{true, 'b', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_MKNOD},
	{true, 'c', 1,   3,          CG_DEV_ALL}, /* null */
	{true, 'c', 1,   5,          CG_DEV_ALL}, /* zero */
	{true, 'c', 1,   7,          CG_DEV_ALL}, /* full */
	{true, 'c', 1,   8,          CG_DEV_ALL}, /* random */
	{true, 'c', 1,   9,          CG_DEV_ALL}, /* urandom */
	{true, 'c', 5,   0,          CG_DEV_ALL}, /* tty */
	{true, 'c', 5,   2,          CG_DEV_ALL}, /* ptmx */
	{true, 'c', 136, CG_DEV_ANY, CG_DEV_ALL}, /* terminals */
};
/* clang-format on */
const size_t cg_n_default_devices = ARRAY_SIZE(cg_default_devices);

/* "c 1:3 rwm"; on v1 the type 'a' takes neither numbers nor accesses into account. */
static void put_number(char *out, size_t size, int64_t n)
{
	if (n < 0)
		(void)snprintf(out, size, "*");
	else
		(void)snprintf(out, size, "%lld", (long long)n);
}

static int write_rule(int dir, const struct cg_device *d, char type, struct err *e)
{
	char major[24], minor[24], text[64];

	put_number(major, sizeof(major), d->major);
	put_number(minor, sizeof(minor), d->minor);
	(void)snprintf(text, sizeof(text), "%c %s:%s %s%s%s", type, major, minor,
		       d->access & CG_DEV_READ ? "r" : "", d->access & CG_DEV_WRITE ? "w" : "",
		       d->access & CG_DEV_MKNOD ? "m" : "");
	return file_write(dir, d->is_allowed ? "devices.allow" : "devices.deny", text, e);
}

static bool is_everything(const struct cg_device *d)
{
	return d->type == 'a' && d->major < 0 && d->minor < 0 && d->access == CG_DEV_ALL;
}

/* v1 knows "a" for everything only; one that means less is two rules. */
static int write_v1(int dir, const struct cg_device *d, struct err *e)
{
	int r;

	if (is_everything(d))
		return file_write(dir, d->is_allowed ? "devices.allow" : "devices.deny", "a", e);
	if (d->type != 'a')
		return write_rule(dir, d, d->type, e);
	r = write_rule(dir, d, 'c', e);
	return r < 0 ? r : write_rule(dir, d, 'b', e);
}

/* The last rule for everything: those before it count no more. -1: there is none. */
static ssize_t last_everything(const struct cg_device *rules, size_t n)
{
	while (n-- > 0)
		if (is_everything(&rules[n]))
			return (ssize_t)n;
	return -1;
}

static bool overlap(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a == b;
}

/* Can v1 not take the part that both mean out of the earlier one? It removes only what is spelled the same. */
static bool cuts_a_part(const struct cg_device *earlier, const struct cg_device *later)
{
	bool same = earlier->type == later->type && earlier->major == later->major &&
		    earlier->minor == later->minor;

	return !same && earlier->access & later->access &&
	       (earlier->type == later->type || earlier->type == 'a' || later->type == 'a') &&
	       overlap(earlier->major, later->major) && overlap(earlier->minor, later->minor);
}

/*
 * v1 keeps one default and a list of exceptions from it, so it can say "deny all, allow 1:*" but not "... and deny
 * 1:11 of these".
 */
static bool v1_can_say(const struct cg_device *rules, size_t n)
{
	ssize_t all = last_everything(rules, n);
	bool is_allowed = all >= 0 && rules[all].is_allowed;
	size_t first = (size_t)(all + 1);

	for (size_t i = first; i < n; i++)
		for (size_t k = first; rules[i].is_allowed == is_allowed && k < i; k++)
			if (rules[k].is_allowed != is_allowed && cuts_a_part(&rules[k], &rules[i]))
				return false;
	return true;
}

static int apply_v1(int dir, const struct cg_device *rules, size_t n, struct err *e)
{
	ssize_t all = last_everything(rules, n);
	int r = all < 0 ? file_write(dir, "devices.deny", "a", e) : 0;

	for (size_t i = all < 0 ? 0 : (size_t)all; r == 0 && i < n; i++)
		r = write_v1(dir, &rules[i], e);
	return r;
}

int cg_devices_apply(const struct cg *cg, const struct cg_device *rules, size_t n, struct err *e)
{
	_cleanup_free_ struct bpf_insn *program = NULL;

	if (n > CG_DEVICES_MAX)
		return err_set(e, E2BIG, "over %d rules", CG_DEVICES_MAX);
	if (cg_is_in(cg, CG_DEVICES) && v1_can_say(rules, n))
		return apply_v1(cg->dir[CG_DEVICES], rules, n, e);
	program = calloc(n * CG_BPF_RULE_MAX + CG_BPF_FRAME, sizeof(*program));
	if (!program)
		return err_set(e, ENOMEM, "out of memory");
	return cg_bpf_attach(cg->dir[CG_CORE], program, cg_bpf_compile(rules, n, program), e);
}

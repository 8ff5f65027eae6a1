/* What Docker's format has beyond OCI's: archMap, and rules for some containers only. */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/caps.h"
#include "sandbox/seccomp_json.h"

#define LIST_MAX 64

/* This machine in the words of Go, which includes and excludes use, and of libseccomp. */
#define ARCH_GO      "amd64"
#define ARCH_SECCOMP "SCMP_ARCH_X86_64"

int seccomp_docker_here(struct seccomp_docker *ret, struct err *e)
{
	struct seccomp_docker d = {.caps = 0};
	struct utsname u;

	if (uname(&u) < 0)
		return err_errno(e, "uname");
	if (sscanf(u.release, "%u.%u", &d.kernel_major, &d.kernel_minor) != 2)
		return err_set(e, EINVAL, "kernel release '%s'", u.release);
	*ret = d;
	return 0;
}

/* The entry of archMap that is this machine's: its other ABIs. */
int seccomp_docker_archs(struct pol_profile *p, const struct node *section, struct err *e)
{
	struct node map = node_get(section, "archMap");
	size_t n;
	int r = node_list(&map, LIST_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&map, i), arch = node_get(&item, "architecture"),
			    subs = node_get(&item, "subArchitectures");
		const char *name = "";
		size_t n_subs;

		r = node_text(&arch, &name, e);
		if (r == 0)
			r = node_list(&subs, LIST_MAX, &n_subs, e);
		if (r < 0 || !str_is(name, ARCH_SECCOMP))
			continue;
		for (size_t j = 0; r == 0 && j < n_subs; j++) {
			struct node sub = node_at(&subs, j);

			r = seccomp_json_arch(p, &sub, e);
		}
	}
	return r;
}

/* How many of the capabilities in the list the container has. A name that nobody knows, nobody has. */
static int count_caps(const struct node *list, uint64_t caps, size_t *ret_n, size_t *ret_has,
		      struct err *e)
{
	int r = node_list(list, LIST_MAX, ret_n, e);

	*ret_has = 0;
	for (size_t i = 0; r == 0 && i < *ret_n; i++) {
		struct node item = node_at(list, i);
		struct err unknown = ERR_INIT;
		const char *name = "";
		uint64_t mask = 0;

		r = node_text(&item, &name, e);
		if (r == 0 && caps_from_name(name, &mask, &unknown) == 0 && (mask & caps))
			(*ret_has)++;
	}
	return r;
}

static int lists_us(const struct node *list, size_t *ret_n, bool *ret, struct err *e)
{
	int r = node_list(list, LIST_MAX, ret_n, e);

	*ret = false;
	for (size_t i = 0; r == 0 && i < *ret_n; i++) {
		struct node item = node_at(list, i);
		const char *name = "";

		r = node_text(&item, &name, e);
		*ret |= r == 0 && str_is(name, ARCH_GO);
	}
	return r;
}

/* "4.8": is our kernel that new? */
static int kernel_is(const struct node *n, const struct seccomp_docker *d, bool *ret, struct err *e)
{
	const char *text = "";
	unsigned major, minor;
	char rest;
	int r = node_text(n, &text, e);

	if (r < 0)
		return r;
	if (sscanf(text, "%4u.%4u%c", &major, &minor, &rest) != 2)
		return node_fail(n, e, "'%s' is no kernel version", text);
	*ret = d->kernel_major > major || (d->kernel_major == major && d->kernel_minor >= minor);
	return 0;
}

/* includes: all capabilities, one of the architectures, the kernel. excludes: any of all these. */
static int matches(const struct node *n, const struct seccomp_docker *d, bool is_exclusion,
		   bool *ret, struct err *e)
{
	struct node caps = node_get(n, "caps"), archs = node_get(n, "arches"),
		    kernel = node_get(n, "minKernel");
	size_t n_caps = 0, has_caps = 0, n_archs = 0;
	bool is_arch = false, is_kernel = false, has_kernel = !node_is_empty(&kernel);
	int r = node_object(n, e);

	if (r == 0)
		r = count_caps(&caps, d->caps, &n_caps, &has_caps, e);
	if (r == 0)
		r = lists_us(&archs, &n_archs, &is_arch, e);
	if (r == 0 && has_kernel)
		r = kernel_is(&kernel, d, &is_kernel, e);
	if (r < 0)
		return r;
	*ret = is_exclusion ? has_caps > 0 || is_arch || is_kernel
			    : has_caps == n_caps && (is_arch || n_archs == 0) &&
				      (is_kernel || !has_kernel);
	return 0;
}

int seccomp_docker_applies(const struct node *rule, const struct seccomp_docker *d, bool *ret,
			   struct err *e)
{
	struct node includes = node_get(rule, "includes"), excludes = node_get(rule, "excludes");
	bool is_in = true, is_out = false;
	int r = matches(&includes, d, false, &is_in, e);

	if (r == 0)
		r = matches(&excludes, d, true, &is_out, e);
	if (r == 0)
		*ret = is_in && !is_out;
	return r;
}

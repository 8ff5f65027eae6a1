/*
 * config.json: linux.devices, and the devices that every container has. See plan_oci.h.
 *
 * What the config says of a path replaces the default of that path. In a /dev that the config binds from the host
 * nothing is made: there the devices it names must be.
 */
#include "sandbox/plan_oci.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *word;
	uint32_t mode;
} kinds[] = {
	{"b", S_IFBLK},
	{"c", S_IFCHR},
	{"p", S_IFIFO},
	{"u", S_IFCHR}, /* unbuffered: the same to Linux */
};

static const struct sbx_device defaults[] = {
	{"/dev/null",    S_IFCHR | 0666, 1, 3, 0, 0, true},
	{"/dev/zero",    S_IFCHR | 0666, 1, 5, 0, 0, true},
	{"/dev/full",    S_IFCHR | 0666, 1, 7, 0, 0, true},
	{"/dev/random",  S_IFCHR | 0666, 1, 8, 0, 0, true},
	{"/dev/urandom", S_IFCHR | 0666, 1, 9, 0, 0, true},
	{"/dev/tty",     S_IFCHR | 0666, 5, 0, 0, 0, true},
};

static int kind(struct sbx_device *d, const struct node *device, struct err *e)
{
	struct node n = node_get(device, "type");
	const char *word = "";
	int r = node_need(&n, e);

	if (r == 0)
		r = node_text(&n, &word, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(kinds); i++)
		if (str_is(kinds[i].word, word)) {
			d->mode = kinds[i].mode | 0666;
			return 0;
		}
	return r < 0 ? r : node_fail(&n, e, "'%s' is no type of device", word);
}

/* A fifo has no numbers. */
static int numbers(struct sbx_device *d, const struct node *device, struct err *e)
{
	struct node major = node_get(device, "major"), minor = node_get(device, "minor");
	int r;

	if (S_ISFIFO(d->mode))
		return 0;
	r = node_need(&major, e);
	if (r == 0)
		r = node_need(&minor, e);
	if (r == 0)
		r = node_u32(&major, 0, (1u << 12) - 1, &d->major, e); /* of the kernel's dev_t */
	return r < 0 ? r : node_u32(&minor, 0, (1u << 20) - 1, &d->minor, e);
}

/* Engines give the mode as stat(2) does, with the type of the file in it. */
static int owner_and_mode(struct sbx_device *d, const struct node *device, struct err *e)
{
	struct node mode = node_get(device, "fileMode"), uid = node_get(device, "uid"),
		    gid = node_get(device, "gid");
	uint32_t bits = 0666;
	int r = node_u32(&mode, 0, UINT32_MAX, &bits, e);

	if (r == 0)
		r = node_u32(&uid, 0, UINT32_MAX - 1, &d->uid, e);
	if (r == 0)
		r = node_u32(&gid, 0, UINT32_MAX - 1, &d->gid, e);
	d->mode = (d->mode & S_IFMT) | (bits & 07777);
	return r;
}

/* Absolute, and its last part a name: the node is made or bound at just that. */
static bool is_file_path(const char *path)
{
	const char *slash = strrchr(path, '/');

	return path[0] == '/' && slash[1] && !str_is(slash + 1, ".") && !str_is(slash + 1, "..");
}

static int one_device(struct oci *o, struct sbx_device *d, const struct node *device, struct err *e)
{
	struct node path = node_get(device, "path");
	int r = node_need(device, e);

	if (r == 0)
		r = node_object(device, e);
	if (r == 0)
		r = node_need(&path, e);
	if (r == 0)
		r = oci_text(o, &path, &d->path, e);
	if (r == 0 && !is_file_path(d->path))
		r = node_fail(&path, e, "not the absolute path of a file");
	if (r == 0)
		r = kind(d, device, e);
	if (r == 0)
		r = numbers(d, device, e);
	return r < 0 ? r : owner_and_mode(d, device, e);
}

static bool binds_dev(const struct sbx_plan *p)
{
	bool is_bound = false;

	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (str_is(p->mounts[i].target, "/dev") && p->mounts[i].kind != SBX_MOUNT_REMOUNT)
			is_bound = p->mounts[i].kind == SBX_MOUNT_BIND;
	return is_bound;
}

static void add_defaults(struct sbx_plan *p)
{
	uint32_t named = p->n_devices;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		uint32_t at = 0;

		while (at < named && !str_is(p->devices[at].path, defaults[i].path))
			at++;
		if (at == named)
			p->devices[p->n_devices++] = defaults[i];
	}
}

int oci_devices(struct oci *o, const struct node *part, struct err *e)
{
	struct node list = node_get(part, "devices");
	struct sbx_plan *p = o->plan;
	size_t n;
	int r = node_list(&list, SBX_DEVICES_MAX - ARRAY_SIZE(defaults), &n, e);

	if (r < 0)
		return r;
	p->devices = oci_alloc(o, (n + ARRAY_SIZE(defaults)) * sizeof(*p->devices), e);
	if (!p->devices)
		return -e->code;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = one_device(o, &p->devices[i], &item, e);
	}
	if (r < 0)
		return r;
	p->n_devices = (uint32_t)n;
	p->has_own_dev = !binds_dev(p);
	if (p->has_own_dev)
		add_defaults(p);
	return 0;
}

/* config.json: linux.resources, the members that are lists. See plan_oci_lists.h. */
#include "sandbox/plan_oci_lists.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_parse.h"
#include "sandbox/cgroup_resources.h"

#define RULES_MAX      1000 /* leaves room for ours in CG_DEVICES_MAX */
#define LIST_MAX       256
#define NAME_MAX_BYTES 64
#define TEXT_MAX       4096 /* what the kernel takes in one write */
#define WEIGHT_MIN     10
#define WEIGHT_MAX     1000

/* Room for one more item, its kind and index set. */
static int add(struct oci *o, const struct node *n, enum cg_item_kind kind, size_t index,
	       struct cg_item **ret, struct err *e)
{
	struct cg_resources *out = &o->plan->resources;

	if (!out->items) {
		struct cg_item *items = oci_alloc(o, CG_ITEMS_MAX * sizeof(*items), e);

		if (!items)
			return -e->code;
		out->items = items;
	}
	if (out->n_items == CG_ITEMS_MAX)
		return node_fail(n, e, "over %d elements in all lists of resources", CG_ITEMS_MAX);
	*ret = (struct cg_item *)&out->items[out->n_items++]; /* ours: allocated above */
	(*ret)->kind = kind;
	(*ret)->index = (uint32_t)index;
	return 0;
}

/* A word that stands between blanks in a line for the kernel. */
static int word(struct oci *o, const struct node *n, const char **ret, struct err *e)
{
	const char *text = "";
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &text, e);
	if (r == 0 && (!*text || strlen(text) > NAME_MAX_BYTES || strpbrk(text, " \t\n/")))
		r = node_fail(n, e, "not a name");
	return r < 0 ? r : oci_text(o, n, ret, e);
}

/* ---- blockIO ---- */

static int device_number(const struct node *n, struct cg_item *item, struct err *e)
{
	struct node major = node_get(n, "major"), minor = node_get(n, "minor");
	int r = node_need(&major, e);

	if (r == 0)
		r = node_need(&minor, e);
	if (r == 0)
		r = node_u32(&major, 0, UINT32_MAX, &item->major, e);
	return r < 0 ? r : node_u32(&minor, 0, UINT32_MAX, &item->minor, e);
}

static int throttle(struct oci *o, const struct node *n, enum cg_item_kind kind, struct err *e)
{
	struct node rate = node_get(n, "rate");
	struct cg_item *item = NULL;
	int r = add(o, n, kind, n->index, &item, e);

	if (r == 0)
		r = device_number(n, item, e);
	if (r == 0)
		r = node_need(&rate, e);
	return r < 0 ? r : node_u64(&rate, &item->value, e);
}

/* An element may ask for one weight, or both. */
static int weight(struct oci *o, const struct node *n, enum cg_item_kind kind, struct err *e)
{
	static const char *const keys[] = {"weight", "leafWeight"};
	static const enum cg_item_kind kinds[] = {CG_ITEM_WEIGHT_DEVICE,
						  CG_ITEM_LEAF_WEIGHT_DEVICE};
	int r = 0;

	(void)kind;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		struct node value = node_get(n, keys[i]);
		struct cg_item *item = NULL;
		uint32_t number = 0;

		r = node_u32(&value, 0, WEIGHT_MAX, &number, e);
		if (r < 0 || number == 0)
			continue;
		if (number < WEIGHT_MIN)
			return node_fail(&value, e, "not a number in %d..%d", WEIGHT_MIN,
					 WEIGHT_MAX);
		r = add(o, n, kinds[i], n->index, &item, e);
		if (r == 0)
			r = device_number(n, item, e);
		if (r == 0)
			item->value = number;
	}
	return r;
}

/* ---- the others ---- */

/* "2MB": a number without leading zero, and K, M or G. */
static bool is_page_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits < 8 && text[0] != '0' && text[digits] != '\0' &&
	       strchr("KMG", text[digits]) && str_is(text + digits + 1, "B");
}

static int huge_page(struct oci *o, const struct node *n, enum cg_item_kind kind, struct err *e)
{
	struct node size = node_get(n, "pageSize"), limit = node_get(n, "limit");
	struct cg_item *item = NULL;
	int r = add(o, n, kind, n->index, &item, e);

	if (r == 0)
		r = word(o, &size, &item->name, e);
	if (r == 0 && !is_page_size(item->name))
		r = node_fail(&size, e, "'%s': not like 64KB, 2MB, 1GB", item->name);
	if (r == 0)
		r = node_need(&limit, e);
	return r < 0 ? r : node_u64(&limit, &item->value, e);
}

static int priority(struct oci *o, const struct node *n, enum cg_item_kind kind, struct err *e)
{
	struct node name = node_get(n, "name"), value = node_get(n, "priority");
	struct cg_item *item = NULL;
	uint32_t number = 0;
	int r = add(o, n, kind, n->index, &item, e);

	if (r == 0)
		r = word(o, &name, &item->name, e);
	if (r == 0 && strlen(item->name) >= IF_NAMESIZE)
		r = node_fail(&name, e, "not a name of a network interface");
	if (r == 0)
		r = node_need(&value, e);
	if (r == 0)
		r = node_u32(&value, 0, UINT32_MAX, &number, e);
	if (r == 0)
		item->value = number;
	return r;
}

/* clang-format off */
static const struct {
	const char *part, *key; /* part NULL: of resources itself */
	enum cg_item_kind kind;
	int (*element)(struct oci *o, const struct node *n, enum cg_item_kind kind, struct err *e);
} arrays[] = {
	{"blockIO", "weightDevice",            CG_ITEM_WEIGHT_DEVICE, weight},
	{"blockIO", "throttleReadBpsDevice",   CG_ITEM_READ_BPS,      throttle},
	{"blockIO", "throttleWriteBpsDevice",  CG_ITEM_WRITE_BPS,     throttle},
	{"blockIO", "throttleReadIOPSDevice",  CG_ITEM_READ_IOPS,     throttle},
	{"blockIO", "throttleWriteIOPSDevice", CG_ITEM_WRITE_IOPS,    throttle},
	{NULL,      "hugepageLimits",          CG_ITEM_HUGEPAGE,      huge_page},
	{"network", "priorities",              CG_ITEM_PRIORITY,      priority},
};
/* clang-format on */

static int array(struct oci *o, const struct node *resources, size_t i, struct err *e)
{
	struct node part = node_get(resources, arrays[i].part ? arrays[i].part : ""),
		    list = node_get(arrays[i].part ? &part : resources, arrays[i].key);
	size_t n;
	int r = node_list(&list, LIST_MAX, &n, e);

	for (size_t k = 0; r == 0 && k < n; k++) {
		struct node item = node_at(&list, k);

		r = node_need(&item, e);
		if (r == 0)
			r = node_object(&item, e);
		if (r == 0)
			r = arrays[i].element(o, &item, arrays[i].kind, e);
	}
	return r;
}

/* ---- those that are objects, by name ---- */

static int copy_key(struct oci *o, const struct node *n, const char *key, const char **ret,
		    struct err *e)
{
	size_t size = strlen(key) + 1;
	char *copy;

	if (size == 1 || size > NAME_MAX_BYTES || strpbrk(key, " \t\n/"))
		return node_fail(n, e, "not a name");
	copy = oci_alloc(o, size, e);
	if (!copy)
		return -e->code;
	*ret = memcpy(copy, key, size);
	return 0;
}

static int rdma(struct oci *o, const struct node *n, struct err *e)
{
	static const char *const keys[] = {"hcaHandles", "hcaObjects"};
	static const enum cg_item_kind kinds[] = {CG_ITEM_RDMA_HANDLES, CG_ITEM_RDMA_OBJECTS};
	int r = node_object(n, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		struct node value = node_get(n, keys[i]);
		struct cg_item *item = NULL;
		uint32_t number = 0;

		if (!value.json)
			continue;
		r = node_u32(&value, 0, UINT32_MAX, &number, e);
		if (r == 0)
			r = add(o, n, kinds[i], 0, &item, e);
		if (r == 0)
			r = copy_key(o, n, n->key, &item->name, e);
		if (r == 0)
			item->value = number;
	}
	return r;
}

/*
 * A file of a controller's. Those of the core move, kill and freeze processes, and are none of a config's business,
 * but for the two that limit: cgroup.max.depth and cgroup.max.descendants.
 */
static bool is_controller_file(const char *key)
{
	size_t n = strcspn(key, ".");

	if (key[n] == '\0' || key[n + 1] == '\0' || strpbrk(key, "/ \t\n"))
		return false;
	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		const char *name = cg_v2_name((enum cg_hierarchy)h);

		if (name && strlen(name) == n && strncmp(name, key, n) == 0)
			return true;
	}
	return str_has_prefix(key, "cgroup.max.");
}

static int unified(struct oci *o, const struct node *n, struct err *e)
{
	struct cg_item *item = NULL;
	const char *text = NULL;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &text, e);
	if (r == 0 && !is_controller_file(n->key))
		r = node_fail(n, e, "not a file of a known controller");
	if (r == 0 && strlen(text) > TEXT_MAX)
		r = node_fail(n, e, "longer than %d bytes", TEXT_MAX);
	if (r == 0)
		r = add(o, n, CG_ITEM_UNIFIED, 0, &item, e);
	if (r == 0)
		r = copy_key(o, n, n->key, &item->name, e);
	return r < 0 ? r : oci_text(o, n, &item->text, e);
}

static int object(struct oci *o, const struct node *resources, const char *key,
		  int (*member)(struct oci *, const struct node *, struct err *), struct err *e)
{
	struct node n = node_get(resources, key);
	const char *name;
	json_t *value;
	int r = node_object(&n, e);

	if (r < 0 || !n.json)
		return r;
	/* jansson's iteration wants no const. */
	json_object_foreach((json_t *)n.json, name, value)
	{
		struct node at = node_get(&n, name);

		r = member(o, &at, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int oci_resource_lists(struct oci *o, const struct node *resources, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(arrays); i++)
		r = array(o, resources, i, e);
	if (r == 0)
		r = object(o, resources, "rdma", rdma, e);
	/* Last: it overrides what other members wrote. */
	return r < 0 ? r : object(o, resources, "unified", unified, e);
}

/* ---- devices ---- */

static int device_access(const struct node *n, bool is_allowed, uint32_t *ret, struct err *e)
{
	const char *text = "";
	int r = node_text(n, &text, e);
	uint32_t access = 0;

	if (r < 0)
		return r;
	for (const char *c = text; *c; c++) {
		/* "a", which is devices.deny's word for all, is written for runc: to deny more is safe. */
		if (!strchr(is_allowed ? "rwm" : "rwma", *c))
			return node_fail(n, e, "'%s': of r, w and m only", text);
		access |= *c == 'r'   ? CG_DEV_READ
			  : *c == 'w' ? CG_DEV_WRITE
			  : *c == 'm' ? CG_DEV_MKNOD
				      : CG_DEV_ALL;
	}
	if (access == 0 && is_allowed)
		return node_fail(n, e, "is missing: what is allowed");
	*ret = access ? access : CG_DEV_ALL;
	return 0;
}

static int one_device(struct cg_device *d, const struct node *n, struct err *e)
{
	struct node allow = node_get(n, "allow"), type = node_get(n, "type"),
		    access = node_get(n, "access"), major = node_get(n, "major"),
		    minor = node_get(n, "minor");
	const char *kind = "a";
	int r = node_need(&allow, e);

	d->major = d->minor = CG_DEV_ANY;
	if (r == 0)
		r = node_bool(&allow, &d->is_allowed, e);
	if (r == 0)
		r = node_text(&type, &kind, e);
	if (r == 0 && !(str_is(kind, "a") || str_is(kind, "b") || str_is(kind, "c") || !*kind))
		r = node_fail(&type, e, "'%s': neither a, b nor c", kind);
	if (r == 0)
		r = node_number(&major, -1, UINT32_MAX, &d->major, e);
	if (r == 0)
		r = node_number(&minor, -1, UINT32_MAX, &d->minor, e);
	if (r < 0)
		return r;
	d->type = *kind ? *kind : 'a';
	return device_access(&access, d->is_allowed, &d->access, e);
}

int oci_device_rules(struct oci *o, const struct node *resources, struct err *e)
{
	struct node list = node_get(resources, "devices");
	struct cg_device *rules;
	size_t n = 0;
	int r = node_list(&list, RULES_MAX, &n, e);

	if (r < 0)
		return r;
	rules = oci_alloc(o, (n + cg_n_default_devices) * sizeof(*rules), e);
	if (!rules)
		return -e->code;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node rule = node_at(&list, i);

		r = node_need(&rule, e);
		if (r == 0)
			r = node_object(&rule, e);
		if (r == 0)
			r = one_device(&rules[i], &rule, e);
	}
	memcpy(rules + n, cg_default_devices, cg_n_default_devices * sizeof(*rules));
	o->plan->resources.devices = rules;
	o->plan->resources.n_devices = (uint32_t)(n + cg_n_default_devices);
	return r;
}

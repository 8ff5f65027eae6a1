/* The table of the members that are lists: where each element goes, on v1 and on v2. See cgroup_resources.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cgroup_resources.h"

struct list;
typedef void put_fn(struct cg_job *j, const struct list *row, const struct cg_item *item,
		    struct cg_write *w);

static put_fn weight_device, device, named, huge, text;

/* clang-format off */
static const struct list {
	const char *member;
	enum cg_hierarchy at;
	const char *v1_file, *v2_file;
	const char *key; /* where a file holds several values: "key=" before it */
	put_fn *put;
} lists[] = {
	[CG_ITEM_WEIGHT_DEVICE]      = {"blockIO.weightDevice",            CG_BLKIO,    "blkio.bfq.weight_device",         "io.bfq.weight", NULL, weight_device},
	[CG_ITEM_LEAF_WEIGHT_DEVICE] = {"blockIO.weightDevice",            CG_BLKIO,    "blkio.leaf_weight_device",        NULL,            NULL, device},
	[CG_ITEM_READ_BPS]           = {"blockIO.throttleReadBpsDevice",   CG_BLKIO,    "blkio.throttle.read_bps_device",  "io.max",        "rbps", device},
	[CG_ITEM_WRITE_BPS]          = {"blockIO.throttleWriteBpsDevice",  CG_BLKIO,    "blkio.throttle.write_bps_device", "io.max",        "wbps", device},
	[CG_ITEM_READ_IOPS]          = {"blockIO.throttleReadIOPSDevice",  CG_BLKIO,    "blkio.throttle.read_iops_device", "io.max",        "riops", device},
	[CG_ITEM_WRITE_IOPS]         = {"blockIO.throttleWriteIOPSDevice", CG_BLKIO,    "blkio.throttle.write_iops_device","io.max",        "wiops", device},
	[CG_ITEM_HUGEPAGE]           = {"hugepageLimits",                  CG_HUGETLB,  "limit_in_bytes",                  "max",           NULL, huge},
	[CG_ITEM_PRIORITY]           = {"network.priorities",              CG_NET_PRIO, "net_prio.ifpriomap",              NULL,            NULL, named},
	[CG_ITEM_RDMA_HANDLES]       = {"rdma",                            CG_RDMA,     "rdma.max",                        "rdma.max",      "hca_handle", named},
	[CG_ITEM_RDMA_OBJECTS]       = {"rdma",                            CG_RDMA,     "rdma.max",                        "rdma.max",      "hca_object", named},
	[CG_ITEM_UNIFIED]            = {"unified",                         CG_CORE,     NULL,                              "",              NULL, text},
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(lists) == CG_ITEM_KINDS, "a row for each kind of item");

static void device(struct cg_job *j, const struct list *row, const struct cg_item *item,
		   struct cg_write *w)
{
	int n = snprintf(w->text, sizeof(w->text), "%u:%u ", item->major, item->minor);
	char *at = w->text + n;
	size_t room = sizeof(w->text) - (size_t)n;

	if (!cg_job_is_v2(j, row->at) || !row->key)
		(void)snprintf(at, room, "%" PRIu64, item->value);
	else if (item->value == 0)
		(void)snprintf(at, room, "%s=max", row->key);
	else
		(void)snprintf(at, room, "%s=%" PRIu64, row->key, item->value);
}

static void weight_device(struct cg_job *j, const struct list *row, const struct cg_item *item,
			  struct cg_write *w)
{
	bool v2 = cg_job_is_v2(j, row->at);

	device(j, row, item, w);
	(void)str_copy(w->other_file, CG_FILE_MAX, v2 ? "io.weight" : "blkio.weight_device");
	(void)snprintf(w->other_text, CG_TEXT_MAX, "%u:%u %" PRIu64, item->major, item->minor,
		       v2 ? cg_io_weight(item->value) : item->value);
}

static void named(struct cg_job *j, const struct list *row, const struct cg_item *item,
		  struct cg_write *w)
{
	(void)j;
	(void)snprintf(w->text, sizeof(w->text), "%s %s%s%" PRIu64, item->name,
		       row->key ? row->key : "", row->key ? "=" : "", item->value);
}

/* Pages in use, and those that are reserved where the kernel counts them (5.7): a mapping fails, no SIGBUS. */
static void huge(struct cg_job *j, const struct list *row, const struct cg_item *item,
		 struct cg_write *w)
{
	const char *last = cg_job_is_v2(j, row->at) ? row->v2_file : row->v1_file;
	struct cg_write *reserved = cg_job_add(j, w->member, row->at, "");

	(void)snprintf(w->file, CG_FILE_MAX, "hugetlb.%s.%s", item->name, last);
	(void)snprintf(w->text, CG_TEXT_MAX, "%" PRIu64, item->value);
	*reserved = *w;
	(void)snprintf(reserved->file, CG_FILE_MAX, "hugetlb.%s.rsvd.%s", item->name, last);
	reserved->may_lack = true;
}

static void text(struct cg_job *j, const struct list *row, const struct cg_item *item,
		 struct cg_write *w)
{
	(void)j;
	(void)row;
	(void)str_copy(w->file, CG_FILE_MAX, item->name);
	w->long_text = item->text;
}

int cg_job_add_item(struct cg_job *j, const struct cg_item *item, struct err *e)
{
	const struct list *row = &lists[item->kind];
	char member[CG_FILE_MAX];
	int r;

	if (item->name && (item->kind == CG_ITEM_UNIFIED || row->at == CG_RDMA))
		(void)snprintf(member, sizeof(member), "%s[\"%s\"]", row->member, item->name);
	else
		(void)snprintf(member, sizeof(member), "%s[%u]", row->member, item->index);
	r = cg_job_check(j, member, row->at, row->v1_file, row->v2_file, e);
	if (r < 0)
		return r;
	row->put(j, row, item,
		 cg_job_add(j, member, row->at,
			    cg_job_is_v2(j, row->at) ? row->v2_file : row->v1_file));
	return 0;
}

/* The hierarchy of "hugetlb.2MB.max", if there is one. */
static cg_set need_of_file(const char *name)
{
	size_t n = strcspn(name, ".");

	for (int h = CG_CORE; h < CG_HIERARCHIES; h++) {
		const char *controller = cg_v2_name(h);

		if (controller && strlen(controller) == n && strncmp(controller, name, n) == 0)
			return CG_BIT(h);
	}
	return 0;
}

const char *cg_item_member(const struct cg_item *item)
{
	return lists[item->kind].member;
}

cg_set cg_item_need(const struct cg_item *item)
{
	return item->kind == CG_ITEM_UNIFIED ? need_of_file(item->name)
					     : CG_BIT(lists[item->kind].at);
}

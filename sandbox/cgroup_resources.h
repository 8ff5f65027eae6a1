/*
 * Resources compiled to writes: a list of files and texts, for the versions that a group's hierarchies have.
 * Compiling opens nothing; cgroup_apply.c looks at the group before and writes afterwards.
 */
#ifndef SANDBOX_CGROUP_RESOURCES_H
#define SANDBOX_CGROUP_RESOURCES_H

#include "sandbox/cgroup_host.h"
#include "sandbox/resources.h"

#define CG_FILE_MAX 128 /* of a file's name */
#define CG_TEXT_MAX 320 /* of a text that we put together */

/* What of the group must be known. */
struct cg_now {
	cg_set in, v2;        /* the hierarchies it is in, and those of them that are v2 */
	int64_t memory_bytes; /* v2: its limit; 0 = not asked for, -1 = unlimited */
	const char *quota;    /* v2: first word of cpu.max */
};

struct cg_write {
	char member[CG_FILE_MAX]; /* "memory.limit", below linux.resources */
	enum cg_hierarchy at;
	char file[CG_FILE_MAX], text[CG_TEXT_MAX];
	const char *long_text; /* instead of text, borrowed */
	bool may_lack;         /* a kernel without this file has nothing to limit */
	/* If there is no `file`: this, and its own text; "" = none. */
	char other_file[CG_FILE_MAX], other_text[CG_TEXT_MAX];
};

/* No more writes than this. */
size_t cg_compile_room(const struct cg_resources *r);

/* out has that room. -EINVAL, -ENOTSUP: a member that makes no sense, or is beyond these hierarchies. */
int cg_compile(const struct cg_resources *r, const struct cg_now *now, struct cg_write *out,
	       size_t *ret_n, struct err *e);

/* "memory.limit" */
const char *cg_number_name(enum cg_number which);

/* ---- between the two tables, of numbers and of lists ---- */

struct cg_job {
	const struct cg_resources *r;
	const struct cg_now *now;
	struct cg_write *out;
	size_t n;
};

struct cg_write *cg_job_add(struct cg_job *j, const char *member, enum cg_hierarchy at,
			    const char *file);

static inline bool cg_job_is_v2(const struct cg_job *j, enum cg_hierarchy at)
{
	return (j->now->v2 & CG_BIT(at)) != 0;
}

/* Is the group in the hierarchy, and has its version such a file (not NULL)? */
int cg_job_check(const struct cg_job *j, const char *member, enum cg_hierarchy at,
		 const char *v1_file, const char *v2_file, struct err *e);

/* The table of lists. */
int cg_job_add_item(struct cg_job *j, const struct cg_item *item, struct err *e);
cg_set cg_item_need(const struct cg_item *item);
const char *cg_item_member(const struct cg_item *item);

#endif

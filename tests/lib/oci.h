/*
 * A config.json put together from parts, of which a test replaces some: OCI_WITH(.cwd = "\"/tmp\""). An extra
 * member of an object is given as `"key": value,`.
 */
#ifndef TESTS_OCI_H
#define TESTS_OCI_H

#include "sandbox/plan_oci.h"

struct oci_parts {
	const char *top;     /* extra members */
	const char *root;    /* members */
	const char *process; /* extra members */
	const char *args, *cwd, *mounts;
	const char *linux_part; /* extra members */
	const char *namespaces; /* elements */
	const char *version;
};

/* The plain config, which is fine, with the parts that are given. */
struct oci_parts oci_merge(const struct oci_parts *given);

#define OCI_WITH(...) oci_merge(&(const struct oci_parts){__VA_ARGS__})

/* plan_oci_parse() of the text; bundle is /bundle. */
int oci_parse(const struct oci_parts *p, struct sbx_plan **ret, struct err *e);

/* The plan of a config that must be fine. */
struct sbx_plan *oci_plan(struct oci_parts p);

/* The config must be refused, with a message that begins so; "config.json: " before it is not repeated here. */
void oci_refused(struct oci_parts p, const char *says);

#endif

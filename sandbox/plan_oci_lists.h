/* The lists of linux.resources: see plan_oci_resources.c. */
#ifndef SANDBOX_PLAN_OCI_LISTS_H
#define SANDBOX_PLAN_OCI_LISTS_H

#include "sandbox/plan_oci.h"

int oci_resource_lists(struct oci *o, const struct node *resources, struct err *e);

/* The config's rules and after them the default ones. */
int oci_device_rules(struct oci *o, const struct node *resources, struct err *e);

#endif

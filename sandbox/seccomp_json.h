/*
 * Seccomp profiles in JSON: linux.seccomp of runtime-spec 1.3.0, and Docker's format, from which engines make
 * the former. plan_oci_seccomp.c makes a plan's filter of it, `sandbox policy` shows what it says.
 *
 * Pure: reads the document, adds to a profile. Everything that is not understood is refused with its place;
 * only system calls that libseccomp does not know are passed over, as the specification has it.
 */
#ifndef SANDBOX_SECCOMP_JSON_H
#define SANDBOX_SECCOMP_JSON_H

#include "base/buf.h"
#include "policy/profile.h"
#include "sandbox/json_path.h"

/* What a container of Docker's format has, which its includes and excludes ask for. */
struct seccomp_docker {
	uint64_t caps;                       /* bit n = capability n */
	unsigned kernel_major, kernel_minor; /* of the host */
};

/* Docker's values for this host: its kernel, no capability. */
int seccomp_docker_here(struct seccomp_docker *ret, struct err *e);

/*
 * The section as a profile, to be freed with pol_profile_free(). docker: its format; NULL: OCI's. The names
 * of calls that were passed over are appended to skipped (" a b c"), unless it is NULL.
 */
int seccomp_json_profile(const struct node *section, const struct seccomp_docker *docker,
			 struct buf *skipped, struct pol_profile **ret, struct err *e);

/* For the parts: does this rule of Docker's format apply? */
int seccomp_docker_applies(const struct node *rule, const struct seccomp_docker *docker, bool *ret,
			   struct err *e);

/* For the parts: archMap. */
int seccomp_docker_archs(struct pol_profile *p, const struct node *section, struct err *e);

/* For the parts: one architecture by its name. */
int seccomp_json_arch(struct pol_profile *p, const struct node *n, struct err *e);

#endif

/*
 * Compiling config.json, by job:
 *
 *	plan_oci.c		the file, its top level, what its parts must agree on
 *	plan_oci_process.c	process
 *	plan_oci_tune.c		its scheduling, affinity; linux.personality, memoryPolicy
 *	plan_oci_mounts.c	mounts
 *	plan_oci_options.c	their options
 *	plan_oci_devices.c	what is in /dev: linux.devices and the default ones
 *	plan_oci_linux.c	linux: id maps, paths
 *	plan_oci_spaces.c	linux.namespaces, timeOffsets, sysctl, netDevices
 *	plan_oci_user.c		what a user namespace asks of all the rest
 *	plan_oci_resources.c	linux.resources; its lists in plan_oci_lists.c
 *	plan_oci_seccomp.c	linux.seccomp
 *	plan_oci_exec.c		a further process: changes to the document before it is compiled
 *	plan_oci_hooks.c	hooks, annotations
 *
 * All are pure: they read the document and fill the plan. (seccomp looks into a cache on the way.)
 */
#ifndef SANDBOX_PLAN_OCI_H
#define SANDBOX_PLAN_OCI_H

#include "sandbox/json_path.h"
#include "sandbox/plan.h"

struct oci {
	struct sbx_plan *plan;
	const char *bundle; /* absolute: relative host paths begin there */
	const char *
		cache_root; /* compiled filters are kept below it (seccomp_cache.h); NULL: nowhere */
};

#define OCI_CONFIG_BYTES (1u << 20)

/* As sbx_plan_from_oci(), of n bytes of text instead of a file; bundle is an absolute path. */
int plan_oci_parse(const char *text, size_t n, const char *bundle, struct sbx_plan **ret,
		   struct err *e);

/* Its two halves. The document is the caller's to json_decref(); NULL: *e says why. */
json_t *plan_oci_load(const char *text, size_t n, const char *name, struct err *e);
int plan_oci_compile(const json_t *json, const char *bundle, struct sbx_plan **ret, struct err *e);

/* The same with compiled filters kept below cache_root, the directory of states; NULL: nowhere. */
int plan_oci_parse_at(const char *cache_root, const char *text, size_t n, const char *bundle,
		      struct sbx_plan **ret, struct err *e);
int plan_oci_compile_at(const char *cache_root, const json_t *json, const char *bundle,
			struct sbx_plan **ret, struct err *e);

int oci_process(struct oci *o, const struct node *process, struct err *e);
int oci_mounts(struct oci *o, const struct node *mounts, const struct node *linux_part,
	       struct err *e);
int oci_mount_options(struct oci *o, struct sbx_mount *m, const struct node *mount,
		      const char *label, struct err *e);
/* After the mounts: one of them may bring a /dev. */
int oci_devices(struct oci *o, const struct node *linux_part, struct err *e);
int oci_linux(struct oci *o, const struct node *linux_part, struct err *e);
int oci_hooks(struct oci *o, const struct node *hooks, struct err *e);
int oci_annotations(struct oci *o, const struct node *annotations, struct err *e);
int oci_resources(struct oci *o, const struct node *resources, struct err *e);
int oci_seccomp(struct oci *o, const struct node *section, struct err *e);
int oci_device_limits(struct oci *o, const struct node *resources, struct err *e);

/* The words that are understood, from the parser's tables: the i-th one, NULL after the last. */
const char *oci_namespace_word(size_t i);
const char *oci_mount_word(size_t i);
const char *oci_hook_word(size_t i);
const char *oci_seccomp_flag_word(size_t i);
const char *oci_memory_mode_word(size_t i);
const char *oci_memory_flag_word(size_t i);

/* Does this kernel know the i-th flag? That the parser takes it says nothing of that. */
bool oci_seccomp_flag_is_usable(size_t i);

/* Of process and linux: see plan_oci_tune.c. */
int oci_tune_process(struct oci *o, const struct node *process, struct err *e);
int oci_tune_linux(struct oci *o, const struct node *linux_part, struct err *e);

int oci_namespaces(struct oci *o, const struct node *linux_part, struct err *e);
/* After the namespaces, hostname and domainname are known. */
int oci_in_namespaces(struct oci *o, const struct node *linux_part, struct err *e);

/* Last: ids must be mapped, file systems be those that may be mounted there. */
int oci_in_user_namespace(struct oci *o, const struct node *top, struct err *e);

/* ---- for the parts ---- */

/* A word of the specification and what it stands for. */
struct oci_word {
	const char *word;
	uint64_t value;
};

/* The value of the word at n. Stays as it is if nothing is there. */
int oci_word(const struct node *n, const struct oci_word *words, size_t n_words, uint64_t *ret,
	     struct err *e);

/* The values of an array of words, or'ed. */
int oci_words(const struct node *n, const struct oci_word *words, size_t n_words, uint64_t *ret,
	      struct err *e);

/* What the one who starts it should be told, without failing: up to SBX_WARNINGS_MAX texts in the plan. */
void oci_warn(struct oci *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Zeroed memory of the plan; NULL and *e = ENOMEM over its maximum. */
void *oci_alloc(struct oci *o, size_t bytes, struct err *e);

/* A copy of the text at n in *ret, which stays as it is if nothing is there. */
int oci_text(struct oci *o, const struct node *n, const char **ret, struct err *e);

/* The same for a path on the host, made absolute. */
int oci_host_path(struct oci *o, const struct node *n, const char **ret, struct err *e);

/* All elements of an array of id mappings, into as many maps; no more than SBX_IDMAPS_MAX. */
int oci_id_maps(const struct node *list, struct sbx_idmap *maps, struct err *e);

/* An array of strings; the copy ends with NULL. Stays as it is if nothing is there. */
int oci_texts(struct oci *o, const struct node *n, size_t max, const char ***ret, uint32_t *ret_n,
	      struct err *e);

/* An array of absolute paths. */
int oci_paths(struct oci *o, const struct node *n, size_t max, const char ***ret, uint32_t *ret_n,
	      struct err *e);

#endif

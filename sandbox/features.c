/* The features document: see include/sandbox/features.h. */
#include "sandbox/features.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/profile.h"
#include "sandbox/caps.h"
#include "sandbox/plan_oci.h"

#define OCI_VERSION_MIN "1.0.0"

static void free_json(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(free_json)))

/* ---- members: does the parser refuse them? ---- */

/* The least that is a config; a member to be tried is merged into it. */
static const char least[] =
	"{\"ociVersion\": \"" OCI_VERSION_MIN "\", \"root\": {\"path\": \"/\"},"
	" \"process\": {\"args\": [\"x\"], \"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}},"
	" \"linux\": {\"namespaces\": [{\"type\": \"mount\"}]}}";

/* What the host lacks, or what is wrong with the trial's values, is told otherwise. */
static bool is_honoured(const char *member)
{
	_cleanup_json_ json_t *config = json_loads(least, 0, NULL);
	_cleanup_json_ json_t *with = json_loads(member, 0, NULL);
	_cleanup_free_ char *text = NULL;
	struct sbx_plan *plan = NULL;
	struct err e = ERR_INIT;
	int r;

	if (!config || !with || json_object_update_recursive(config, with) < 0)
		return false;
	text = json_dumps(config, 0);
	r = text ? plan_oci_parse(text, strlen(text), "/", &plan, &e) : -ENOMEM;
	if (r == 0)
		sbx_plan_free(plan);
	return r == 0 || (r != -ENOMEM && !strstr(e.text, NODE_REFUSED));
}

static const struct {
	const char *part, *key; /* linux.part.key in the document */
	const char *member;     /* of a config */
} members[] = {
	{"cgroup",     "rdma",
	 "{\"linux\": {\"resources\": {\"rdma\": {\"x\": {\"hcaHandles\": 1}}}}}"                 },
	{"seccomp",    "enabled",
	 "{\"linux\": {\"seccomp\": {\"defaultAction\": \"SCMP_ACT_ALLOW\"}}}"                    },
	{"apparmor",   "enabled",    "{\"process\": {\"apparmorProfile\": \"x\"}}"                },
	{"selinux",    "enabled",    "{\"process\": {\"selinuxLabel\": \"x\"}}"                   },
	{"intelRdt",   "enabled",    "{\"linux\": {\"intelRdt\": {\"closID\": \"x\"}}}"           },
	{"intelRdt",   "schemata",   "{\"linux\": {\"intelRdt\": {\"schemata\": [\"MB:0=10\"]}}}" },
	{"intelRdt",   "monitoring", "{\"linux\": {\"intelRdt\": {\"enableMonitoring\": true}}}"  },
	{"netDevices", "enabled",    "{\"linux\": {\"netDevices\": {\"x0\": {\"name\": \"y0\"}}}}"},
};

static const char idmapped_mount[] =
	"{\"linux\": {\"namespaces\": [{\"type\": \"mount\"}]}, \"mounts\": [{\"destination\": "
	"\"/x\","
	" \"type\": \"bind\", \"source\": \"/x\", \"options\": [\"bind\", \"idmap\"],"
	" \"uidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}],"
	" \"gidMappings\": [{\"containerID\": 0, \"hostID\": 1, \"size\": 1}]}]}";

/* ---- lists: the parser's tables ---- */

static bool add_word(json_t *list, const char *text)
{
	return json_array_append_new(list, json_string(text)) == 0;
}

/* NULL when out of memory, as jansson has it throughout. */
static json_t *words(const char *(*word)(size_t i))
{
	_cleanup_json_ json_t *list = json_array();
	const char *text;

	for (size_t i = 0; (text = word(i)); i++)
		if (!add_word(list, text))
			return NULL;
	return json_incref(list);
}

/* Those that have a name: of the others libcap gives the number. */
static json_t *capabilities(void)
{
	_cleanup_json_ json_t *list = json_array();
	_cleanup_buf_ struct buf names;
	char *at = NULL, *name;

	buf_init(&names, SBX_FEATURES_BYTES);
	caps_print(UINT64_MAX, &names);
	if (buf_failed(&names))
		return NULL;
	for (name = strtok_r(names.data, " ", &at); name; name = strtok_r(NULL, " ", &at))
		if (str_has_prefix(name, "CAP_") && !add_word(list, name))
			return NULL;
	return json_incref(list);
}

/* One of the few things that depend on the host: what can be asked of its kernel. */
static json_t *usable_flags(void)
{
	_cleanup_json_ json_t *list = json_array();
	const char *text;

	for (size_t i = 0; (text = oci_seccomp_flag_word(i)); i++)
		if (oci_seccomp_flag_is_usable(i) && !add_word(list, text))
			return NULL;
	return json_incref(list);
}

/* ---- the document ---- */

static json_t *linux_part(void)
{
	_cleanup_json_ json_t *part = json_pack(
		"{s:o, s:o, s:{s:b, s:b, s:b, s:b}, s:{s:o, s:o, s:o, s:o, s:o}, s:{s:o, s:o},"
		" s:{s:{s:b}}}",
		"namespaces", words(oci_namespace_word), "capabilities", capabilities(), "cgroup",
		"v1", true, "v2", true, "systemd", false, "systemdUser", false, "seccomp",
		"actions", words(pol_profile_action_word), "operators", words(pol_profile_cmp_word),
		"archs", words(pol_profile_arch_word), "knownFlags", words(oci_seccomp_flag_word),
		"supportedFlags", usable_flags(), "memoryPolicy", "modes",
		words(oci_memory_mode_word), "flags", words(oci_memory_flag_word),
		"mountExtensions", "idmap", "enabled", is_honoured(idmapped_mount));

	for (size_t i = 0; part && i < ARRAY_SIZE(members); i++) {
		_cleanup_json_ json_t *one = json_pack("{s:{s:b}}", members[i].part, members[i].key,
						       is_honoured(members[i].member));

		if (json_object_update_recursive(part, one) < 0)
			return NULL;
	}
	return json_incref(part);
}

/* No annotation of a config changes what we do, so none is unsafe. */
static json_t *document(const char *oci_version, const char *version)
{
	char seccomp[32];

	pol_library_version(seccomp, sizeof(seccomp));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s, s:s}, s:[]}", "ociVersionMin",
			 OCI_VERSION_MIN, "ociVersionMax", oci_version, "hooks",
			 words(oci_hook_word), "mountOptions", words(oci_mount_word), "linux",
			 linux_part(), "annotations", "io.github.seccomp.libseccomp.version",
			 seccomp, "sandbox.version", version, "potentiallyUnsafeConfigAnnotations");
}

int sbx_features_json(const char *oci_version, const char *version, struct buf *out, struct err *e)
{
	_cleanup_json_ json_t *json = document(oci_version, version);
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	buf_puts(out, text);
	buf_putc(out, '\n');
	return buf_failed(out) ? err_set(e, ENOMEM, "out of memory") : 0;
}

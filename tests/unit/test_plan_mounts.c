/* config.json's mounts and devices as rows of the plan. */
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "sandbox/sys.h"

static struct sbx_plan *plan_of(const char *members)
{
	char text[1024];

	snprintf(text, sizeof(text), "{\"destination\": \"/m\", %s}", members);
	return oci_plan(OCI_WITH(.mounts = text));
}

#define BIND  "\"type\": \"bind\", \"source\": \"/s\", "
#define TMPFS "\"type\": \"tmpfs\", "

/* clang-format off */
static const struct {
	const char *mount; /* members beside destination */
	struct sbx_mount is;
} combinations[] = {
	{BIND "\"options\": []",
	 {.rpropagation = MS_PRIVATE}},
	{BIND "\"options\": [\"ro\", \"nosuid\", \"rw\"]",
	 {.attr_set = MOUNT_ATTR_NOSUID, .attr_clr = MOUNT_ATTR_RDONLY, .rpropagation = MS_PRIVATE}},
	{BIND "\"options\": [\"rro\", \"dev\", \"slave\"]",
	 {.rattr_set = MOUNT_ATTR_RDONLY, .attr_clr = MOUNT_ATTR_NODEV, .propagation = MS_SLAVE}},
	{BIND "\"options\": [\"noatime\", \"strictatime\", \"runbindable\"]",
	 {.attr_set = MOUNT_ATTR_STRICTATIME, .attr_clr = MOUNT_ATTR__ATIME, .rpropagation = MS_UNBINDABLE}},
	{BIND "\"options\": [\"noatime\", \"relatime\"]",
	 {.attr_clr = MOUNT_ATTR__ATIME, .rpropagation = MS_PRIVATE}},
	{BIND "\"options\": [\"rslave\", \"shared\"]",
	 {.rpropagation = MS_SLAVE, .propagation = MS_SHARED}},
	{BIND "\"options\": [\"shared\", \"rslave\", \"async\", \"nomand\"]",
	 {.rpropagation = MS_SLAVE}},
	{TMPFS "\"options\": [\"defaults\", \"noexec\", \"size=1k\", \"sync\"]",
	 {.attr_set = MOUNT_ATTR_NOEXEC, .data = "size=1k,sync", .keeps_mode = true}},
	{TMPFS "\"options\": [\"ro\", \"nosymfollow\", \"tmpcopyup\"]",
	 {.attr_set = MOUNT_ATTR_NOSYMFOLLOW, .late_readonly = true, .copies_up = true, .keeps_mode = true}},
	{TMPFS "\"options\": [\"rro\", \"rw\"]",
	 {.keeps_mode = true}},
	{TMPFS "\"options\": [\"size=1k,mode=700\"]",
	 {.data = "size=1k,mode=700"}},
	{"\"type\": \"proc\", \"options\": [\"rro\", \"hidepid=2\"]",
	 {.attr_set = MOUNT_ATTR_RDONLY, .data = "hidepid=2"}},
	{"\"type\": \"cgroup\", \"options\": [\"ro\", \"rshared\"]",
	 {.kind = SBX_MOUNT_CGROUP, .attr_set = MOUNT_ATTR_RDONLY, .rpropagation = MS_SHARED}},
	{"\"options\": [\"remount\", \"ro\", \"rbind\"]",
	 {.kind = SBX_MOUNT_REMOUNT, .attr_set = MOUNT_ATTR_RDONLY, .is_bind = true, .is_recursive = true}},
	{TMPFS "\"options\": [\"size=1k\", \"remount\"]",
	 {.kind = SBX_MOUNT_REMOUNT, .data = "size=1k"}},
};
/* clang-format on */

START_TEST(options_combine_and_the_last_of_contradicting_ones_counts)
{
	const struct sbx_mount *want = &combinations[_i].is, *m;
	struct sbx_plan *p = plan_of(combinations[_i].mount);
	bool is_slave = (want->propagation | want->rpropagation) & MS_SLAVE;

	m = &p->mounts[0];
	if (want->kind != SBX_MOUNT_FS)
		ck_assert_int_eq(m->kind, want->kind);
	ck_assert_uint_eq(m->attr_set, want->attr_set);
	if (m->kind == SBX_MOUNT_BIND)
		ck_assert_uint_eq(m->attr_clr, want->attr_clr);
	ck_assert_uint_eq(m->rattr_set, want->rattr_set);
	ck_assert_uint_eq(m->propagation, want->propagation);
	ck_assert_uint_eq(m->rpropagation, want->rpropagation);
	ck_assert(m->late_readonly == want->late_readonly);
	ck_assert(m->copies_up == want->copies_up && m->keeps_mode == want->keeps_mode);
	ck_assert(m->is_bind == want->is_bind);
	ck_assert_str_eq(m->data ? m->data : "", want->data ? want->data : "");
	ck_assert(p->follows_host_mounts == is_slave);
	sbx_plan_free(p);
}
END_TEST

/* Each word alone on a bind mount: what it sets and clears, of the mount and of the tree. */
/* clang-format off */
static const struct {
	const char *word;
	uint64_t set, clr, rset, rclr;
	uint64_t propagation; /* with MS_REC: of the tree */
} words[] = {
	{"atime",          0,                      MOUNT_ATTR__ATIME,      0,                      0,
	 0},
	{"dev",            0,                      MOUNT_ATTR_NODEV,       0,                      0,
	 0},
	{"diratime",       0,                      MOUNT_ATTR_NODIRATIME,  0,                      0,
	 0},
	{"exec",           0,                      MOUNT_ATTR_NOEXEC,      0,                      0,
	 0},
	{"noatime",        MOUNT_ATTR_NOATIME,     MOUNT_ATTR__ATIME,      0,                      0,
	 0},
	{"nodev",          MOUNT_ATTR_NODEV,       0,                      0,                      0,
	 0},
	{"nodiratime",     MOUNT_ATTR_NODIRATIME,  0,                      0,                      0,
	 0},
	{"noexec",         MOUNT_ATTR_NOEXEC,      0,                      0,                      0,
	 0},
	{"nostrictatime",  0,                      MOUNT_ATTR__ATIME,      0,                      0,
	 0},
	{"nosuid",         MOUNT_ATTR_NOSUID,      0,                      0,                      0,
	 0},
	{"nosymfollow",    MOUNT_ATTR_NOSYMFOLLOW, 0,                      0,                      0,
	 0},
	{"relatime",       0,                      MOUNT_ATTR__ATIME,      0,                      0,
	 0},
	{"ro",             MOUNT_ATTR_RDONLY,      0,                      0,                      0,
	 0},
	{"rw",             0,                      MOUNT_ATTR_RDONLY,      0,                      0,
	 0},
	{"strictatime",    MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME,      0,                      0,
	 0},
	{"suid",           0,                      MOUNT_ATTR_NOSUID,      0,                      0,
	 0},
	{"symfollow",      0,                      MOUNT_ATTR_NOSYMFOLLOW, 0,                      0,
	 0},
	{"ratime",         0,                      0,                      0,                      MOUNT_ATTR__ATIME,
	 0},
	{"rdev",           0,                      0,                      0,                      MOUNT_ATTR_NODEV,
	 0},
	{"rdiratime",
	 0,
	 0,
	 0,
	 MOUNT_ATTR_NODIRATIME,
	 0},
	{"rexec",          0,                      0,                      0,                      MOUNT_ATTR_NOEXEC,
	 0},
	{"rnoatime",       0,                      0,                      MOUNT_ATTR_NOATIME,     MOUNT_ATTR__ATIME,
	 0},
	{"rnodev",         0,                      0,                      MOUNT_ATTR_NODEV,       0,
	 0},
	{"rnodiratime",    0,                      0,                      MOUNT_ATTR_NODIRATIME,  0,
	 0},
	{"rnoexec",        0,                      0,                      MOUNT_ATTR_NOEXEC,      0,
	 0},
	{"rnostrictatime", 0,                      0,                      0,                      MOUNT_ATTR__ATIME,
	 0},
	{"rnosuid",        0,                      0,                      MOUNT_ATTR_NOSUID,      0,
	 0},
	{"rnosymfollow",   0,                      0,                      MOUNT_ATTR_NOSYMFOLLOW, 0,
	 0},
	{"rrelatime",      0,                      0,                      0,                      MOUNT_ATTR__ATIME,
	 0},
	{"rro",            0,                      0,                      MOUNT_ATTR_RDONLY,      0,
	 0},
	{"rrw",            0,                      0,                      0,                      MOUNT_ATTR_RDONLY,
	 0},
	{"rstrictatime",   0,                      0,                      MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME,
	 0},
	{"rsuid",          0,                      0,                      0,                      MOUNT_ATTR_NOSUID,
	 0},
	{"rsymfollow",
	 0,
	 0,
	 0,
	 MOUNT_ATTR_NOSYMFOLLOW,
	 0},
	{"private",        0,                      0,                      0,                      0,
	 MS_PRIVATE},
	{"rprivate",       0,                      0,                      0,                      0,
	 MS_PRIVATE | MS_REC},
	{"shared",         0,                      0,                      0,                      0,
	 MS_SHARED},
	{"rshared",        0,                      0,                      0,                      0,
	 MS_SHARED | MS_REC},
	{"slave",          0,                      0,                      0,                      0,
	 MS_SLAVE},
	{"rslave",         0,                      0,                      0,                      0,
	 MS_SLAVE | MS_REC},
	{"unbindable",     0,                      0,                      0,                      0,
	 MS_UNBINDABLE},
	{"runbindable",    0,                      0,                      0,                      0,
	 MS_UNBINDABLE | MS_REC},
	/* What a bind mount has anyway. */
	{"async",          0,                      0,                      0,                      0,
	 0},
	{"bind",           0,                      0,                      0,                      0,
	 0},
	{"defaults",       0,                      0,                      0,                      0,
	 0},
	{"loud",           0,                      0,                      0,                      0,
	 0},
	{"noiversion",     0,                      0,                      0,                      0,
	 0},
	{"nolazytime",     0,                      0,                      0,                      0,
	 0},
	{"nomand",         0,                      0,                      0,                      0,
	 0},
	{"norelatime",     0,                      0,                      0,                      0,
	 0},
	{"rbind",          0,                      0,                      0,                      0,
	 0},
	{"rnorelatime",    0,                      0,                      0,                      0,
	 0},
	{"silent",         0,                      0,                      0,                      0,
	 0},
};
/* clang-format on */

START_TEST(every_word_of_a_bind_mount_has_its_meaning)
{
	uint64_t propagation = words[_i].propagation ? words[_i].propagation : MS_PRIVATE | MS_REC;
	const struct sbx_mount *m;
	struct sbx_plan *p;
	char text[256];

	snprintf(text, sizeof(text), BIND "\"options\": [\"%s\"]", words[_i].word);
	p = plan_of(text);
	m = &p->mounts[0];
	ck_assert_uint_eq(m->attr_set, words[_i].set);
	ck_assert_uint_eq(m->attr_clr, words[_i].clr);
	ck_assert_uint_eq(m->rattr_set, words[_i].rset);
	ck_assert_uint_eq(m->rattr_clr, words[_i].rclr);
	if (propagation & MS_REC)
		ck_assert_uint_eq(m->rpropagation | MS_REC, propagation);
	else
		ck_assert_uint_eq(m->propagation, propagation);
	sbx_plan_free(p);
}
END_TEST

/* Of a new file system; a bind mount has none of its own. */
static const char *const of_super[] = {"async", "dirsync",    "iversion", "lazytime",
				       "mand",  "nolazytime", "nomand",   "sync"};

START_TEST(words_of_the_file_system_are_handed_on)
{
	struct sbx_plan *p;
	char text[256];

	snprintf(text, sizeof(text), TMPFS "\"options\": [\"%s\"]", of_super[_i]);
	p = plan_of(text);
	ck_assert_str_eq(p->mounts[0].data, of_super[_i]);
	sbx_plan_free(p);
}
END_TEST

START_TEST(id_mappings_are_the_mount_s_or_the_sandbox_s)
{
	static const char own[] =
		BIND "\"options\": [\"rbind\", \"ridmap\"],"
		     "\"uidMappings\": [{\"containerID\": 0, \"hostID\": 5, \"size\": 10}],"
		     "\"gidMappings\": [{\"containerID\": 1, \"hostID\": 6, \"size\": 11}]";
	static const char silent[] = BIND "\"uidMappings\": [{\"size\": 1}],"
					  "\"gidMappings\": [{\"size\": 1}]";
	struct sbx_plan *p = plan_of(own);

	ck_assert_int_eq(p->mounts[0].idmapping, SBX_IDMAP_TREE);
	ck_assert_uint_eq(p->mounts[0].n_uid_maps, 1);
	ck_assert_uint_eq(p->mounts[0].uid_maps[0].outside, 5);
	ck_assert_uint_eq(p->mounts[0].gid_maps[0].inside, 1);
	sbx_plan_free(p);
	p = plan_of(silent);
	ck_assert_int_eq(p->mounts[0].idmapping, SBX_IDMAP_MOUNT);
	sbx_plan_free(p);
	p = oci_plan(
		OCI_WITH(.mounts = "{\"destination\": \"/m\", " BIND "\"options\": [\"idmap\"]}",
			 .namespaces = "{\"type\": \"mount\"}, {\"type\": \"user\"}",
			 .linux_part = "\"uidMappings\": [{\"hostID\": 1, \"size\": 1}],"
				       "\"gidMappings\": [{\"hostID\": 1, \"size\": 1}],"));
	ck_assert_int_eq(p->mounts[0].idmapping, SBX_IDMAP_MOUNT);
	ck_assert_ptr_null(p->mounts[0].uid_maps);
	sbx_plan_free(p);
}
END_TEST

START_TEST(label_goes_to_new_file_systems_in_quotes)
{
	struct sbx_plan *p =
		oci_plan(OCI_WITH(.mounts = "{\"destination\": \"/a\", \"type\": \"tmpfs\","
					    "\"options\": [\"size=1k\"]},"
					    "{\"destination\": \"/b\", \"type\": \"proc\"}",
				  .linux_part = "\"mountLabel\": \"u:r:t:s0:c1,c2\","));

	ck_assert_str_eq(p->mounts[0].data, "size=1k,context=\"u:r:t:s0:c1,c2\"");
	ck_assert_ptr_null(p->mounts[1].data);
	sbx_plan_free(p);
}
END_TEST

/* ---- devices ---- */

static const struct sbx_device *find(const struct sbx_plan *p, const char *path)
{
	for (uint32_t i = 0; i < p->n_devices; i++)
		if (strcmp(p->devices[i].path, path) == 0)
			return &p->devices[i];
	return NULL;
}

START_TEST(default_devices_are_there_unless_a_dev_is_bound)
{
	struct sbx_plan *p =
		oci_plan(OCI_WITH(.mounts = "{\"destination\": \"/dev\", \"type\": \"tmpfs\"}"));

	ck_assert(p->has_own_dev);
	ck_assert_uint_eq(p->n_devices, 6);
	ck_assert(find(p, "/dev/null")->is_default);
	sbx_plan_free(p);
	p = oci_plan(OCI_WITH(.mounts = "{\"destination\": \"/dev/\", \"source\": \"/dev\","
					"\"options\": [\"rbind\"]}"));
	ck_assert(!p->has_own_dev);
	ck_assert_uint_eq(p->n_devices, 0);
	sbx_plan_free(p);
}
END_TEST

START_TEST(devices_of_the_config_replace_default_ones)
{
	struct sbx_plan *p = oci_plan(
		OCI_WITH(.linux_part = "\"devices\": [{\"path\": \"/dev/null\", \"type\": \"u\","
				       "\"major\": 1, \"minor\": 3, \"fileMode\": 8624, \"uid\": 7,"
				       "\"gid\": 8}, {\"path\": \"/dev/pipe\", \"type\": \"p\"},"
				       "{\"path\": \"/x/sda\", \"type\": \"b\", \"major\": 8, "
				       "\"minor\": 1048575}],"));
	const struct sbx_device *d = find(p, "/dev/null");

	ck_assert_uint_eq(p->n_devices, 8);
	ck_assert(!d->is_default);
	ck_assert_uint_eq(d->mode, S_IFCHR | 0660); /* 8624 is 0020660 */
	ck_assert_uint_eq(d->uid, 7);
	ck_assert_uint_eq(d->gid, 8);
	ck_assert_uint_eq(find(p, "/dev/pipe")->mode, S_IFIFO | 0666);
	ck_assert_uint_eq(find(p, "/x/sda")->mode, S_IFBLK | 0666);
	ck_assert_uint_eq(find(p, "/x/sda")->minor, 1048575);
	sbx_plan_free(p);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("plan_mounts");
	TCase *t = tcase_create("mounts");

	tcase_add_loop_test(t, options_combine_and_the_last_of_contradicting_ones_counts, 0,
			    ARRAY_SIZE(combinations));
	tcase_add_loop_test(t, every_word_of_a_bind_mount_has_its_meaning, 0, ARRAY_SIZE(words));
	tcase_add_loop_test(t, words_of_the_file_system_are_handed_on, 0, ARRAY_SIZE(of_super));
	tcase_add_test(t, id_mappings_are_the_mount_s_or_the_sandbox_s);
	tcase_add_test(t, label_goes_to_new_file_systems_in_quotes);
	tcase_add_test(t, default_devices_are_there_unless_a_dev_is_bound);
	tcase_add_test(t, devices_of_the_config_replace_default_ones);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

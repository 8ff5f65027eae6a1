/* linux.seccomp of config.json, Docker's format, and the cache of compiled filters. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/profile.h"
#include "sandbox/seccomp_cache.h"
#include "sandbox/seccomp_json.h"
#include "tests/lib/harness.h"
#include "tests/lib/oci.h"

#define ALLOW       SECCOMP_RET_ALLOW
#define FAILS(code) (SECCOMP_RET_ERRNO | (code))
#define AT          "config.json: linux.seccomp"
#define RULE(rest)  "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{" rest "}]"
#define ARG(rest)                                                                                  \
	RULE("\"names\": [\"mmap\"], \"action\": \"SCMP_ACT_ALLOW\", \"args\": [" rest "]")

static struct err err;
static struct pol_program prog;
static char dir[64];

static int parse(const char *section, struct sbx_plan **ret)
{
	struct oci_parts parts;
	static char text[8192];

	snprintf(text, sizeof(text), "\"seccomp\": {%s},", section);
	parts = OCI_WITH(.linux_part = text);
	return oci_parse(&parts, ret, &err);
}

static uint32_t answer(const struct sbx_plan *p, long nr, uint64_t a0, uint64_t a1)
{
	return pol_verdict(&p->drop.filter, AUDIT_ARCH_X86_64, (uint32_t)nr, (uint64_t[6]){a0, a1});
}

/* clang-format off */
static const struct {
	const char *section, *says;
} refused[] = {
	{"",
	 AT ".defaultAction: is missing"},
	{"\"defaultAction\": 1",
	 AT ".defaultAction: not a string"},
	{"\"defaultAction\": \"SCMP_ACT_NO\"",
	 AT ".defaultAction: 'SCMP_ACT_NO' is no action"},
	{"\"defaultAction\": \"SCMP_ACT_NOTIFY\"",
	 AT ".defaultAction: SCMP_ACT_NOTIFY"},
	{"\"defaultAction\": \"SCMP_ACT_ALLOW\", \"defaultErrnoRet\": 1",
	 AT ".defaultErrnoRet: SCMP_ACT_ALLOW takes none"},
	{"\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096",
	 AT ".defaultErrnoRet: not a number in 0..4095"},
	{"\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [\"SECCOMP_FILTER_FLAG_X\"]",
	 AT ".flags[0]: 'SECCOMP_FILTER_FLAG_X' is no flag"},
	{"\"defaultAction\": \"SCMP_ACT_ALLOW\", \"architectures\": [\"SCMP_ARCH_X86\", \"x\"]",
	 AT ".architectures[1]: 'x' is no architecture"},
	{RULE("\"names\": [\"mmap\"]"),
	 AT ".syscalls[0].action: is missing"},
	{RULE("\"action\": \"SCMP_ACT_ALLOW\""),
	 AT ".syscalls[0].names: no system call is named"},
	{RULE("\"action\": \"SCMP_ACT_ALLOW\", \"names\": []"),
	 AT ".syscalls[0].names: no system call is named"},
	{RULE("\"action\": \"SCMP_ACT_ALLOW\", \"names\": [\"\"]"),
	 AT ".syscalls[0].names[0]: an empty name"},
	{RULE("\"action\": \"SCMP_ACT_KILL\", \"errnoRet\": 5, \"names\": [\"mmap\"]"),
	 AT ".syscalls[0].errnoRet: SCMP_ACT_KILL takes none"},
	{RULE("\"action\": \"SCMP_ACT_NOTIFY\", \"names\": [\"mmap\", \"write\"]"),
	 AT ".syscalls[0].names[1]: SCMP_ACT_NOTIFY: the start itself would wait"},
	{RULE("\"action\": \"SCMP_ACT_NOTIFY\", \"names\": [\"mmap\"]"),
	 AT ".listenerPath: is missing: SCMP_ACT_NOTIFY needs it"},
	{ARG("{\"index\": 6, \"op\": \"SCMP_CMP_EQ\"}"),
	 AT ".syscalls[0].args[0].index: not a number in 0..5"},
	{ARG("{\"index\": 0, \"value\": 1}"),
	 AT ".syscalls[0].args[0].op: is missing"},
	{ARG("{\"index\": 0, \"op\": \"SCMP_CMP_IN\"}"),
	 AT ".syscalls[0].args[0].op: 'SCMP_CMP_IN' is no comparison"},
	{ARG("{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": -1}"),
	 AT ".syscalls[0].args[0].value: not a number in 0..18446744073709551615"},
	{ARG("{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": 18446744073709551616}"),
	 "config.json:1: too big integer"},
};
/* clang-format on */

START_TEST(section_is_refused)
{
	struct sbx_plan *plan = NULL;

	ck_assert_int_eq(parse(refused[_i].section, &plan), -EINVAL);
	ck_assert_ptr_null(plan);
	ck_assert_msg(!strncmp(err.text, refused[_i].says, strlen(refused[_i].says)), "%s",
		      err.text);
}
END_TEST

static const struct {
	const char *action;
	uint32_t verdict;
} actions[] = {
	{"\"SCMP_ACT_KILL\"",                    SECCOMP_RET_KILL_THREAD  },
	{"\"SCMP_ACT_KILL_THREAD\"",             SECCOMP_RET_KILL_THREAD  },
	{"\"SCMP_ACT_KILL_PROCESS\"",            SECCOMP_RET_KILL_PROCESS },
	{"\"SCMP_ACT_TRAP\"",                    SECCOMP_RET_TRAP         },
	{"\"SCMP_ACT_ERRNO\"",                   FAILS(EPERM)             },
	{"\"SCMP_ACT_ERRNO\", \"errnoRet\": 38", FAILS(ENOSYS)            },
	{"\"SCMP_ACT_ERRNO\", \"errnoRet\": 0",  FAILS(0)                 },
	{"\"SCMP_ACT_TRACE\"",                   SECCOMP_RET_TRACE | EPERM},
	{"\"SCMP_ACT_TRACE\", \"errnoRet\": 7",  SECCOMP_RET_TRACE | 7    },
	{"\"SCMP_ACT_LOG\"",                     SECCOMP_RET_LOG          },
};

START_TEST(actions_are_the_kernels)
{
	struct sbx_plan *plan = NULL;
	char text[256];

	snprintf(text, sizeof(text),
		 "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"getpid\", "
		 "\"no_such_call\"], \"action\": %s}]",
		 actions[_i].action);
	ck_ok(parse(text, &plan), &err);
	ck_assert(plan->drop.has_filter);
	ck_assert_str_eq(plan->seccomp_skipped, " no_such_call");
	ck_assert_uint_eq(answer(plan, SYS_getpid, 0, 0), actions[_i].verdict);
	ck_assert_uint_eq(answer(plan, SYS_getppid, 0, 0), ALLOW);
	sbx_plan_free(plan);
}
END_TEST

START_TEST(values_have_all_64_bits)
{
	static const char *const texts[] = {"9223372036854775809", "18446744073709551516", "5",
					    "18446744073709551615", "9223372036854775807"};
	static const uint64_t values[] = {0x8000000000000001, UINT64_MAX - 99, 5, UINT64_MAX,
					  INT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct sbx_plan *plan = NULL;
		char text[512];

		snprintf(text, sizeof(text),
			 ARG("{\"index\": 1, \"op\": \"SCMP_CMP_EQ\", \"value\": %s}"), texts[i]);
		ck_ok(parse(text, &plan), &err);
		ck_assert_uint_eq(answer(plan, SYS_mmap, 0, values[i]), ALLOW);
		ck_assert_uint_eq(answer(plan, SYS_mmap, 0, values[i] + 1), FAILS(EPERM));
		ck_assert_uint_eq(answer(plan, SYS_mmap, 0, values[i] ^ (UINT64_C(1) << 63)),
				  FAILS(EPERM));
		sbx_plan_free(plan);
	}
}
END_TEST

START_TEST(different_arguments_must_all_hold_and_equal_ones_need_not)
{
	struct sbx_plan *plan = NULL;

	ck_ok(parse(ARG("{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": 1},"
			"{\"index\": 1, \"op\": \"SCMP_CMP_MASKED_EQ\", \"value\": 6, "
			"\"valueTwo\": 2}"),
		    &plan),
	      &err);
	ck_assert_uint_eq(answer(plan, SYS_mmap, 1, 0xf3), ALLOW);
	ck_assert_uint_eq(answer(plan, SYS_mmap, 1, 0xf5), FAILS(EPERM));
	ck_assert_uint_eq(answer(plan, SYS_mmap, 2, 0xf3), FAILS(EPERM));
	sbx_plan_free(plan);
	ck_ok(parse(ARG("{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": 1},"
			"{\"index\": 0, \"op\": \"SCMP_CMP_EQ\", \"value\": 2}"),
		    &plan),
	      &err);
	ck_assert_uint_eq(answer(plan, SYS_mmap, 1, 0), ALLOW);
	ck_assert_uint_eq(answer(plan, SYS_mmap, 2, 0), ALLOW);
	ck_assert_uint_eq(answer(plan, SYS_mmap, 3, 0), FAILS(EPERM));
	sbx_plan_free(plan);
}
END_TEST

START_TEST(flags_reach_the_kernel)
{
	struct sbx_plan *plan = NULL;

	ck_ok(parse("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"/x\", \"flags\": "
		    "[\"SECCOMP_FILTER_FLAG_LOG\", \"SECCOMP_FILTER_FLAG_SPEC_ALLOW\","
		    "\"SECCOMP_FILTER_FLAG_TSYNC\", \"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]",
		    &plan),
	      &err);
	/* Without SCMP_ACT_NOTIFY there is no listener whose wait could be killable. */
	ck_assert_uint_eq(plan->drop.filter_flags, SECCOMP_FILTER_FLAG_LOG |
							   SECCOMP_FILTER_FLAG_SPEC_ALLOW |
							   SECCOMP_FILTER_FLAG_TSYNC);
	ck_assert_ptr_null(plan->listener.path);
	sbx_plan_free(plan);
}
END_TEST

START_TEST(a_listener_has_its_flags_and_address)
{
	struct sbx_plan *plan = NULL;

	ck_ok(parse("\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"/run/x\", "
		    "\"listenerMetadata\": \"m\", \"flags\": [\"SECCOMP_FILTER_FLAG_TSYNC\"], "
		    "\"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_NOTIFY\"}]",
		    &plan),
	      &err);
	ck_assert_uint_eq(plan->drop.filter_flags, SECCOMP_FILTER_FLAG_NEW_LISTENER |
							   SECCOMP_FILTER_FLAG_TSYNC |
							   SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	ck_assert_str_eq(plan->listener.path, "/run/x");
	ck_assert_str_eq(plan->listener.metadata, "m");
	ck_assert_uint_eq(answer(plan, SYS_mount, 0, 0), SECCOMP_RET_USER_NOTIF);
	sbx_plan_free(plan);
}
END_TEST

/* ---- Docker's format ---- */

static int docker(const char *text, const struct seccomp_docker *d)
{
	_cleanup_profile_ struct pol_profile *p = NULL;
	json_error_t why;
	json_t *json = node_load(text, strlen(text), &why);
	struct node top = node_root(json, "profile.json");
	int r;

	ck_assert_msg(json != NULL, "%s", why.text);
	r = seccomp_json_profile(&top, d, NULL, &p, &err);
	json_decref(json);
	if (r == 0)
		ck_ok(pol_profile_compile(p, &prog, &err), &err);
	return r;
}

#define DOCKER(cond)                                                                               \
	"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"bpf\"], "           \
	"\"action\": \"SCMP_ACT_ALLOW\", \"args\": null, " cond "}]}"
#define ADMIN (UINT64_C(1) << 21)
#define BPF   (UINT64_C(1) << 39)

static const struct {
	const char *text;
	uint64_t caps;
	bool is_allowed;
} conditions[] = {
	{DOCKER("\"includes\": {}, \"excludes\": {}"),                         0,           true },
	{DOCKER("\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}"),              0,           false},
	{DOCKER("\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}"),              ADMIN,       true },
	{DOCKER("\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}"), ADMIN,       false},
	{DOCKER("\"includes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}"), ADMIN | BPF, true },
	{DOCKER("\"includes\": {\"caps\": [\"CAP_OF_TOMORROW\"]}"),            UINT64_MAX,  false},
	{DOCKER("\"excludes\": {\"caps\": [\"CAP_SYS_ADMIN\", \"CAP_BPF\"]}"), BPF,         false},
	{DOCKER("\"excludes\": {\"caps\": [\"CAP_SYS_ADMIN\"]}"),              BPF,         true },
	{DOCKER("\"includes\": {\"arches\": [\"arm64\"]}"),                    0,           false},
	{DOCKER("\"includes\": {\"arches\": [\"arm64\", \"amd64\"]}"),         0,           true },
	{DOCKER("\"excludes\": {\"arches\": [\"amd64\"]}"),                    0,           false},
	{DOCKER("\"includes\": {\"minKernel\": \"4.8\"}"),                     0,           true },
	{DOCKER("\"includes\": {\"minKernel\": \"6.1\"}"),                     0,           true },
	{DOCKER("\"includes\": {\"minKernel\": \"6.2\"}"),                     0,           false},
	{DOCKER("\"excludes\": {\"minKernel\": \"5.10\"}"),                    0,           false},
};

START_TEST(rules_of_docker_depend_on_the_container)
{
	struct seccomp_docker d = {
		.caps = conditions[_i].caps, .kernel_major = 6, .kernel_minor = 1};

	ck_ok(docker(conditions[_i].text, &d), &err);
	ck_assert_int_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, SYS_bpf, (uint64_t[6]){0}) == ALLOW,
			 conditions[_i].is_allowed);
}
END_TEST

START_TEST(arch_map_lists_the_abis_of_this_machine)
{
	struct seccomp_docker d = {.kernel_major = 6};

	ck_ok(docker("{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"archMap\": ["
		     "{\"architecture\": \"SCMP_ARCH_X86_64\", \"subArchitectures\": "
		     "[\"SCMP_ARCH_X86\"]},"
		     "{\"architecture\": \"SCMP_ARCH_AARCH64\", \"subArchitectures\": "
		     "[\"SCMP_ARCH_X32\"]}]}",
		     &d),
	      &err);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_I386, 20, (uint64_t[6]){0}), ALLOW);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, 0x40000000, (uint64_t[6]){0}),
			  SECCOMP_RET_KILL_PROCESS);
	ck_assert_int_eq(docker("{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"archMap\": [{}],"
				"\"architectures\": [\"SCMP_ARCH_X86\"]}",
				&d),
			 -EINVAL);
}
END_TEST

START_TEST(errno_by_name_agrees_with_its_number)
{
	struct seccomp_docker d = {.kernel_major = 6};

	ck_ok(docker("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"EACCES\"}", &d),
	      &err);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, 1, (uint64_t[6]){0}),
			  FAILS(EACCES));
	ck_assert_int_eq(docker("{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": "
				"\"EACCES\", \"defaultErrnoRet\": 1}",
				&d),
			 -EINVAL);
	ck_assert_str_eq(err.text, "profile.json: defaultErrno: 'EACCES' is not 1");
}
END_TEST

/* The one of podman, where its package is installed. */
START_TEST(a_profile_in_use_compiles)
{
	static char text[1 << 20];
	struct seccomp_docker d = {.kernel_major = 6, .kernel_minor = 1};
	const uint64_t none[6] = {0};

	if (file_read(AT_FDCWD, "/usr/share/containers/seccomp.json", text, sizeof(text), &err) < 0)
		TEST_SKIP("no /usr/share/containers/seccomp.json here");
	ck_ok(docker(text, &d), &err);
	ck_assert_uint_lt(prog.n_insns, 600);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, SYS_read, none), ALLOW);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_I386, 3, none), ALLOW);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, SYS_clone, none), ALLOW);
	ck_assert_uint_ne(pol_verdict(&prog, AUDIT_ARCH_X86_64, SYS_bpf, none), ALLOW);
	ck_assert_uint_eq(pol_verdict(&prog, AUDIT_ARCH_X86_64, 1000, none), FAILS(ENOSYS));
}
END_TEST

/* ---- the cache ---- */

static void cache_path(char path[256], const struct seccomp_key *key)
{
	char name[2 * SECCOMP_KEY_BYTES + 1];

	str_hex(key->bytes, sizeof(key->bytes), name);
	snprintf(path, 256, "%s/" SECCOMP_CACHE_DIR "/%s", dir, name);
}

static void fill(struct pol_program *p, uint32_t mark)
{
	memset(p, 0, sizeof(*p));
	p->n_insns = 2;
	p->insns[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, mark);
	p->insns[1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
}

static void make_dir(void)
{
	harness_mkdir(dir);
}

static void remove_dir(void)
{
	harness_rmdir(dir);
}

START_TEST(what_was_stored_is_found_again)
{
	struct seccomp_key key, other;
	struct pol_program p, q;
	char path[256];
	struct stat st;

	seccomp_cache_key("a", 1, &key);
	seccomp_cache_key("b", 1, &other);
	fill(&p, 7);
	memset(&q, 0, sizeof(q));
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	seccomp_cache_store(dir, &key, &p);
	ck_assert(seccomp_cache_load(dir, &key, &q));
	ck_assert_mem_eq(&p, &q, sizeof(p));
	ck_assert(!seccomp_cache_load(dir, &other, &q));
	cache_path(path, &key);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert(!seccomp_cache_load("/nonexistent", &key, &q));
	seccomp_cache_store("/nonexistent", &key, &p);
}
END_TEST

/* Every byte of a file matters, and its length. */
START_TEST(a_damaged_file_is_not_used)
{
	struct seccomp_key key;
	struct pol_program p, q;
	char path[256];
	int fd;
	struct stat st;

	seccomp_cache_key("a", 1, &key);
	fill(&p, 7);
	seccomp_cache_store(dir, &key, &p);
	cache_path(path, &key);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		uint8_t byte, wrong;

		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		wrong = byte ^ 0x40;
		ck_assert_int_eq(pwrite(fd, &wrong, 1, at), 1);
		ck_assert_msg(!seccomp_cache_load(dir, &key, &q), "byte %d", (int)at);
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	ck_assert(seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(ftruncate(fd, st.st_size - 1), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	close(fd);
	seccomp_cache_store(dir, &key, &p);
	ck_assert(seccomp_cache_load(dir, &key, &q));
}
END_TEST

START_TEST(a_file_that_others_could_have_written_is_not_used)
{
	struct seccomp_key key;
	struct pol_program p, q;
	char path[256], link_path[300], cache[128];

	seccomp_cache_key("a", 1, &key);
	fill(&p, 7);
	seccomp_cache_store(dir, &key, &p);
	cache_path(path, &key);
	snprintf(cache, sizeof(cache), "%s/" SECCOMP_CACHE_DIR, dir);
	ck_assert_int_eq(chmod(path, 0620), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(chmod(path, 0600), 0);
	ck_assert_int_eq(chmod(cache, 0770), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(chmod(cache, 0700), 0);
	ck_assert(seccomp_cache_load(dir, &key, &q));
	snprintf(link_path, sizeof(link_path), "%s.link", path);
	ck_assert_int_eq(link(path, link_path), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink(link_path, path), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rename(link_path, path), 0);
	ck_assert(seccomp_cache_load(dir, &key, &q));
	ck_assert_int_eq(chown(path, 1, 1), 0);
	ck_assert(!seccomp_cache_load(dir, &key, &q));
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
	struct seccomp_key first, key;
	struct pol_program p, q;
	char path[256];

	fill(&p, 7);
	seccomp_cache_key("first", 5, &first);
	seccomp_cache_store(dir, &first, &p);
	for (int i = 0; i < SECCOMP_CACHE_FILES + 5; i++) {
		struct timespec old[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};

		seccomp_cache_key((const char *)&i, sizeof(i), &key);
		seccomp_cache_store(dir, &key, &p);
		cache_path(path, &key);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
		ck_assert(seccomp_cache_load(dir, &first, &q));
	}
	for (int i = 0; i < SECCOMP_CACHE_FILES + 5; i++) {
		seccomp_cache_key((const char *)&i, sizeof(i), &key);
		ck_assert_int_eq(seccomp_cache_load(dir, &key, &q), i >= 6);
	}
}
END_TEST

/* A hit does not read the rules: what is in the file is what the plan gets. */
START_TEST(a_plan_takes_its_filter_from_the_cache)
{
	static const char text[] =
		"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"r\"}, \"process\": {\"args\": "
		"[\"a\"], \"cwd\": \"/\", \"user\": {}}, \"linux\": {\"namespaces\": [{\"type\": "
		"\"mount\"}], \"seccomp\": {\"defaultAction\": \"SCMP_ACT_KILL\", \"flags\": "
		"[\"SECCOMP_FILTER_FLAG_LOG\"]}}}";
	static const char section[] = "{\"defaultAction\":\"SCMP_ACT_KILL\",\"flags\":"
				      "[\"SECCOMP_FILTER_FLAG_LOG\"]}";
	struct sbx_plan *plan = NULL;
	struct seccomp_key key;
	struct pol_program p;

	ck_ok(plan_oci_parse_at(dir, text, strlen(text), "/b", &plan, &err), &err);
	ck_assert_uint_eq(answer(plan, 1, 0, 0), SECCOMP_RET_KILL_THREAD);
	sbx_plan_free(plan);
	seccomp_cache_key(section, strlen(section), &key);
	ck_assert(seccomp_cache_load(dir, &key, &p));
	fill(&p, FAILS(EIO));
	seccomp_cache_store(dir, &key, &p);
	ck_ok(plan_oci_parse_at(dir, text, strlen(text), "/b", &plan, &err), &err);
	ck_assert_uint_eq(answer(plan, 1, 0, 0), FAILS(EIO));
	ck_assert_uint_eq(plan->drop.filter_flags, SECCOMP_FILTER_FLAG_LOG);
	sbx_plan_free(plan);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("seccomp");
	TCase *t = tcase_create("config.json");

	tcase_add_loop_test(t, section_is_refused, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(t, actions_are_the_kernels, 0, ARRAY_SIZE(actions));
	tcase_add_test(t, values_have_all_64_bits);
	tcase_add_test(t, different_arguments_must_all_hold_and_equal_ones_need_not);
	tcase_add_test(t, flags_reach_the_kernel);
	tcase_add_test(t, a_listener_has_its_flags_and_address);
	suite_add_tcase(s, t);
	t = tcase_create("Docker");
	tcase_add_loop_test(t, rules_of_docker_depend_on_the_container, 0, ARRAY_SIZE(conditions));
	tcase_add_test(t, arch_map_lists_the_abis_of_this_machine);
	tcase_add_test(t, errno_by_name_agrees_with_its_number);
	tcase_add_test(t, a_profile_in_use_compiles);
	suite_add_tcase(s, t);
	t = tcase_create("cache");
	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, what_was_stored_is_found_again);
	tcase_add_test(t, a_damaged_file_is_not_used);
	tcase_add_test(t, a_file_that_others_could_have_written_is_not_used);
	tcase_add_test(t, the_least_recently_used_goes_first);
	tcase_add_test(t, a_plan_takes_its_filter_from_the_cache);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

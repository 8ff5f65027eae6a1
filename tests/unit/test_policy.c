/* policy: what the parser refuses, includes, the interpreter, the table for people. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"

#define ERRNO(code) (SECCOMP_RET_ERRNO | (code))

static const uint64_t no_args[6];

static uint32_t verdict(const struct pol_program *prog, long nr, const uint64_t *args)
{
	return pol_verdict(prog, AUDIT_ARCH_X86_64, (uint32_t)nr, args);
}

/* The text. */

/* clang-format off */
static const struct {
	const char *text, *error;
} refused[] = {
	{"",                                             "t: no 'default' line"                       },
	{"allow read\n",                                 "t: no 'default' line"                       },
	{"default\n",                                    "t:1: a verdict is missing at the end"       },
	{"default maybe\n",                              "t:1: 'maybe' is not allow, deny, errno, kill or log"},
	{"default errno\n",                              "t:1: the name of an errno is missing at the end"},
	{"default errno ENOPE\n",                        "t:1: unknown errno 'ENOPE'"                 },
	{"default errno E?\n",                           "t:1: unknown errno 'E?'"                    },
	{"default kill kill\n",                          "t:1: unexpected 'kill'"                     },
	{"default kill\n\n# c\ndefault deny\n",          "t:4: a second 'default' in this file"       },
	{"default kill\nallow read\n\tfoo\n",            "t:3: unknown system call 'foo'"             },
	{"default kill\nallow\n",                        "t:2: no system call is named"               },
	{"default kill\nallow read write read\n",        "t:2: 'read' has a rule in this file already"},
	{"default kill\nforbid read\n",                  "t:2: 'forbid' is not allow, deny, errno, kill or log"},
	{" default kill\n",                              "t:1: an indented line, and nothing that it continues"},
	{"include x\n",                                  "t:1: 'include' needs a policy that comes from a file"},
	{"default kill\nallow re\x01" "ad\n",            "t:2: byte 0x01 outside a comment"           },
	{"default kill\nallow lseek if\n",               "t:2: an argument (arg0 to arg5) is missing at the end"},
	{"default kill\nallow lseek if arg6 == 0",       "t:2: 'arg6' is not an argument (arg0 to arg5)"},
	{"default kill\nallow lseek if arg0 = 0",        "t:2: '=' is not in, ==, !=, <, <=, > or >=" },
	{"default kill\nallow lseek if arg0 in",         "t:2: an empty list after 'in'"              },
	{"default kill\nallow lseek if arg0 ==\n",       "t:2: a value is missing at the end"         },
	{"default kill\nallow lseek if arg0 == 1 2",     "t:2: '2' is not and, or or else"            },
	{"default kill\nallow lseek if arg0 == AF_NOPE",
	 "t:2: 'AF_NOPE' is neither a 32-bit number nor a known constant"},
	{"default kill\nallow lseek if arg0 == 0x100000000",
	 "t:2: '0x100000000' is neither a 32-bit number nor a known constant"},
	{"default kill\nallow lseek if arg0 == 1|\n",    "t:2: '' is neither a 32-bit number nor a known constant"},
	{"default kill\nallow lseek if arg0 == 1 else\n", "t:2: a verdict is missing at the end"       },
	{"default kill\nallow lseek if arg0 == 1 and\n", "t:2: an argument (arg0 to arg5) is missing at the end"},
};
/* clang-format on */

START_TEST(mistakes_are_refused_with_their_line)
{
	struct pol *p = (struct pol *)&refused; /* must stay as it is */
	struct err e = ERR_INIT;
	const char *text = refused[_i].text;

	ck_assert_int_eq(pol_parse(text, strlen(text), "t", &p, &e), -EINVAL);
	ck_assert_str_eq(e.text, refused[_i].error);
	ck_assert_ptr_eq(p, &refused);
}
END_TEST

/* A text of `head` and n times `unit`. */
static char *repeat(const char *head, const char *unit, size_t n)
{
	size_t len = strlen(head), step = strlen(unit);
	char *text = malloc(len + n * step + 1);

	ck_assert_ptr_nonnull(text);
	memcpy(text, head, len + 1);
	for (size_t i = 0; i < n; i++)
		memcpy(text + len + i * step, unit, step + 1);
	return text;
}

/* clang-format off */
static const struct {
	const char *head, *unit;
	size_t fits;
	int code;
	const char *error;
} maxima[] = {
	{"default deny\n",                        "#\n",              (POL_TEXT_MAX - 13) / 2, EFBIG,
	 "t: longer than 65536 bytes"},
	{"default deny\n#",                       "x",                POL_LINE_MAX - 1,        EINVAL,
	 "t:2: line is longer than 1000 bytes"},
	{"default deny\nallow ",                  "x",                POL_WORD_MAX,            EINVAL,
	 "t:2: a word is longer than 127 bytes"},
	{"default deny\nallow read if arg0 in",   "\n\t1",            POL_VALUES_MAX,          EINVAL,
	 "t:2: more than 64 values in one list"},
	{"default deny\nallow read if arg0 == 0", "\n\tor arg1 == 1", 73,                      EINVAL,
	 "t:76: more than 300 words in one statement"},
};
/* clang-format on */

START_TEST(maxima_hold_to_the_last_one)
{
	struct err e = ERR_INIT;

	for (size_t more = 0; more < 2; more++) {
		_cleanup_free_ char *text =
			repeat(maxima[_i].head, maxima[_i].unit, maxima[_i].fits + more);
		_cleanup_pol_ struct pol *p = NULL;
		int r = pol_parse(text, strlen(text), "t", &p, &e);

		if (more == 0 && r < 0) /* a name of the full length is still no system call */
			ck_assert_msg(str_has_prefix(e.text, "t:2: unknown"), "%s", e.text);
		if (more == 1)
			ck_assert_int_eq(r, -maxima[_i].code);
	}
	ck_assert_str_eq(e.text, maxima[_i].error);
}
END_TEST

/* Files. */

static void put(const char *dir, const char *name, const char *text)
{
	char path[128];
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_ok(file_replace(AT_FDCWD, path, text, strlen(text), 0600, &e), &e);
}

START_TEST(a_file_wins_over_what_it_includes)
{
	static struct pol_program prog;
	_cleanup_pol_ struct pol *p = NULL;
	struct err e = ERR_INIT;
	char dir[64], path[128];

	harness_mkdir(dir);
	put(dir, "a", "default errno ENOSYS\ndeny read write\n");
	put(dir, "b", "default kill\ndeny close\nerrno EIO write\n");
	put(dir, "top", "include a\ninclude b\nallow read\n");
	snprintf(path, sizeof(path), "%s/top", dir);
	ck_ok(pol_load(path, &p, &e), &e);
	ck_ok(pol_compile(p, &prog, &e), &e);
	ck_assert_uint_eq(verdict(&prog, SYS_read, no_args), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(verdict(&prog, SYS_write, no_args), ERRNO(EIO));
	ck_assert_uint_eq(verdict(&prog, SYS_close, no_args), ERRNO(EPERM));
	ck_assert_uint_eq(verdict(&prog, SYS_open, no_args), SECCOMP_RET_KILL_PROCESS);
	harness_rmdir(dir);
}
END_TEST

static const struct {
	const char *text, *error; /* of the file "top"; what the error contains */
	int code;
} includes[] = {
	{"include ../x\ndefault kill\n", "/top:1: include: ",                           EXDEV },
	{"include link\ndefault kill\n", "/top:1: include: ",                           EXDEV },
	{"include none\ndefault kill\n", "/top:1: include: open 'none'",                ENOENT},
	{"include bad\ndefault kill\n",  "/top:1: include: bad:2: unknown system call", EINVAL},
	{"include fifo\ndefault kill\n", "/top:1: include: fifo: not a regular file",   EINVAL},
	{"include top\ndefault kill\n",  "more than 8 included files",                  EINVAL},
	{"default kill\ninclude bad\n",  "/top:2: 'include' after the first rule",      EINVAL},
	{"include\n",                    "/top:1: a file name is missing",              EINVAL},
};

START_TEST(includes_stay_beneath_and_name_the_place)
{
	char dir[64], path[128];
	struct err e = ERR_INIT;
	struct pol *p = NULL;

	harness_mkdir(dir);
	put(dir, "bad", "default kill\nallow nope\n");
	snprintf(path, sizeof(path), "%s/link", dir);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	put(dir, "top", includes[_i].text);
	snprintf(path, sizeof(path), "%s/top", dir);
	ck_assert_int_eq(pol_load(path, &p, &e), -includes[_i].code);
	ck_assert_msg(strstr(e.text, includes[_i].error) != NULL, "%s", e.text);
	ck_assert_ptr_null(p);
	harness_rmdir(dir);
}
END_TEST

/* The interpreter. */

static const struct {
	struct sock_filter insns[3];
	uint16_t n;
} broken[] = {
	{.n = 0},
	{ {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)},     1},
	{ {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},     2},
	{ {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},     2},
	{ {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ~3u), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
	 2},
	{      {BPF_STMT(BPF_JMP | BPF_JA, ~0u), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},     2},
	{ {BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},     2},
	{ {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 9, 9),
	  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
	 2},
	{      {BPF_STMT(BPF_ST, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},     2},
};

START_TEST(a_broken_program_never_allows)
{
	static struct pol_program prog;

	memcpy(prog.insns, broken[_i].insns, sizeof(broken[_i].insns));
	prog.n_insns = broken[_i].n;
	ck_assert_uint_eq(verdict(&prog, 0, no_args), SECCOMP_RET_KILL_PROCESS);
	prog.n_insns = UINT16_MAX;
	ck_assert_uint_eq(verdict(&prog, 0, no_args), SECCOMP_RET_KILL_PROCESS);
}
END_TEST

START_TEST(a_program_too_long_is_refused_whole)
{
	static struct pol_program prog;
	static char text[POL_TEXT_MAX];
	struct err e = ERR_INIT;
	_cleanup_pol_ struct pol *p = NULL;

	ck_ok(file_read(AT_FDCWD, "tests/fuzz/corpus/policy/too-long", text, sizeof(text), &e), &e);
	ck_ok(pol_parse(text, strlen(text), "t", &p, &e), &e);
	ck_assert_int_eq(pol_compile(p, &prog, &e), -E2BIG);
	ck_assert_uint_eq(prog.n_insns, 0);
}
END_TEST

/* The table for people. */

static const struct {
	const char *name, *line;
} explained[] = {
	{"read",       "   0  read                       allow\n"                        },
	{"bpf",        " 321  bpf                        EPERM\n"                        },
	{"shmget",     "  29  shmget                     ENOSYS\n"                       },
	{"socketpair",
	 "  53  socketpair                 allow if arg0 == AF_UNIX, else EAFNOSUPPORT\n"},
	{"socketcall", "   -  socketcall                 ENOSYS\n"                       },
};

START_TEST(a_call_is_explained)
{
	_cleanup_pol_ struct pol *p = NULL;
	struct err e = ERR_INIT;
	struct buf out;

	ck_ok(pol_load("policy/profiles/python.policy", &p, &e), &e);
	buf_init(&out, POL_EXPLAIN_MAX);
	ck_ok(pol_explain_call(p, explained[_i].name, &out, &e), &e);
	ck_assert_str_eq(out.data, explained[_i].line);
	ck_assert_int_eq(pol_explain_call(p, "nope", &out, &e), -EINVAL);
	buf_clear(&out);
	ck_ok(pol_explain(p, &out, &e), &e);
	ck_assert(str_has_prefix(out.data, explained[0].line));
	ck_assert(strstr(out.data, "every other                ENOSYS\n") != NULL);
	buf_fini(&out);
	buf_init(&out, 10);
	ck_assert_int_eq(pol_explain(p, &out, &e), -ENOBUFS);
	buf_fini(&out);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");

	tcase_add_loop_test(t, mistakes_are_refused_with_their_line, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(t, maxima_hold_to_the_last_one, 0, ARRAY_SIZE(maxima));
	tcase_add_test(t, a_file_wins_over_what_it_includes);
	tcase_add_loop_test(t, includes_stay_beneath_and_name_the_place, 0, ARRAY_SIZE(includes));
	tcase_add_loop_test(t, a_broken_program_never_allows, 0, ARRAY_SIZE(broken));
	tcase_add_test(t, a_program_too_long_is_refused_whole);
	tcase_add_loop_test(t, a_call_is_explained, 0, ARRAY_SIZE(explained));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* images: the store, on temporary directories with tiny files in place of images. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store.h"

/* sha256 of "one", "two", "three" */
#define ONE   "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
#define TWO   "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
#define THREE "8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f"
#define MANIFEST(digest, size)                                                                     \
	"{\"name\":\"made-up\",\"digest\":\"" digest "\",\"packed_bytes\":" size                   \
	",\"unpacked_bytes\":9,\"python\":\"/usr/bin/python3.11\",\"arch\":\"amd64\","             \
	"\"created\":\"2025-06-01T00:00:00Z\",\"packages\":[[\"libc6\",\"2.36-9\"]]}"

#define GOOD MANIFEST(ONE, "3")

static char dir[64];
static struct img_store *store;
static int root;

static void put(const char *path, const char *text)
{
	struct err e = ERR_INIT;

	ck_ok(file_replace(root, path, text, strlen(text), 0644, &e), &e);
}

static bool is_there(const char *path)
{
	struct stat st;

	return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void setup(void)
{
	struct err e = ERR_INIT;
	char path[80];

	harness_mkdir(dir);
	snprintf(path, sizeof(path), "%s/a/store", dir);
	ck_ok(img_store_open(path, &store, &e), &e);
	ck_ok(file_open_dir(AT_FDCWD, path, &root, &e), &e);
	put("sha256/" ONE ".erofs", "one");
	put("sha256/" ONE ".json", MANIFEST(ONE, "3"));
	put("sha256/" TWO ".erofs", "two");
	put("sha256/" TWO ".json", MANIFEST(TWO, "3"));
	put("names/py", ONE "\n");
}

static void teardown(void)
{
	img_store_free(store);
	fd_close(&root);
	harness_rmdir(dir);
}

START_TEST(image_is_found_by_name_and_by_digest)
{
	struct err e = ERR_INIT;
	struct img img;

	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_assert_str_eq(img.name, "py");
	ck_assert_str_eq(img.digest, ONE);
	ck_assert_str_eq(img.python, "/usr/bin/python3.11");
	ck_assert_str_eq(img.arch, "amd64");
	ck_assert_str_eq(img.created, "2025-06-01T00:00:00Z");
	ck_assert_uint_eq(img.packed_bytes, 3);
	ck_assert_uint_eq(img.unpacked_bytes, 9);
	ck_assert_uint_eq(img.n_packages, 1);
	ck_ok(img_find(store, "sha256:" TWO, &img, &e), &e);
	ck_assert_str_eq(img.digest, TWO);
	ck_assert_str_eq(img.name, "made-up");
}
END_TEST

/* clang-format off */
static const struct {
	const char *name;
	int code;
} lookups[] = {
	{"other", ENOENT},
	{"sha256:" THREE, ENOENT},
	{"", EINVAL},
	{"..", EINVAL},
	{"../names/py", EINVAL},
	{"/etc/passwd", EINVAL},
	{".py", EINVAL},
	{"-py", EINVAL},
	{"Py", EINVAL},
	{"py\n", EINVAL},
	{ONE "x", EINVAL}, /* a name has 64 characters at most */
	{"sha256:", EINVAL},
	{"sha256:" ONE "0", EINVAL},
	{"sha256:../../../../../../../../../../../../../../../../../../../etc/pass", EINVAL},
	{"sha256:7692C3AD3540BB803C020B3AEE66CD8887123234EA0C6E7143C0ADD73FF431ED", EINVAL},
};
/* clang-format on */

START_TEST(lookup_is_refused_and_leaves_output_alone)
{
	struct err e = ERR_INIT;
	struct img img = {.name = "kept"};

	ck_assert_int_eq(img_find(store, lookups[_i].name, &img, &e), -lookups[_i].code);
	ck_assert_int_eq(e.code, lookups[_i].code);
	ck_assert_str_eq(img.name, "kept");
}
END_TEST

/* clang-format off */
static const struct {
	const char *from, *to; /* one replacement in a good manifest */
} damages[] = {
	{"made-up", "../up"},
	{"made-up", "a\\u0000b"},
	{"\"digest\":\"7", "\"digest\":\"8"},
	{"\"arch\"", "\"name\""}, /* one duplicate, one missing */
	{"\"arch\":\"amd64\"", "\"arch\":7"},
	{"amd64", "amd64amd64amd64amd64"}, /* too long */
	{"amd64\"", "amd64\",\"extra\":1"}, /* unknown */
	{"_bytes\":3", "_bytes\":-3"},
	{"_bytes\":3", "_bytes\":3.0"},
	{"_bytes\":3", "_bytes\":99999999999999999"},
	{"_bytes\":3", "_bytes\":99999999999999999999"},
	{"/usr/bin/python3.11", "usr/bin/python3.11"},
	{"/usr/bin/python3.11", "/usr/../bin/python"},
	{"/usr/bin/python3.11", "/usr//bin/python"},
	{"/usr/bin/python3.11", "/usr/bin/python -c"},
	{"/usr/bin/python3.11", "/"},
	{"T00:00", " 00:00"},
	{"[[\"libc6\",\"2.36-9\"]]", "[[\"libc6\"]]"},
	{"[[\"libc6\",\"2.36-9\"]]", "[[\"libc6\",2]]"},
	{"[[\"libc6\",\"2.36-9\"]]", "{}"},
	{"}", ""},
	{"}", "} x"},
	{GOOD, "[]"},
	{GOOD, ""},
};
/* clang-format on */

START_TEST(damaged_manifest_is_refused)
{
	static const char good[] = GOOD;
	const char *at = strstr(good, damages[_i].from);
	struct err e = ERR_INIT;
	struct img img = {.name = "kept"};
	char bad[1024];

	ck_assert_ptr_nonnull(at);
	snprintf(bad, sizeof(bad), "%.*s%s%s", (int)(at - good), good, damages[_i].to,
		 at + strlen(damages[_i].from));
	put("sha256/" ONE ".json", bad);
	ck_assert_int_eq(img_find(store, "py", &img, &e), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(e.text, ONE));
	ck_assert_str_eq(img.name, "kept");
}
END_TEST

START_TEST(huge_manifest_is_refused_unread)
{
	struct err e = ERR_INIT;
	struct img img;
	int fd = openat(root, "sha256/" ONE ".json", O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 1 << 30), 0);
	fd_close(&fd);
	ck_assert_int_eq(img_find(store, "py", &img, &e), -EFBIG);
}
END_TEST

static const char *const bad_digests[] = {"", "x", ONE "0", "7692", "../../../../etc/passwd"};

START_TEST(name_without_a_digest_is_refused)
{
	struct err e = ERR_INIT;
	struct img img;

	put("names/py", bad_digests[_i]);
	ck_assert_int_eq(img_find(store, "py", &img, &e), -EBADMSG);
}
END_TEST

START_TEST(list_is_sorted_and_bounded)
{
	struct err e = ERR_INIT;
	struct img got[3];
	size_t n = 77;

	put("names/zz", TWO);
	put("names/aa", TWO);
	put("names/.hidden", "no name");
	ck_assert_int_eq(img_store_list(store, got, 2, &n, &e), -ENOBUFS);
	ck_assert_uint_eq(n, 77);
	ck_ok(img_store_list(store, got, 3, &n, &e), &e);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(got[0].name, "aa");
	ck_assert_str_eq(got[1].name, "py");
	ck_assert_str_eq(got[1].digest, ONE);
	ck_assert_str_eq(got[2].name, "zz");
	put("names/zz", THREE);
	ck_assert_int_eq(img_store_list(store, got, 3, &n, &e), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.text, "'zz'"));
}
END_TEST

START_TEST(empty_store_lists_nothing)
{
	struct err e = ERR_INIT;
	struct img got[1];
	size_t n = 77;

	ck_assert_int_eq(unlinkat(root, "names/py", 0), 0);
	ck_ok(img_store_list(store, got, 1, &n, &e), &e);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(damaged_file_is_found_out)
{
	struct err e = ERR_INIT;
	struct img img;
	int fd = -1;

	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_ok(img_verify(store, &img, &e), &e);
	put("sha256/" ONE ".erofs", "onE");
	ck_assert_int_eq(img_verify(store, &img, &e), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(e.text, "'py'"));
	put("sha256/" ONE ".erofs", "one more");
	ck_assert_int_eq(img_open_packed(store, &img, &fd, &e), -EBADMSG);
	ck_assert_int_eq(unlinkat(root, "sha256/" ONE ".erofs", 0), 0);
	ck_assert_int_eq(img_open_packed(store, &img, &fd, &e), -ENOENT);
	ck_assert_int_eq(symlinkat(TWO ".erofs", root, "sha256/" ONE ".erofs"), 0);
	ck_assert_int_eq(img_open_packed(store, &img, &fd, &e), -ELOOP);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(packed_file_is_opened_read_only)
{
	struct err e = ERR_INIT;
	struct img img;
	char text[8];
	int fd = -1;

	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_ok(img_open_packed(store, &img, &fd, &e), &e);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(file_pread(fd, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "one");
	fd_close(&fd);
}
END_TEST

START_TEST(unpacked_form_may_be_missing)
{
	struct err e = ERR_INIT;
	struct img img;
	int fd = -1;

	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_assert_int_eq(img_open_unpacked(store, &img, &fd, &e), IMG_E_NONE);
	ck_assert_int_eq(fd, -1);
	ck_ok(file_make_dirs(root, "unpacked/" ONE "/usr", 0755, &e), &e);
	ck_ok(img_open_unpacked(store, &img, &fd, &e), &e);
	ck_assert_int_eq(faccessat(fd, "usr", X_OK, 0), 0);
	fd_close(&fd);
}
END_TEST

START_TEST(name_moves_to_another_image_and_only_to_one)
{
	struct err e = ERR_INIT;
	struct img img;

	ck_ok(img_set_name(store, "py", TWO, &e), &e);
	ck_ok(img_set_name(store, "new", ONE, &e), &e);
	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_assert_str_eq(img.digest, TWO);
	ck_assert_int_eq(img_set_name(store, "py", THREE, &e), -ENOENT);
	ck_assert_int_eq(img_set_name(store, "py", "sha256:" ONE, &e), -EINVAL);
	ck_assert_int_eq(img_set_name(store, "../py", ONE, &e), -EINVAL);
	put("sha256/" ONE ".erofs", "cut");
	ck_assert_int_eq(unlinkat(root, "sha256/" ONE ".erofs", 0), 0);
	ck_assert_int_eq(img_set_name(store, "py", ONE, &e), -ENOENT);
	ck_ok(img_find(store, "py", &img, &e), &e);
	ck_assert_str_eq(img.digest, TWO);
	ck_assert(!is_there("name"));
}
END_TEST

START_TEST(collection_removes_what_nothing_asks_for)
{
	const char *const keep[] = {TWO};
	struct err e = ERR_INIT;
	size_t n = 77;

	put("sha256/" THREE ".erofs", "three");
	put("sha256/" THREE ".json", "broken");
	put("sha256/README", "not ours");
	ck_ok(file_make_dirs(root, "unpacked/" THREE "/usr/bin", 0755, &e), &e);
	ck_ok(file_make_dirs(root, "unpacked/" ONE, 0755, &e), &e);
	ck_ok(img_store_gc(store, keep, 1, &n, &e), &e);
	ck_assert_uint_eq(n, 1);
	ck_assert(!is_there("sha256/" THREE ".erofs"));
	ck_assert(!is_there("sha256/" THREE ".json"));
	ck_assert(!is_there("unpacked/" THREE));
	ck_assert(is_there("sha256/README"));
	ck_assert(is_there("unpacked/" ONE));
	ck_assert(is_there("sha256/" TWO ".json"));
	ck_ok(img_store_gc(store, NULL, 0, &n, &e), &e);
	ck_assert_uint_eq(n, 1);
	ck_assert(!is_there("sha256/" TWO ".erofs"));
	ck_assert(is_there("sha256/" ONE ".erofs"));
}
END_TEST

START_TEST(collection_removes_nothing_when_a_name_is_broken)
{
	struct err e = ERR_INIT;
	size_t n = 77;

	put("names/zz", "half a dig");
	ck_assert_int_eq(img_store_gc(store, NULL, 0, &n, &e), -EBADMSG);
	ck_assert_uint_eq(n, 77);
	ck_assert(is_there("sha256/" TWO ".erofs"));
}
END_TEST

START_TEST(store_that_cannot_be_made_is_an_error)
{
	struct err e = ERR_INIT;
	struct img_store *s = NULL;

	ck_assert_int_eq(img_store_open("/proc/no/store", &s, &e), -ENOENT);
	ck_assert_ptr_null(s);
	ck_assert(str_has_prefix(e.text, "image store: "));
	img_store_free(NULL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("images");
	TCase *t = tcase_create("store");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, image_is_found_by_name_and_by_digest);
	tcase_add_loop_test(t, lookup_is_refused_and_leaves_output_alone, 0, ARRAY_SIZE(lookups));
	tcase_add_loop_test(t, damaged_manifest_is_refused, 0, ARRAY_SIZE(damages));
	tcase_add_test(t, huge_manifest_is_refused_unread);
	tcase_add_loop_test(t, name_without_a_digest_is_refused, 0, ARRAY_SIZE(bad_digests));
	tcase_add_test(t, list_is_sorted_and_bounded);
	tcase_add_test(t, empty_store_lists_nothing);
	tcase_add_test(t, damaged_file_is_found_out);
	tcase_add_test(t, packed_file_is_opened_read_only);
	tcase_add_test(t, unpacked_form_may_be_missing);
	tcase_add_test(t, name_moves_to_another_image_and_only_to_one);
	tcase_add_test(t, collection_removes_what_nothing_asks_for);
	tcase_add_test(t, collection_removes_nothing_when_a_name_is_broken);
	tcase_add_test(t, store_that_cannot_be_made_is_an_error);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

/* Every input of every fuzz corpus, once. A target that finds something wrong aborts. */
#include "tests/lib/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(const uint8_t *data, size_t size);
} targets[] = {
	{"oci",     fuzz_oci    },
	{"mounts",  fuzz_mounts },
	{"policy",  fuzz_policy },
	{"http",    fuzz_http   },
	{"request", fuzz_request},
	{"seccomp", fuzz_seccomp},
	{"state",   fuzz_state  },
	{"unpack",  fuzz_unpack },
	{"user",    fuzz_user   },
};
/* clang-format on */

/* The input has its own allocation, of its own size: a sanitizer sees one byte too many. */
static void replay(int (*run)(const uint8_t *, size_t), const char *path)
{
	uint8_t *all = malloc(INPUT_MAX), *input;
	FILE *f = fopen(path, "re");
	size_t n;

	ck_assert_msg(f && all, "%s: %m", path);
	n = fread(all, 1, INPUT_MAX, f);
	ck_assert_msg(n < INPUT_MAX, "%s: too long for a corpus", path);
	fclose(f);
	input = malloc(n ? n : 1);
	ck_assert_ptr_nonnull(input);
	memcpy(input, all, n);
	free(all);
	(void)run(input, n);
	free(input);
}

START_TEST(corpus_replays)
{
	char dir[128], path[512];
	struct dirent *d;
	int n = 0;
	DIR *corpus;

	snprintf(dir, sizeof(dir), "tests/fuzz/corpus/%s", targets[_i].name);
	corpus = opendir(dir);
	ck_assert_msg(corpus != NULL, "%s: %m", dir);
	while ((d = readdir(corpus)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		replay(targets[_i].run, path);
		n++;
	}
	closedir(corpus);
	ck_assert_msg(n > 0, "%s is empty", dir);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fuzz_replay");
	TCase *t = tcase_create("corpus");

	tcase_add_loop_test(t, corpus_replays, 0, ARRAY_SIZE(targets));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)

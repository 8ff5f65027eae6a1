/*
 * See seccomp_cache.h. A file: struct header, then the instructions.
 *
 * SHA-256 by libmd: OpenSSL looks at the processor before main(), with instructions that a virtual machine traps.
 */
#include "sandbox/seccomp_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

/* Raised when the same rules give other instructions: old files are not found any more then. */
#define REVISION   "2"
#define NAME_BYTES (2 * SECCOMP_KEY_BYTES + 1)

_Static_assert(SHA256_DIGEST_LENGTH == SECCOMP_KEY_BYTES, "a key is a digest");

struct header {
	char magic[8];
	uint32_t n_insns;
	uint32_t reserved;
	uint8_t key[SECCOMP_KEY_BYTES];
	uint8_t sum[SECCOMP_KEY_BYTES]; /* of all before it and the instructions */
};

static const char magic[8] = "sbxbpf1";

struct entry {
	struct header h;
	struct sock_filter insns[POL_INSNS_MAX];
};

void seccomp_cache_key(const char *text, size_t n, struct seccomp_key *ret)
{
	char library[64], versions[512];
	struct utsname u;
	SHA2_CTX sum;

	pol_library_version(library, sizeof(library));
	if (uname(&u) < 0)
		memset(&u, 0, sizeof(u)); /* it cannot fail; all zero is a version as well */
	(void)snprintf(versions, sizeof(versions), "%s/%s/%s/%s\n", REVISION, library, u.release,
		       u.machine);
	SHA256Init(&sum);
	SHA256Update(&sum, (const uint8_t *)versions, strlen(versions));
	SHA256Update(&sum, (const uint8_t *)text, n);
	SHA256Final(ret->bytes, &sum);
}

static void checksum(const struct entry *x, uint8_t out[SECCOMP_KEY_BYTES])
{
	SHA2_CTX sum;

	SHA256Init(&sum);
	SHA256Update(&sum, (const uint8_t *)&x->h, offsetof(struct header, sum));
	SHA256Update(&sum, (const uint8_t *)x->insns, x->h.n_insns * sizeof(x->insns[0]));
	SHA256Final(out, &sum);
}

/* Is it ours alone? */
static bool is_private(int fd, mode_t type, struct stat *st)
{
	return fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() &&
	       !(st->st_mode & (S_IRWXG | S_IRWXO));
}

static int open_dir(const char *root, bool make)
{
	_cleanup_fd_ int top = -1, dir = -1;
	struct err ignored = ERR_INIT;
	struct stat st;

	if (file_open_dir(AT_FDCWD, root, &top, &ignored) < 0)
		return -1;
	if (make && file_make_dirs(top, SECCOMP_CACHE_DIR, 0700, &ignored) < 0)
		return -1;
	if (file_open_beneath(top, SECCOMP_CACHE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &dir,
			      &ignored) < 0 ||
	    !is_private(dir, S_IFDIR, &st))
		return -1;
	return fd_steal(&dir);
}

static bool is_sound(const struct entry *x, size_t bytes, const struct seccomp_key *key)
{
	uint8_t sum[SECCOMP_KEY_BYTES];

	if (bytes < sizeof(x->h) || memcmp(x->h.magic, magic, sizeof(magic)) != 0)
		return false;
	if (x->h.n_insns == 0 || x->h.n_insns > POL_INSNS_MAX ||
	    bytes != sizeof(x->h) + x->h.n_insns * sizeof(x->insns[0]))
		return false;
	checksum(x, sum);
	return memcmp(x->h.key, key->bytes, sizeof(key->bytes)) == 0 &&
	       memcmp(x->h.sum, sum, sizeof(sum)) == 0;
}

bool seccomp_cache_load(const char *root, const struct seccomp_key *key, struct pol_program *ret)
{
	_cleanup_free_ struct entry *x = malloc(sizeof(*x));
	_cleanup_fd_ int dir = open_dir(root, false), fd = -1;
	struct err ignored = ERR_INIT;
	char name[NAME_BYTES];
	struct stat st;
	ssize_t n;

	if (!x || dir < 0)
		return false;
	str_hex(key->bytes, sizeof(key->bytes), name);
	if (file_open_beneath(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &fd, &ignored) <
		    0 ||
	    !is_private(fd, S_IFREG, &st) || st.st_nlink != 1 || (size_t)st.st_size > sizeof(*x))
		return false;
	n = pread(fd, x, sizeof(*x), 0);
	if (n < 0 || n != st.st_size || !is_sound(x, (size_t)n, key))
		return false;
	ret->n_insns = (uint16_t)x->h.n_insns;
	memcpy(ret->insns, x->insns, x->h.n_insns * sizeof(x->insns[0]));
	(void)futimens(fd, NULL); /* used: others go before it */
	return true;
}

/* Remove least recently used files until one more fits. A leftover of a killed writer is a file like others. */
static void make_room(int dir)
{
	for (;;) {
		int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
		char oldest[NAME_MAX + 1] = "";
		struct timespec since = {.tv_sec = 0};
		const struct dirent *entry;
		size_t n = 0;
		struct stat st;

		if (!d) {
			fd_close(&copy);
			return;
		}
		while ((entry = readdir(d)) != NULL) {
			if (entry->d_name[0] == '.' ||
			    fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			if (n++ == 0 || st.st_mtim.tv_sec < since.tv_sec ||
			    (st.st_mtim.tv_sec == since.tv_sec &&
			     st.st_mtim.tv_nsec < since.tv_nsec)) {
				since = st.st_mtim;
				(void)str_copy(oldest, sizeof(oldest), entry->d_name);
			}
		}
		closedir(d);
		if (n < SECCOMP_CACHE_FILES || unlinkat(dir, oldest, 0) < 0)
			return;
	}
}

void seccomp_cache_store(const char *root, const struct seccomp_key *key,
			 const struct pol_program *prog)
{
	_cleanup_free_ struct entry *x = calloc(1, sizeof(*x));
	_cleanup_fd_ int dir = open_dir(root, true);
	struct err ignored = ERR_INIT;
	char name[NAME_BYTES];

	if (!x || dir < 0)
		return;
	memcpy(x->h.magic, magic, sizeof(magic));
	memcpy(x->h.key, key->bytes, sizeof(key->bytes));
	x->h.n_insns = prog->n_insns;
	memcpy(x->insns, prog->insns, prog->n_insns * sizeof(x->insns[0]));
	checksum(x, x->h.sum);
	make_room(dir);
	str_hex(key->bytes, sizeof(key->bytes), name);
	/* Not there next time either if it fails: compiled again then. */
	(void)file_replace(dir, name, x, sizeof(x->h) + prog->n_insns * sizeof(x->insns[0]), 0600,
			   &ignored);
}

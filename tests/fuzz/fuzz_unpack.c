/*
 * Any bytes as a package: refused, and then nothing is left; or installed, and then the tree has nothing but
 * directories, files and symlinks that stay inside, with the modes and in the number that were told.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "runtimed/unpack.h"
#include "runtimed/unpack_tree.h"

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "fuzz_unpack: %s\n", #cond);                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const struct unpack_limits limits = {1 << 20, 2 << 20, 300};

/* A chain of symlinks may end nowhere or in itself; it must not end outside. */
static void check_symlink(int root, const char *path)
{
	struct err e = ERR_INIT;
	int fd = -1, r = file_open_beneath(root, path, O_PATH, 0, &fd, &e);

	MUST(r == 0 || e.code == ENOENT || e.code == ELOOP || e.code == ENOTDIR ||
	     e.code == ENAMETOOLONG);
	fd_close(&fd);
}

static void check_tree(int root, int dir, const char *path, struct unpack_result *seen)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub;
	char below[UNPACK_PATH_MAX + UNPACK_NAME_MAX + 2];
	DIR *list = fdopendir(copy);
	struct dirent *d;
	struct stat st;

	MUST(list);
	while ((d = readdir(list))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		MUST(fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0);
		snprintf(below, sizeof(below), "%s%s%s", path, path[0] ? "/" : "", d->d_name);
		seen->n_entries++;
		if (S_ISLNK(st.st_mode)) {
			check_symlink(root, below);
		} else if (S_ISREG(st.st_mode)) {
			MUST((st.st_mode & 07777) == 0644 || (st.st_mode & 07777) == 0755);
			MUST(st.st_mtim.tv_sec == UNPACK_MTIME_SEC);
			seen->unpacked_bytes += (uint64_t)st.st_size;
		} else {
			MUST(st.st_mode == (S_IFDIR | 0755));
			sub = openat(dir, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			MUST(sub >= 0);
			check_tree(root, sub, below, seen);
			close(sub);
		}
	}
	closedir(list);
}

/* In memory where there is such a file system: each package is flushed to its disk. */
static void make_dir(char path[64])
{
	strcpy(path, "/dev/shm/fuzz-unpack.XXXXXX");
	if (mkdtemp(path))
		return;
	strcpy(path, "/tmp/fuzz-unpack.XXXXXX");
	MUST(mkdtemp(path) != NULL);
}

int fuzz_unpack(const uint8_t *data, size_t size)
{
	struct unpack_result told = {0}, seen = {0};
	struct err e = ERR_INIT;
	int fd = memfd_create("package", MFD_CLOEXEC), dir, r;
	char path[64];

	make_dir(path);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0 && dir >= 0);
	MUST(write(fd, data, size) == (ssize_t)size);
	r = unpack(fd, dir, &limits, "app", &told, &e);
	MUST(r <= 0 && r == -e.code);
	MUST(r == 0 || (e.text[0] != '\0' && !strchr(e.text, '\n')));
	check_tree(dir, dir, "", &seen);
	MUST(seen.n_entries == told.n_entries && seen.unpacked_bytes == told.unpacked_bytes);
	MUST(unpack_tree_empty(dir, &e) == 0);
	close(dir);
	close(fd);
	MUST(rmdir(path) == 0);
	return 0;
}

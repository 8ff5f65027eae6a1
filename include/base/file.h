/*
 * Small files and trees, relative to directory descriptors.
 *
 * A path that somebody outside may influence is opened with file_open_beneath(), which cannot leave
 * the directory (openat2(2), Linux >= 5.6).
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Open path beneath dirfd: no "..", no symlink that leaves, no magic links. O_CLOEXEC is added. */
int file_open_beneath(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd,
		      struct err *e);

/* Open a directory (O_DIRECTORY|O_CLOEXEC), path taken as it is. */
int file_open_dir(int dirfd, const char *path, int *ret_fd, struct err *e);

/*
 * Open a directory to be read by names: path beneath dirfd, no symlink as its last part; "." = dirfd
 * itself, whose own position does not move. To be closed with closedir() or _cleanup_dir_.
 */
int file_list(int dirfd, const char *path, DIR **ret, struct err *e);

/* The next name but "." and ".."; good until the next call. NULL at the end. */
const char *file_next_name(DIR *list);

static inline void file_list_cleanup(DIR **list)
{
	if (*list)
		(void)closedir(*list);
}
#define _cleanup_dir_ __attribute__((cleanup(file_list_cleanup)))

/* mkdir unless it is there already. Parents are made too when path is relative or absolute. */
int file_make_dirs(int dirfd, const char *path, mode_t mode, struct err *e);

/*
 * Read a whole file of at most size - 1 bytes into out and NUL-terminate; one trailing newline is
 * removed. Returns 0; -EFBIG if it is longer.
 */
int file_read(int dirfd, const char *path, char *out, size_t size, struct err *e);

/* The first bytes of an open file, from offset 0 (pread), NUL-terminated. For kernel files. */
int file_pread(int fd, char *out, size_t size);

/* Write text in one write(2) to an existing file: the way of /proc and cgroup files. */
int file_write(int dirfd, const char *path, const char *text, struct err *e);

/* Write n bytes to path by a new temporary file, fsync and rename: all or nothing, wherever path leads. */
int file_replace(int dirfd, const char *path, const void *data, size_t n, mode_t mode,
		 struct err *e);

/* All bytes to fd, whatever write(2) takes at a time. */
int file_write_all(int fd, const void *data, size_t n, struct err *e);

/* A file without a place (memfd_create(2)) that holds these bytes; name is for /proc. */
int file_in_memory(const char *name, const void *data, size_t n, int *ret_fd, struct err *e);

/*
 * Remove name beneath dirfd and all below it, never following a symlink nor crossing a mount.
 * A missing name is success.
 */
int file_remove_tree(int dirfd, const char *name, struct err *e);

#endif

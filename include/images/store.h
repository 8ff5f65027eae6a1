/*
 * The image store: Python root file systems by the SHA-256 of their packed file.
 *
 *	DIR/sha256/<hex>.erofs   the image, packed; its SHA-256 is <hex>; never changed once there
 *	DIR/sha256/<hex>.json    the manifest (docs/IMAGES.md): sizes, interpreter, packages
 *	DIR/names/<name>         text: <hex>. Replaced atomically, so a name is old or new, never half
 *	DIR/unpacked/<hex>/      optional: the same tree as a directory, for kernels that cannot mount
 *	                         EROFS from a file (< 6.12)
 *
 * Life cycle:
 *
 *  1. img_store_open() once; the directories are made when they are missing.
 *  2. img_find() or img_store_list(): a struct img is plain data and needs no release.
 *  3. img_verify() once for each image, before its first use: reads the whole file (blocks, some
 *     60 ms for 30 MB). Later opens only check the size.
 *  4. img_open_packed() or img_open_unpacked(): the descriptor is the caller's. The mount is the
 *     caller's affair too: this layer knows files only.
 *  5. img_store_free().
 *
 * The store belongs to root. A manifest is nevertheless read as if it came from outside: bounded,
 * every field checked, unknown types refused.
 *
 * Writers (images/build, img_set_name(), img_store_gc()) exclude each other by flock(2) on DIR;
 * readers take no lock.
 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IMG_NAME_MAX    64  /* [a-z0-9][a-z0-9._-]{0,63} */
#define IMG_DIGEST_MAX  64  /* lower-case hex */
#define IMG_PYTHON_MAX  127 /* a path in the image */
#define IMG_ARCH_MAX    15
#define IMG_CREATED_MAX 31
#define IMG_LIST_MAX    256 /* names in one store */

struct img {
	char name[IMG_NAME_MAX + 1];
	char digest[IMG_DIGEST_MAX + 1]; /* hex SHA-256 of the packed file, without "sha256:" */
	uint64_t packed_bytes;           /* size of the .erofs file */
	uint64_t unpacked_bytes;         /* sum of all file sizes in it */
	uint32_t n_packages;             /* rows of the manifest's package list */
	char python[IMG_PYTHON_MAX + 1]; /* absolute in the image: "/usr/bin/python3.11" */
	char arch[IMG_ARCH_MAX + 1];     /* Debian's name: "amd64" */
	char created[IMG_CREATED_MAX +
		     1]; /* "2025-06-01T00:00:00Z": the recipe's date, not the build's */
};

struct img_store;

/* Open the store at dir, making what is missing. */
int img_store_open(const char *dir, struct img_store **ret, struct err *e);
void img_store_free(struct img_store *s);
static inline void img_store_freep(struct img_store **s)
{
	img_store_free(*s);
}
#define _cleanup_img_store_ __attribute__((cleanup(img_store_freep)))

/*
 * All named images, sorted by name, into max slots (IMG_LIST_MAX is always enough).
 * -ENOBUFS if there are more; the first broken entry fails the call and is named in *e.
 */
int img_store_list(struct img_store *s, struct img *ret, size_t max, size_t *ret_n, struct err *e);

/*
 * One image by name ("python3.11") or digest ("sha256:<hex>"). ret->name is the name asked for; for a
 * digest it is the name in the manifest, which by now may stand for a newer image.
 * -ENOENT if there is none, -EINVAL if the text is neither, -EBADMSG if the manifest is broken.
 */
int img_find(struct img_store *s, const char *name, struct img *ret, struct err *e);

/* Read the packed file and compare its SHA-256 with img->digest. -EBADMSG if it differs. Blocks. */
int img_verify(struct img_store *s, const struct img *img, struct err *e);

/* The packed file, read-only. -EBADMSG if its size is not the manifest's. */
int img_open_packed(struct img_store *s, const struct img *img, int *ret_fd, struct err *e);

/*
 * The unpacked directory. IMG_E_NONE if the store holds none for this image. What lies in it has no
 * digest: it is as trustworthy as the permissions of the store.
 */
enum img_outcome { IMG_E_NONE = 1 };
int img_open_unpacked(struct img_store *s, const struct img *img, int *ret_fd, struct err *e);

/* Let name stand for the image with this digest (hex), atomically. The image must be in the store. */
int img_set_name(struct img_store *s, const char *name, const char *digest, struct err *e);

/*
 * Remove every image no name stands for, except the n_keep digests (hex) in keep: those that
 * function versions still ask for. Files that are not ours by their name are left alone. A mounted
 * image outlives its file.
 */
int img_store_gc(struct img_store *s, const char *const *keep, size_t n_keep, size_t *ret_n_removed,
		 struct err *e);

#endif

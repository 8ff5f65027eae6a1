/* What the files of the image layer share; see include/images/store.h for the layout. */
#ifndef IMAGES_STORE_PRIVATE_H
#define IMAGES_STORE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "images/store.h"

struct img_store {
	int dir; /* DIR: every path below is relative to it */
};

/* "unpacked/" + digest + ".erofs" and the like. */
#define IMG_PATH_MAX 127

/* [a-z0-9][a-z0-9._-]{0,63}: no slash and no leading dot, so a valid name is a safe file name. */
bool img_name_is_valid(const char *name);

/* Exactly 64 lower-case hex digits. */
bool img_digest_is_valid(const char *digest);

/*
 * Parse and check a manifest. Refused with -EBADMSG: duplicate, missing or unknown fields, wrong types,
 * values out of range, a digest other than the one it is filed under.
 */
int img_parse_manifest(const char *json, size_t len, const char *digest, struct img *ret,
		       struct err *e);

/* The digest a name stands for; digest has room for IMG_DIGEST_MAX + 1. -ENOENT, -EBADMSG. */
int img_read_name(struct img_store *s, const char *name, char *digest, struct err *e);

/* All names, unsorted. -ENOBUFS if there are more than max. */
int img_read_names(struct img_store *s, char (*names)[IMG_NAME_MAX + 1], size_t max, size_t *ret_n,
		   struct err *e);

/* Become the one writer until *ret_fd is closed. Blocks while another writes. */
int img_lock(struct img_store *s, int *ret_fd, struct err *e);

#endif

/*
 * Garbage collection: what no name and no caller keeps is removed.
 *
 * When any name cannot be read nothing is removed at all. An image loses its manifest first: from then
 * on it cannot be found, so no reader meets half of one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store_private.h"

struct gc {
	struct img_store *store;
	const char *const *keep;
	size_t n_keep;
	char names[IMG_LIST_MAX][IMG_NAME_MAX + 1];
	char named[IMG_LIST_MAX][IMG_DIGEST_MAX + 1]; /* by them */
	size_t n_named;
	size_t n_removed;
};

static const struct place {
	const char *dir, *suffix;
	bool is_image; /* counted as one removed image */
} places[] = {
	{"sha256",   ".json",  false},
	{"sha256",   ".erofs", true },
	{"unpacked", "",       false},
};

static bool is_kept(const struct gc *gc, const char *digest)
{
	for (size_t i = 0; i < gc->n_named; i++)
		if (str_is(gc->named[i], digest))
			return true;
	for (size_t i = 0; i < gc->n_keep; i++)
		if (str_is(gc->keep[i], digest))
			return true;
	return false;
}

static int read_named(struct gc *gc, struct err *e)
{
	int r = img_read_names(gc->store, gc->names, IMG_LIST_MAX, &gc->n_named, e);

	for (size_t i = 0; r == 0 && i < gc->n_named; i++)
		r = img_read_name(gc->store, gc->names[i], gc->named[i], e);
	return r;
}

/* The digest if file is <hex><suffix>, else false: then it is not ours to remove. */
static bool digest_of(const char *file, const char *suffix, char *ret_digest)
{
	size_t n = strlen(file), tail = strlen(suffix);
	char digest[IMG_DIGEST_MAX + 1];

	if (n != IMG_DIGEST_MAX + tail || !str_has_suffix(file, suffix))
		return false;
	memcpy(digest, file, IMG_DIGEST_MAX);
	digest[IMG_DIGEST_MAX] = '\0';
	memcpy(ret_digest, digest, sizeof(digest));
	return img_digest_is_valid(digest);
}

static int sweep(struct gc *gc, const struct place *place, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	char digest[IMG_DIGEST_MAX + 1];
	const char *name;
	int r = file_list(gc->store->dir, place->dir, &list, e);

	if (r == -ENOENT)
		return 0;
	while (r == 0 && (name = file_next_name(list))) {
		if (!digest_of(name, place->suffix, digest) || is_kept(gc, digest))
			continue;
		r = file_remove_tree(dirfd(list), name, e);
		if (r < 0)
			return err_wrap(e, "%s", place->dir);
		gc->n_removed += place->is_image;
	}
	return r;
}

int img_store_gc(struct img_store *s, const char *const *keep, size_t n_keep, size_t *ret_n_removed,
		 struct err *e)
{
	_cleanup_free_ struct gc *gc = calloc(1, sizeof(*gc));
	_cleanup_fd_ int lock = -1;
	int r = gc ? img_lock(s, &lock, e) : err_set(e, ENOMEM, "out of memory");

	if (r == 0) {
		*gc = (struct gc){.store = s, .keep = keep, .n_keep = n_keep};
		r = read_named(gc, e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++)
		r = sweep(gc, &places[i], e);
	if (r < 0)
		return err_wrap(e, "collect images");
	*ret_n_removed = gc->n_removed;
	return 0;
}

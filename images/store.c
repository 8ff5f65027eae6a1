/* Reading the image store, and its one cheap write: moving a name. */
#include "images/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store_private.h"

#define MANIFEST_BYTES_MAX (256 << 10)

int img_store_open(const char *dir, struct img_store **ret, struct err *e)
{
	static const char *const parts[] = {"sha256", "names"};
	_cleanup_img_store_ struct img_store *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ENOMEM, "image store: out of memory");
	s->dir = -1;
	r = file_make_dirs(AT_FDCWD, dir, 0755, e);
	if (r == 0)
		r = file_open_dir(AT_FDCWD, dir, &s->dir, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = file_make_dirs(s->dir, parts[i], 0755, e);
	if (r < 0)
		return err_wrap(e, "image store");
	*ret = mem_steal(&s);
	return 0;
}

void img_store_free(struct img_store *s)
{
	if (!s)
		return;
	fd_close(&s->dir);
	free(s);
}

int img_lock(struct img_store *s, int *ret_fd, struct err *e)
{
	/* A descriptor of its own: a lock belongs to the open file, and s->dir is for everybody. */
	_cleanup_fd_ int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return err_errno(e, "lock the image store");
	*ret_fd = fd_steal(&fd);
	return 0;
}

int img_read_name(struct img_store *s, const char *name, char *digest, struct err *e)
{
	char path[IMG_PATH_MAX + 1], text[IMG_DIGEST_MAX + 2];
	int r;

	if (!img_name_is_valid(name))
		return err_set(e, EINVAL, "image '%s': not a name", name);
	snprintf(path, sizeof(path), "names/%s", name);
	r = file_read(s->dir, path, text, sizeof(text), e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "image '%s': not in the store", name);
	if (r == -EFBIG || (r == 0 && !img_digest_is_valid(text)))
		return err_set(e, EBADMSG, "image '%s': its name file holds no digest", name);
	if (r < 0)
		return err_wrap(e, "image '%s'", name);
	(void)str_copy(digest, IMG_DIGEST_MAX + 1, text); /* valid, so it fits */
	return 0;
}

int img_read_names(struct img_store *s, char (*names)[IMG_NAME_MAX + 1], size_t max, size_t *ret_n,
		   struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	const char *name;
	size_t n = 0;
	int r = file_list(s->dir, "names", &list, e);

	while (r == 0 && (name = file_next_name(list))) {
		if (!img_name_is_valid(name))
			continue;
		if (n == max)
			r = err_set(e, ENOBUFS, "the image store holds more than %zu names", max);
		else
			(void)str_copy(names[n++], sizeof(*names), name);
	}
	if (r == 0)
		*ret_n = n;
	return r;
}

static int load(struct img_store *s, const char *digest, struct img *ret, struct err *e)
{
	_cleanup_free_ char *json = malloc(MANIFEST_BYTES_MAX + 1);
	char path[IMG_PATH_MAX + 1];
	int r;

	if (!json)
		return err_set(e, ENOMEM, "image manifest: out of memory");
	snprintf(path, sizeof(path), "sha256/%s.json", digest);
	r = file_read(s->dir, path, json, MANIFEST_BYTES_MAX + 1, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "image sha256:%s: not in the store", digest);
	if (r < 0)
		return err_wrap(e, "image sha256:%s", digest);
	return img_parse_manifest(json, strlen(json), digest, ret, e);
}

int img_find(struct img_store *s, const char *name, struct img *ret, struct err *e)
{
	static const char prefix[] = "sha256:";
	char digest[IMG_DIGEST_MAX + 1];
	struct img img;
	int r;

	if (str_has_prefix(name, prefix)) {
		name += sizeof(prefix) - 1;
		if (!img_digest_is_valid(name))
			return err_set(e, EINVAL, "image 'sha256:%s': not a digest", name);
		return load(s, name, ret, e);
	}
	r = img_read_name(s, name, digest, e);
	if (r < 0)
		return r;
	r = load(s, digest, &img, e);
	if (r < 0)
		return err_wrap(e, "image '%s'", name);
	(void)str_copy(img.name, sizeof(img.name), name); /* valid, so it fits */
	*ret = img;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct img *)a)->name, ((const struct img *)b)->name);
}

int img_store_list(struct img_store *s, struct img *ret, size_t max, size_t *ret_n, struct err *e)
{
	_cleanup_free_ char(*names)[IMG_NAME_MAX + 1] = calloc(IMG_LIST_MAX, sizeof(*names));
	_cleanup_free_ struct img *found = NULL;
	size_t n;
	int r;

	if (!names)
		return err_set(e, ENOMEM, "list images: out of memory");
	r = img_read_names(s, names, max < IMG_LIST_MAX ? max : IMG_LIST_MAX, &n, e);
	if (r < 0)
		return r;
	found = calloc(n + 1, sizeof(*found)); /* + 1: never an allocation of nothing */
	if (!found)
		return err_set(e, ENOMEM, "list images: out of memory");
	for (size_t i = 0; i < n; i++) {
		r = img_find(s, names[i], &found[i], e);
		if (r < 0)
			return r;
	}
	qsort(found, n, sizeof(*found), by_name);
	memcpy(ret, found, n * sizeof(*found));
	*ret_n = n;
	return 0;
}

int img_open_packed(struct img_store *s, const struct img *img, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char path[IMG_PATH_MAX + 1];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "sha256/%s.erofs", img->digest);
	r = file_open_beneath(s->dir, path, O_RDONLY | O_NOFOLLOW, 0, &fd, e);
	if (r < 0)
		return err_wrap(e, "image '%s'", img->name);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "image '%s': stat '%s'", img->name, path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != img->packed_bytes)
		return err_set(e, EBADMSG, "image '%s': '%s' is not the file its manifest tells of",
			       img->name, path);
	*ret_fd = fd_steal(&fd);
	return 0;
}

int img_open_unpacked(struct img_store *s, const struct img *img, int *ret_fd, struct err *e)
{
	char path[IMG_PATH_MAX + 1];
	int r;

	snprintf(path, sizeof(path), "unpacked/%s", img->digest);
	r = file_open_beneath(s->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, ret_fd, e);
	if (r == -ENOENT)
		return IMG_E_NONE;
	return r < 0 ? err_wrap(e, "image '%s'", img->name) : 0;
}

int img_set_name(struct img_store *s, const char *name, const char *digest, struct err *e)
{
	_cleanup_fd_ int lock = -1, packed = -1;
	char path[IMG_PATH_MAX + 1], text[IMG_DIGEST_MAX + 2];
	struct img img;
	int r;

	if (!img_name_is_valid(name) || !img_digest_is_valid(digest))
		return err_set(e, EINVAL, "image '%s' = '%s': not a name and a digest", name,
			       digest);
	r = img_lock(s, &lock, e);
	if (r == 0)
		r = load(s, digest, &img, e);
	if (r == 0)
		r = img_open_packed(s, &img, &packed, e);
	if (r < 0)
		return err_wrap(e, "name '%s'", name);
	/* Written beside names/ and moved in: in there a half-made file would be a name itself. */
	snprintf(path, sizeof(path), "names/%s", name);
	snprintf(text, sizeof(text), "%s\n", digest);
	r = file_replace(s->dir, "name", text, strlen(text), 0644, e);
	if (r == 0 && renameat(s->dir, "name", s->dir, path) < 0)
		r = err_errno(e, "rename to '%s'", path);
	return r;
}

/* The promise of a content-addressed store, checked: the file's SHA-256 is its name. */
#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store_private.h"

#define CHUNK_BYTES (64 << 10)

static void md_ctx_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static int sha256_of(int fd, char *ret_hex, struct err *e)
{
	__attribute__((cleanup(md_ctx_freep))) EVP_MD_CTX *md = EVP_MD_CTX_new();
	_cleanup_free_ unsigned char *chunk = malloc(CHUNK_BYTES);
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len;
	ssize_t n;

	if (!chunk || !md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		return err_set(e, ENOMEM, "sha256: cannot begin");
	while ((n = read(fd, chunk, CHUNK_BYTES)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "sha256: read");
		if (!EVP_DigestUpdate(md, chunk, (size_t)n))
			return err_set(e, EIO, "sha256: cannot continue");
	}
	if (!EVP_DigestFinal_ex(md, sum, &len) || len != IMG_DIGEST_MAX / 2)
		return err_set(e, EIO, "sha256: cannot finish");
	str_hex(sum, len, ret_hex);
	return 0;
}

int img_verify(struct img_store *s, const struct img *img, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	char hex[IMG_DIGEST_MAX + 1];
	int r = img_open_packed(s, img, &fd, e);

	if (r < 0)
		return r;
	r = sha256_of(fd, hex, e);
	if (r < 0)
		return err_wrap(e, "image '%s'", img->name);
	if (!str_is(hex, img->digest))
		return err_set(e, EBADMSG,
			       "image '%s': the file is damaged: its SHA-256 is %s, not %s",
			       img->name, hex, img->digest);
	return 0;
}

/* Manifests: one JSON object for each image, read as if a stranger had written it. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "images/store_private.h"

#define BYTES_MAX    (UINT64_C(64) << 30)
#define PACKAGES_MAX 4096

bool img_name_is_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n >= 1 && n <= IMG_NAME_MAX && name[n] == '\0' && !strchr("._-", name[0]);
}

bool img_digest_is_valid(const char *digest)
{
	size_t n = strspn(digest, "0123456789abcdef");

	return n == IMG_DIGEST_MAX && digest[n] == '\0';
}

/* Absolute, already normal, printable: it is executed inside the image. */
static bool is_program_path(const char *path)
{
	if (path[0] != '/' || strstr(path, "//") || strstr(path, "/.") || str_has_suffix(path, "/"))
		return false;
	for (const char *p = path; *p; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return true;
}

static bool is_arch(const char *arch)
{
	return arch[0] && !arch[strspn(arch, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

/* "2025-06-01T00:00:00Z": the shape only, it is shown and never computed with. */
static bool is_time(const char *time)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:ddZ";

	if (strlen(time) != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; time[i]; i++)
		if (shape[i] == 'd' ? !strchr("0123456789", time[i]) : time[i] != shape[i])
			return false;
	return true;
}

#define FIELD(f) offsetof(struct img, f), sizeof(((struct img *)0)->f)

/* clang-format off */
static const struct {
	const char *key;
	size_t offset, size;
	bool (*is_valid)(const char *);
} texts[] = {
	{"name", FIELD(name), img_name_is_valid},
	{"digest", FIELD(digest), img_digest_is_valid},
	{"python", FIELD(python), is_program_path},
	{"arch", FIELD(arch), is_arch},
	{"created", FIELD(created), is_time},
};
/* clang-format on */

static const struct {
	const char *key;
	size_t offset;
} sizes[] = {
	{"packed_bytes",   offsetof(struct img, packed_bytes)  },
	{"unpacked_bytes", offsetof(struct img, unpacked_bytes)},
};

static int take_texts(const json_t *root, struct img *img, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const json_t *v = json_object_get(root, texts[i].key);
		const char *s = json_string_value(v);

		/* The length is compared because a JSON string may hold a NUL. */
		if (!s || strlen(s) != json_string_length(v) ||
		    !str_copy((char *)img + texts[i].offset, texts[i].size, s) ||
		    !texts[i].is_valid(s))
			return err_set(e, EBADMSG, "'%s' is missing or wrong", texts[i].key);
	}
	return 0;
}

static int take_sizes(const json_t *root, struct img *img, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const json_t *v = json_object_get(root, sizes[i].key);
		json_int_t n = json_integer_value(v);

		if (!json_is_integer(v) || n < 0 || (uint64_t)n > BYTES_MAX)
			return err_set(e, EBADMSG, "'%s' is missing or wrong", sizes[i].key);
		*(uint64_t *)(void *)((char *)img + sizes[i].offset) = (uint64_t)n;
	}
	return 0;
}

/* Rows of [name, version]. */
static int take_packages(const json_t *root, struct img *img, struct err *e)
{
	const json_t *rows = json_object_get(root, "packages");
	size_t n = json_array_size(rows);

	if (!json_is_array(rows) || n > PACKAGES_MAX)
		return err_set(e, EBADMSG, "'packages' is missing or wrong");
	for (size_t i = 0; i < n; i++) {
		const json_t *row = json_array_get(rows, i);

		if (json_array_size(row) != 2 || !json_is_string(json_array_get(row, 0)) ||
		    !json_is_string(json_array_get(row, 1)))
			return err_set(e, EBADMSG, "'packages': row %zu is not [name, version]", i);
	}
	img->n_packages = (uint32_t)n;
	return 0;
}

static int take_fields(const json_t *root, struct img *img, struct err *e)
{
	int r;

	if (!json_is_object(root))
		return err_set(e, EBADMSG, "not an object");
	r = take_texts(root, img, e);
	if (r == 0)
		r = take_sizes(root, img, e);
	if (r == 0)
		r = take_packages(root, img, e);
	/* All fields are there; duplicates were refused; so a surplus is an unknown one. */
	if (r == 0 && json_object_size(root) != ARRAY_SIZE(texts) + ARRAY_SIZE(sizes) + 1)
		r = err_set(e, EBADMSG, "unknown field");
	return r;
}

int img_parse_manifest(const char *json, size_t len, const char *digest, struct img *ret,
		       struct err *e)
{
	struct img img = {.n_packages = 0};
	json_error_t why;
	json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
	int r;

	if (!root)
		return err_set(e, EBADMSG, "manifest %s: line %d: %s", digest, why.line, why.text);
	r = take_fields(root, &img, e);
	if (r == 0 && !str_is(img.digest, digest))
		r = err_set(e, EBADMSG, "it is that of another image, %s", img.digest);
	json_decref(root);
	if (r < 0)
		return err_wrap(e, "manifest %s", digest);
	*ret = img;
	return 0;
}

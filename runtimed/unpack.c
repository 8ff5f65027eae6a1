/*
 * Unpacking one zip into one empty directory: see unpack.h.
 *
 * Two halves: this one reads the archive and counts, unpack_tree.c makes files. The reader is the seekable one: it goes by the
 * central directory, as Python's zipimport and every other tool does.
 */
#include "runtimed/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/module.h"
#include "runtimed/unpack_name.h"
#include "runtimed/unpack_tree.h"

#define BLOCK_BYTES (64 << 10)

const struct unpack_limits unpack_limits_default = {
	.packed_bytes_max = UNPACK_PACKED_BYTES_MAX,
	.unpacked_bytes_max = UNPACK_UNPACKED_BYTES_MAX,
	.entries_max = UNPACK_ENTRIES_MAX,
};

struct symlink {
	struct unpack_name name;
	char target[UNPACK_PATH_MAX + 1];
};

struct unpacker {
	struct archive *archive;
	const struct unpack_limits *limits;
	struct unpack_tree tree;
	uint64_t packed_bytes, bytes; /* bytes: written so far */
	uint32_t n_seen;
	struct symlink **symlinks;
	size_t n_symlinks;
	char *block;
};

static int damaged(struct unpacker *u, struct err *e)
{
	const char *text = archive_error_string(u->archive);
	char shown[UNPACK_SHOWN_MAX];

	if (archive_errno(u->archive) == ENOMEM)
		return err_set(e, ENOMEM, "out of memory");
	unpack_show(text ? text : "cannot be read", shown);
	return err_set(e, EBADMSG, "is damaged: %s", shown);
}

/* Count n more bytes before they are written. */
static int count_bytes(struct unpacker *u, size_t n, struct err *e)
{
	u->bytes += n;
	if (u->bytes > u->limits->unpacked_bytes_max)
		return err_set(e, E2BIG, "the package unpacks to more than %llu bytes",
			       (unsigned long long)u->limits->unpacked_bytes_max);
	if (u->bytes > UNPACK_RATIO_FREE_BYTES && u->bytes / UNPACK_RATIO_MAX > u->packed_bytes)
		return err_set(e, E2BIG, "the package unpacks to more than %u times its %llu bytes",
			       UNPACK_RATIO_MAX, (unsigned long long)u->packed_bytes);
	return 0;
}

static int write_content(struct unpacker *u, int fd, struct err *e)
{
	for (;;) {
		la_ssize_t n = archive_read_data(u->archive, u->block, BLOCK_BYTES);
		int r;

		if (n == 0)
			return 0;
		if (n < 0)
			return damaged(u, e);
		r = count_bytes(u, (size_t)n, e);
		if (r == 0)
			r = file_write_all(fd, u->block, (size_t)n, e);
		if (r < 0)
			return r;
	}
}

static int make_file(struct unpacker *u, const struct unpack_name *name,
		     struct archive_entry *entry, struct err *e)
{
	bool is_executable = archive_entry_perm(entry) & 0111;
	_cleanup_fd_ int fd = -1;
	int r = unpack_tree_create(&u->tree, name, &fd, e);

	if (r == 0)
		r = write_content(u, fd, e);
	return r == 0 ? unpack_tree_finish(fd, is_executable, e) : r;
}

static int make_directory(struct unpacker *u, const struct unpack_name *name,
			  struct archive_entry *entry, struct err *e)
{
	(void)entry;
	return unpack_tree_enter(&u->tree, name->path,
				 e); /* named twice, or by its files too: the same one */
}

/* Remember it: made when all files are written. */
static int note_symlink(struct unpacker *u, const struct unpack_name *name,
			struct archive_entry *entry, struct err *e)
{
	const char *target = archive_entry_symlink(entry);
	struct symlink **more, *s;
	int r;

	if (!target)
		return err_set(e, EBADMSG, "is a symlink without a target");
	r = unpack_symlink(name, target, e);
	if (r < 0)
		return r;
	if (u->n_symlinks == UNPACK_SYMLINKS_MAX)
		return err_set(e, E2BIG, "more than %u symlinks", UNPACK_SYMLINKS_MAX);
	more = reallocarray(u->symlinks, u->n_symlinks + 1, sizeof(struct symlink *));
	if (more)
		u->symlinks = more;
	s = more ? malloc(sizeof(*s)) : NULL;
	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	s->name = *name;
	(void)str_copy(s->target, sizeof(s->target), target);
	u->symlinks[u->n_symlinks++] = s;
	return 0;
}

/* clang-format off */
static const struct kind {
	mode_t type;
	int (*make)(struct unpacker *, const struct unpack_name *, struct archive_entry *,
		    struct err *);
	const char *refused;
} kinds[] = {
	{AE_IFREG,  make_file,      NULL                },
	{AE_IFDIR,  make_directory, NULL                },
	{AE_IFLNK,  note_symlink,   NULL                },
	{AE_IFCHR,  NULL,           "a character device"},
	{AE_IFBLK,  NULL,           "a block device"    },
	{AE_IFIFO,  NULL,           "a fifo"            },
	{AE_IFSOCK, NULL,           "a socket"          },
};
/* clang-format on */

/* libarchive knows six ways of packing; old tools and Python's own zipimport know these two. */
static bool is_known_method(struct archive *a)
{
	const char *format = archive_format_name(a);

	return format &&
	       (str_has_suffix(format, "(deflation)") || str_has_suffix(format, "(uncompressed)"));
}

static int take_entry(struct unpacker *u, struct archive_entry *entry, const char *raw,
		      struct err *e)
{
	struct unpack_name name;
	int r = unpack_name(raw, &name, e);

	if (r < 0)
		return r;
	if (archive_entry_is_encrypted(entry))
		return err_set(e, EINVAL, "is encrypted");
	if (archive_entry_hardlink(entry))
		return err_set(e, EINVAL, "is a hard link");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (archive_entry_filetype(entry) != kinds[i].type)
			continue;
		if (!kinds[i].make)
			return err_set(e, EINVAL, "is %s", kinds[i].refused);
		if (name.depth == 0 && kinds[i].type != AE_IFDIR)
			return err_set(e, EINVAL, "has no name");
		if (kinds[i].type == AE_IFREG && !is_known_method(u->archive))
			return err_set(e, EINVAL, "is packed in a way other than deflate: %s",
				       archive_format_name(u->archive));
		return kinds[i].make(u, &name, entry, e);
	}
	return err_set(e, EINVAL, "is of an unknown type");
}

/* 1: there is no further entry. */
static int next_entry(struct unpacker *u, struct err *e)
{
	struct archive_entry *entry = NULL;
	int got = archive_read_next_header(u->archive, &entry), r = 0;
	const char *raw = got == ARCHIVE_FATAL || !entry ? NULL : archive_entry_pathname(entry);
	char shown[UNPACK_SHOWN_MAX];

	if (got == ARCHIVE_EOF)
		return 1;
	if (++u->n_seen > u->limits->entries_max)
		return err_set(e, E2BIG, "the package has more than %u entries",
			       u->limits->entries_max);
	if (got != ARCHIVE_OK) /* warnings too: what libarchive doubts we do not install */
		r = damaged(u, e);
	else if (!raw)
		r = err_set(e, EINVAL, "has a name that is not UTF-8");
	else
		r = take_entry(u, entry, raw, e);
	if (r == 0)
		return 0;
	if (!raw)
		return err_wrap(e, "entry number %u", u->n_seen);
	unpack_show(raw, shown);
	return err_wrap(e, "entry '%s'", shown);
}

static int make_symlinks(struct unpacker *u, struct err *e)
{
	char shown[UNPACK_SHOWN_MAX];

	for (size_t i = 0; i < u->n_symlinks; i++) {
		const struct symlink *s = u->symlinks[i];

		if (unpack_tree_symlink(&u->tree, &s->name, s->target, e) == 0)
			continue;
		unpack_show(s->name.path, shown);
		return err_wrap(e, "entry '%s'", shown);
	}
	return 0;
}

static int unpack_all(struct unpacker *u, const char *module, struct err *e)
{
	int r;

	do
		r = next_entry(u, e);
	while (r == 0);
	if (r > 0)
		r = make_symlinks(u, e);
	if (r == 0)
		r = module_find(u->tree.dirfd, module, e);
	/* One flush for thousands of files; a rename must not outlive the bytes it shows. */
	if (r == 0 && syncfs(u->tree.dirfd) < 0)
		r = err_errno(e, "sync");
	return r;
}

static int open_package(struct unpacker *u, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "the package");
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "the package is not a regular file");
	if ((uint64_t)st.st_size > u->limits->packed_bytes_max)
		return err_set(e, E2BIG, "the package has %lld bytes, %llu are allowed",
			       (long long)st.st_size,
			       (unsigned long long)u->limits->packed_bytes_max);
	u->packed_bytes = (uint64_t)st.st_size;
	u->archive = archive_read_new();
	u->block = malloc(BLOCK_BYTES);
	if (!u->archive || !u->block)
		return err_set(e, ENOMEM, "out of memory");
	if (archive_read_support_format_zip_seekable(u->archive) != ARCHIVE_OK)
		return err_set(e, ENOMEM, "%s", archive_error_string(u->archive));
	if (archive_read_open_fd(u->archive, fd, BLOCK_BYTES) != ARCHIVE_OK)
		return err_set(e, EBADMSG, "the package is not a zip archive, or not all of one");
	return 0;
}

static void unpacker_fini(struct unpacker *u)
{
	(void)archive_read_free(u->archive); /* nothing is written back */
	for (size_t i = 0; i < u->n_symlinks; i++)
		free(u->symlinks[i]);
	free(u->symlinks);
	free(u->block);
	unpack_tree_fini(&u->tree);
}

int unpack(int package_fd, int dirfd, const struct unpack_limits *limits, const char *module,
	   struct unpack_result *ret, struct err *e)
{
	struct unpacker u = {.limits = limits};
	/* libarchive turns names into the locale's: with another one it would refuse or guess. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before;
	struct err also = ERR_INIT;
	int r;

	if (utf8 == (locale_t)0)
		return err_errno(e, "locale C.UTF-8");
	unpack_tree_init(&u.tree, dirfd, limits->entries_max);
	before = uselocale(utf8);
	r = open_package(&u, package_fd, e);
	if (r == 0)
		r = unpack_all(&u, module, e);
	unpacker_fini(&u);
	(void)uselocale(before);
	freelocale(utf8);
	if (r < 0) {
		(void)unpack_tree_empty(dirfd, &also); /* the first error is the one to report */
		return r;
	}
	*ret = (struct unpack_result){.n_entries = u.tree.n_made, .unpacked_bytes = u.bytes};
	return 0;
}

#include "runtimed/fnctl/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define CHUNK_BYTES (64 << 10)

struct packer {
	struct archive *zip;
	size_t root_len; /* of the directory's path, with its slash */
	uint64_t unpacked_bytes;
	uint32_t n_entries;
};

static int refuse_packed(const char *path, struct err *e)
{
	return err_set(e, EFBIG, "%s: more than %d MB packed", path, PACK_PACKED_MAX_BYTES >> 20);
}

static int archive_err(const struct packer *p, const char *path, struct err *e)
{
	return err_set(e, EIO, "pack '%s': %s", path, archive_error_string(p->zip));
}

static la_ssize_t on_write(struct archive *zip, void *arg, const void *data, size_t n)
{
	struct buf *out = arg;

	buf_append(out, data, n);
	if (!buf_failed(out))
		return (la_ssize_t)n;
	archive_set_error(zip, EFBIG, "more than %d MB packed", PACK_PACKED_MAX_BYTES >> 20);
	return ARCHIVE_FATAL;
}

static bool is_left_out(const FTSENT *f)
{
	return str_is(f->fts_name, "__pycache__") || str_is(f->fts_name, ".git");
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* The file's bytes; the size was announced, so a file that shrinks meanwhile is an error. */
static int copy_file(struct packer *p, const FTSENT *f, struct err *e)
{
	_cleanup_fd_ int fd = open(f->fts_accpath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	off_t left = f->fts_statp->st_size;
	_cleanup_free_ char *chunk = malloc(CHUNK_BYTES);

	if (fd < 0)
		return err_errno(e, "open '%s'", f->fts_path);
	if (!chunk)
		return err_set(e, ENOMEM, "out of memory");
	while (left > 0) {
		ssize_t n = read(fd, chunk, CHUNK_BYTES);

		if (n < 0)
			return err_errno(e, "read '%s'", f->fts_path);
		if (n == 0)
			return err_set(e, EAGAIN, "'%s' changed while it was packed", f->fts_path);
		if (n > left)
			n = (ssize_t)left;
		if (archive_write_data(p->zip, chunk, (size_t)n) != n)
			return archive_err(p, f->fts_path, e);
		left -= n;
	}
	return 0;
}

static int check_bounds(struct packer *p, const FTSENT *f, struct err *e)
{
	if (S_ISREG(f->fts_statp->st_mode))
		p->unpacked_bytes += (uint64_t)f->fts_statp->st_size;
	if (p->unpacked_bytes > PACK_UNPACKED_MAX_BYTES)
		return err_set(e, EFBIG, "'%s': the code is more than %d MB", f->fts_path,
			       PACK_UNPACKED_MAX_BYTES >> 20);
	if (++p->n_entries > PACK_ENTRIES_MAX)
		return err_set(e, EFBIG, "'%s': more than %d files", f->fts_path, PACK_ENTRIES_MAX);
	return 0;
}

/* What the archive says of a file: its kind and whether it may be executed, nothing of its owner. */
static int describe(const struct packer *p, const FTSENT *f, struct archive_entry *entry,
		    struct err *e)
{
	const struct stat *st = f->fts_statp;
	char target[4096];
	ssize_t n;

	archive_entry_set_pathname(entry, f->fts_path + p->root_len);
	archive_entry_set_filetype(entry, st->st_mode & S_IFMT);
	archive_entry_set_perm(entry, st->st_mode & 0111 ? 0755 : 0644);
	archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (!S_ISLNK(st->st_mode))
		return 0;
	n = readlink(f->fts_accpath, target, sizeof(target) - 1);
	if (n < 0)
		return err_errno(e, "readlink '%s'", f->fts_path);
	target[n] = '\0';
	archive_entry_set_symlink(entry, target);
	return 0;
}

static int add_entry(struct packer *p, const FTSENT *f, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	if (!entry)
		return err_set(e, ENOMEM, "pack '%s': out of memory", f->fts_path);
	r = check_bounds(p, f, e);
	if (r == 0)
		r = describe(p, f, entry, e);
	if (r == 0 && archive_write_header(p->zip, entry) != ARCHIVE_OK)
		r = archive_err(p, f->fts_path, e);
	if (r == 0 && f->fts_info == FTS_F)
		r = copy_file(p, f, e);
	archive_entry_free(entry);
	return r;
}

static int walk(struct packer *p, FTS *fts, struct err *e)
{
	FTSENT *f;
	int r = 0;

	while (r == 0 && (errno = 0, f = fts_read(fts))) {
		switch (f->fts_info) {
		case FTS_D:
			if (is_left_out(f))
				fts_set(fts, f, FTS_SKIP);
			else if (f->fts_level > 0)
				r = add_entry(p, f, e);
			break;
		case FTS_F:
		case FTS_SL:
		case FTS_SLNONE:
			if (!is_left_out(f))
				r = add_entry(p, f, e);
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
			return err_set(e, f->fts_errno, "read '%s': %s", f->fts_path,
				       strerror(f->fts_errno));
		default: /* a socket, a device, the way back out of a directory */
			break;
		}
	}
	return r == 0 && errno ? err_errno(e, "read the code's directory") : r;
}

static int pack_files(struct packer *p, const char *root, struct err *e)
{
	char *const roots[] = {(char *)(uintptr_t)root, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	int r;

	if (!fts)
		return err_errno(e, "read '%s'", root);
	r = walk(p, fts, e);
	fts_close(fts);
	return r;
}

static int pack_dir(const char *path, struct buf *out, struct err *e)
{
	struct packer p = {.zip = archive_write_new()};
	char root[4096];
	size_t n = strlen(path);
	int r;

	/* One slash between the root and what is below it, whatever the user typed. */
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (!p.zip || n >= sizeof(root))
		return err_set(e, ENOMEM, "pack '%s': out of memory", path);
	memcpy(root, path, n);
	root[n] = '\0';
	p.root_len = n + !str_is(root, "/");
	archive_write_set_format_zip(p.zip);
	archive_write_set_bytes_per_block(p.zip, 0);
	r = archive_write_open(p.zip, out, NULL, on_write, NULL) == ARCHIVE_OK
		    ? pack_files(&p, root, e)
		    : archive_err(&p, root, e);
	if (r == 0 && archive_write_close(p.zip) != ARCHIVE_OK)
		r = archive_err(&p, root, e);
	archive_write_free(p.zip);
	if (r == 0 && p.n_entries == 0)
		return err_set(e, ENOENT, "'%s' is empty", path);
	return r;
}

static int read_zip(int fd, const char *path, const struct stat *st, struct buf *out, struct err *e)
{
	char *to;
	ssize_t n;

	if (st->st_size > PACK_PACKED_MAX_BYTES)
		return refuse_packed(path, e);
	to = buf_reserve(out, (size_t)st->st_size);
	if (!to)
		return err_set(e, ENOMEM, "read '%s': out of memory", path);
	for (off_t at = 0; at < st->st_size; at += n) {
		n = pread(fd, to + at, (size_t)(st->st_size - at), at);
		if (n <= 0)
			return err_errno(e, "read '%s'", path);
	}
	buf_commit(out, (size_t)st->st_size);
	if (out->len < 4 || memcmp(out->data, "PK", 2) != 0)
		return err_set(e, EINVAL, "'%s' is neither a directory nor a zip", path);
	return 0;
}

int pack_code(const char *path, struct buf *out, struct err *e)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "open '%s'", path);
	return S_ISDIR(st.st_mode) ? pack_dir(path, out, e) : read_zip(fd, path, &st, out, e);
}

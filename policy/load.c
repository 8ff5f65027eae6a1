/* Policies from memory and from files; where `include` leads. */
#include "policy/pol.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

struct directory {
	struct pol_source src;
	int fd;
};

static int policy_new(struct pol **ret, struct err *e)
{
	struct pol *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ENOMEM, "policy: out of memory");
	p->n_text = 1; /* offset 0 is the empty string, the condition of rules that have none */
	*ret = p;
	return 0;
}

void pol_free(struct pol *p)
{
	free(p);
}

size_t pol_rules(const struct pol *p)
{
	return p->n_rules;
}

int pol_parse(const char *text, size_t n, const char *name, struct pol **ret, struct err *e)
{
	_cleanup_pol_ struct pol *p = NULL;
	int r = policy_new(&p, e);

	if (r == 0)
		r = pol_add_text(p, NULL, text, n, name, e);
	if (r == 0)
		r = pol_finish(p, name, e);
	if (r == 0)
		*ret = mem_steal(&p);
	return r;
}

static int read_all(int fd, char *out, size_t size, size_t *ret_n)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, out + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_n = n;
	return 0;
}

static int add_file(struct pol *p, struct pol_source *src, int fd, const char *name, struct err *e)
{
	_cleanup_free_ char *text = malloc(POL_TEXT_MAX + 1);
	struct stat st;
	size_t n = 0;

	if (!text)
		return err_set(e, ENOMEM, "%s: out of memory", name);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a regular file", name);
	if (read_all(fd, text, POL_TEXT_MAX + 1, &n) < 0)
		return err_errno(e, "read '%s'", name);
	return pol_add_text(p, src, text, n, name, e);
}

/* O_NONBLOCK: a FIFO must not hang us before add_file() refuses it. */
static int include(struct pol_source *src, const char *name, struct pol *p, struct err *e)
{
	struct directory *dir = container_of(src, struct directory, src);
	_cleanup_fd_ int fd = -1;
	int r = file_open_beneath(dir->fd, name, O_RDONLY | O_NONBLOCK, 0, &fd, e);

	return r < 0 ? r : add_file(p, src, fd, name, e);
}

static int open_directory_of(const char *path, int *ret_fd, struct err *e)
{
	char copy[PATH_MAX];

	if (!str_copy(copy, sizeof(copy), path))
		return err_set(e, ENAMETOOLONG, "policy: the path is too long");
	return file_open_dir(AT_FDCWD, dirname(copy), ret_fd, e);
}

int pol_load(const char *path, struct pol **ret, struct err *e)
{
	struct directory dir = {.src.include = include, .fd = -1};
	_cleanup_fd_ int dir_fd = -1;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_pol_ struct pol *p = NULL;
	int r;

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	r = open_directory_of(path, &dir_fd, e);
	if (r < 0)
		return r;
	dir.fd = dir_fd;
	r = policy_new(&p, e);
	if (r == 0)
		r = add_file(p, &dir.src, fd, path, e);
	if (r == 0)
		r = pol_finish(p, path, e);
	if (r == 0)
		*ret = mem_steal(&p);
	return r;
}

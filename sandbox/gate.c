/*
 * The child's last stretch: where it stops on its way, and the program it becomes. See child.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/child.h"

int child_tell(int sync, const struct child_report *rep, struct err *e)
{
	return write(sync, rep, sizeof(*rep)) == sizeof(*rep) ? 0 : err_errno(e, "tell the parent");
}

int child_pause(int sync, enum child_stage stage, int listener, struct err *e)
{
	struct child_report rep = {.stage = stage, .listener = listener, .err = ERR_INIT};
	char go;
	int r = child_tell(sync, &rep, e);

	if (r == 0 && read(sync, &go, 1) != 1)
		r = err_set(e, EPIPE, "the parent is gone");
	return r;
}

int child_wait_start(const struct sbx_gate *gate, struct err *e)
{
	char go;
	ssize_t n;

	/* It never ends: we hold the other end ourselves. */
	do
		n = read(gate->start, &go, 1);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : err_errno(e, "wait for start");
}

void child_answer(const struct sbx_gate *gate, const struct err *e)
{
	struct child_report rep = {.err = *e};

	/* It fits in a pipe, and as we read from it too there is no signal; who started us may be gone. */
	if (write(gate->answer, &rep, sizeof(rep)) < 0)
		return;
}

/* In the words that engines look for: they make 127 and 126 of them. */
static int not_executed(const char *name, bool is_searched, int code, struct err *e)
{
	const char *why = strerror(code);

	if (code == ENOENT)
		why = is_searched ? "executable file not found in $PATH"
				  : "no such file or directory";
	else if (code == EACCES)
		why = "permission denied";
	return err_set(e, code, "'%s': %s (%s)", name, err_name(code), why);
}

static const char *search_path(const struct sbx_plan *p)
{
	for (const char **v = p->env; *v; v++)
		if (strncmp(*v, "PATH=", 5) == 0)
			return *v + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Put the next place of the path where `name` may be into full; false: there are no more. */
static bool next_place(const char **path, const char *name, char full[PATH_MAX])
{
	while (**path) {
		size_t n = strcspn(*path, ":");
		const char *directory = *path;

		*path += n + (directory[n] == ':');
		if (n == 0 || n + strlen(name) + 2 > PATH_MAX)
			continue;
		memcpy(full, directory, n);
		full[n] = '/';
		strcpy(full + n + 1, name); /* fits: checked above */
		return true;
	}
	return false;
}

/* What execve() would say of it, as far as one can tell without. */
static int look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

int child_find(const struct sbx_plan *p, struct err *e)
{
	const char *name = p->argv[0], *path = search_path(p);
	bool is_searched = !strchr(name, '/');
	char full[PATH_MAX];
	int found = is_searched ? ENOENT : name[0] == '/' ? look_at(name) : 0;

	while (is_searched && found != 0 && next_place(&path, name, full)) {
		int here = look_at(full);

		if (here == 0 || here == EACCES)
			found = here;
	}
	return found == 0 ? 0 : not_executed(name, is_searched, found, e);
}

/* execve() along PATH, as execvpe() would, but with the plan's PATH instead of ours. */
int child_execute(const struct sbx_plan *p, struct err *e)
{
	const char *name = p->argv[0], *path = search_path(p);
	char full[PATH_MAX];
	int code = ENOENT;

	if (strchr(name, '/')) {
		execve(name, (char **)p->argv, (char **)p->env);
		return not_executed(name, false, errno, e);
	}
	while (next_place(&path, name, full)) {
		execve(full, (char **)p->argv, (char **)p->env);
		if (errno == EACCES)
			code = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			return not_executed(full, false, errno, e);
	}
	return not_executed(name, true, code, e);
}

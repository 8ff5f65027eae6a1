/*
 * The child's last stretch: where it stops on its way, and the program it becomes. See child.h.
 */
#include <errno.h>
#include <string.h>
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

/* execve() along PATH, as execvpe() would, but with the plan's PATH instead of ours. */
int child_execute(const struct sbx_plan *p, struct err *e)
{
	const char *name = p->argv[0],
		   *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char full[4096];
	int code = ENOENT;

	for (const char **v = p->env; *v; v++)
		if (strncmp(*v, "PATH=", 5) == 0)
			path = *v + 5;
	if (strchr(name, '/')) {
		execve(name, (char **)p->argv, (char **)p->env);
		return not_executed(name, false, errno, e);
	}
	while (*path) {
		size_t n = strcspn(path, ":");

		if (n > 0 && n + strlen(name) + 2 < sizeof(full)) {
			memcpy(full, path, n);
			full[n] = '/';
			strcpy(full + n + 1, name); /* fits: checked above */
			execve(full, (char **)p->argv, (char **)p->env);
			if (errno == EACCES)
				code = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return not_executed(full, false, errno, e);
		}
		path += n + (path[n] == ':');
	}
	return not_executed(name, true, code, e);
}

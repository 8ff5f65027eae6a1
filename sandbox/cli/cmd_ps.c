/* sandbox ps: the processes of a container, as the host sees them. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/target.h"
#include "sandbox/pidns.h"

#define PS_WORDS_MAX 64

const struct opt ps_opts[] = {
	{"format",    'f', OPT_CHOICE, offsetof(struct cli, format), "table|json",
	 "rows of ps(1), or the pids alone; default table"                             },
	OPT_ROW_ID,
	{"PS-OPTION", 0,   OPT_REST,   offsetof(struct cli, rest),   NULL,         NULL},
	OPT_ROW_END,
};

struct pids {
	pid_t *pids;
	size_t n;
};

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

static int find_pids(const struct cli *c, struct pids *p, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_INIT;
	int r = target_open(c, &t, e);

	if (r < 0 || (t.group.dir[CG_CORE] < 0 && t.init.pid < 0))
		return r;
	r = t.state.paths ? cg_processes(&t.group, &p->pids, &p->n, e)
			  : pidns_processes(t.init.pid, &p->pids, &p->n, e);
	if (r == 0 && p->n > 0)
		qsort(p->pids, p->n, sizeof(*p->pids), by_number);
	return r;
}

static int print_json(const struct pids *p)
{
	putchar('[');
	for (size_t i = 0; i < p->n; i++)
		printf("%s%d", i > 0 ? "," : "", (int)p->pids[i]);
	puts("]");
	return 0;
}

/* ---- the table ---- */

/* Which word of ps's headline is PID; -1 = none. */
static int pid_column(const char *headline)
{
	const char *word = headline + strspn(headline, " \t");

	for (int i = 0; *word && *word != '\n'; i++) {
		size_t n = strcspn(word, " \t\n");

		if (n == 3 && strncmp(word, "PID", 3) == 0)
			return i;
		word += n;
		word += strspn(word, " \t");
	}
	return -1;
}

static bool is_of(const char *row, int column, const struct pids *p)
{
	const char *word = row + strspn(row, " \t");
	pid_t pid;

	for (; column > 0; column--) {
		word += strcspn(word, " \t\n");
		word += strspn(word, " \t");
	}
	pid = (pid_t)strtol(word, NULL, 10);
	return p->n > 0 && bsearch(&pid, p->pids, p->n, sizeof(pid), by_number);
}

static int filter(FILE *from, const struct pids *p, struct err *e)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int column;

	if (getline(&line, &size, from) < 0)
		return err_set(e, EPROTO, "ps: it printed nothing");
	column = pid_column(line);
	if (column < 0)
		return err_set(e, EINVAL, "ps: its options leave no column PID");
	fputs(line, stdout);
	while (getline(&line, &size, from) >= 0)
		if (is_of(line, column, p))
			fputs(line, stdout);
	return 0;
}

/* ps(1) of the host, with the words that were given, or -ef. */
static int spawn_ps(const struct cli *c, int out, pid_t *ret, struct err *e)
{
	static char ps[] = "ps", all[] = "-ef";
	char *words[PS_WORDS_MAX + 2] = {ps, all};
	posix_spawn_file_actions_t actions;
	int r;

	if (c->rest.n > PS_WORDS_MAX)
		return err_set(e, E2BIG, "ps: more than %d options", PS_WORDS_MAX);
	for (int i = 0; i < c->rest.n; i++)
		words[i + 1] = c->rest.words[i];
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(ret, ps, &actions, NULL, words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r ? err_set(e, r, "ps: %s (%s)", err_name(r), strerror(r)) : 0;
}

static int print_table(const struct cli *c, const struct pids *p, struct err *e)
{
	int fds[2], status = 0, r;
	pid_t ps = -1;
	FILE *from;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	r = spawn_ps(c, fds[1], &ps, e);
	fd_close(&fds[1]);
	if (r < 0) {
		fd_close(&fds[0]);
		return r;
	}
	from = fdopen(fds[0], "re");
	r = from ? filter(from, p, e) : err_errno(e, "pipe");
	if (from)
		(void)fclose(from);
	else
		fd_close(&fds[0]);
	if (waitpid(ps, &status, 0) < 0)
		return err_errno(e, "ps: wait");
	if (status != 0)
		return err_set(e, EINVAL, "ps: it ended with status %d",
			       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return r;
}

int cmd_ps(struct cli *c, struct err *e)
{
	struct pids p = {0};
	int r = find_pids(c, &p, e);

	if (r == 0)
		r = str_is(c->format, "json") ? print_json(&p) : print_table(c, &p, e);
	free(p.pids);
	return r;
}

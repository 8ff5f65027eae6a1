/* sandbox doctor: what this host offers, as a table or as JSON. See doctor.h. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "sandbox/cli/cli.h"
#include "sandbox/cli/doctor.h"

const struct opt doctor_opts[] = {
	{"json", 0, OPT_FLAG, offsetof(struct cli, wants_json), NULL, "as JSON"},
	OPT_ROW_END,
};

static const char *const state_names[DOCTOR_STATES] = {
	[DOCTOR_OK] = "ok", [DOCTOR_LIMITED] = "limited", [DOCTOR_MISSING] = "missing"};

static const struct check *const tables[] = {doctor_kernel, doctor_namespaces, doctor_privileges};

/* ---- for the checks ---- */

void doctor_add(char *field, const char *word)
{
	size_t n = strlen(field);

	(void)snprintf(field + n, DOCTOR_TEXT_MAX - n, "%s%s", n ? ", " : "", word);
}

/* Root of a user namespace, with our own ids alone, and of a mount namespace that belongs to it. */
static int become_root(void)
{
	char uid[64], gid[64];
	const struct {
		const char *path, *text;
	} maps[] = {
		{"/proc/self/setgroups", "deny"},
		{"/proc/self/uid_map",   uid   },
		{"/proc/self/gid_map",   gid   },
	};
	struct err e = ERR_INIT;

	(void)snprintf(uid, sizeof(uid), "0 %u 1", geteuid());
	(void)snprintf(gid, sizeof(gid), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return errno;
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (file_write(AT_FDCWD, maps[i].path, maps[i].text, &e) < 0)
			return e.code;
	return 0;
}

int doctor_try(int (*try)(const void *arg), const void *arg)
{
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return errno;
	if (pid == 0) {
		int code = geteuid() == 0 ? 0 : become_root();

		_exit(code ?: try(arg));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	/* Ended by a signal: a filter around us kills for the call. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

/* ---- output ---- */

static void print_line(const char *mark, const char *text)
{
	if (*text)
		printf("%-28s %s%s\n", "", mark, text);
}

static void print(const struct check *c, const struct finding *f)
{
	printf("%-8s %-19s %s\n", state_names[f->state], c->name, f->found);
	print_line("", f->effect);
	print_line("-> ", f->advice);
}

static int add_json(json_t *list, const struct check *c, const struct finding *f)
{
	return json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:s, s:s}", "name",
						     c->name, "state", state_names[f->state],
						     "required", c->is_required, "found", f->found,
						     "effect", f->effect, "advice", f->advice));
}

static int print_json(json_t *list, bool can_run, struct err *e)
{
	json_t *all = json_pack("{s:b, s:O}", "canRun", can_run, "checks", list);
	_cleanup_free_ char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;

	json_decref(all);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	puts(text);
	return 0;
}

int cmd_doctor(struct cli *c, struct err *e)
{
	json_t *list = json_array();
	bool can_run = true;
	int r = list ? 0 : err_set(e, ENOMEM, "out of memory");

	for (size_t t = 0; r == 0 && t < ARRAY_SIZE(tables); t++)
		for (const struct check *check = tables[t]; r == 0 && check->name; check++) {
			struct finding f = {.state = DOCTOR_OK};

			check->run(&f);
			can_run = can_run && !(check->is_required && f.state == DOCTOR_MISSING);
			if (!c->wants_json)
				print(check, &f);
			else if (add_json(list, check, &f) < 0)
				r = err_set(e, ENOMEM, "out of memory");
		}
	if (r == 0 && c->wants_json)
		r = print_json(list, can_run, e);
	else if (r == 0)
		printf("\ncontainers %s run here\n", can_run ? "can" : "cannot");
	json_decref(list);
	return r < 0 ? r : can_run ? 0 : CLI_FAILED;
}

/* sandbox policy: check a policy or a container's profile, show its verdicts. Needs no privilege, changes nothing. */
#include "sandbox/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/seccomp_json.h"

#define PROFILE_BYTES (1u << 20) /* of JSON */

const struct opt policy_opts[] = {
	{"ACTION",  0, OPT_NAME, offsetof(struct cli, action), NULL, NULL},
	{"FILE",    0, OPT_NAME, offsetof(struct cli, file),   NULL, NULL},
	{"SYSCALL", 0, OPT_REST, offsetof(struct cli, rest),   NULL, NULL},
	OPT_ROW_END,
};

/* Our own text, or JSON of OCI or Docker: one of the two is there. */
struct file {
	struct pol *text;
	struct pol_profile *profile;
	struct buf skipped; /* names in the profile that libseccomp does not know */
};

static void file_close(struct file *f)
{
	pol_free(f->text);
	pol_profile_free(f->profile);
	buf_fini(&f->skipped);
}

/* A whole config.json has the profile in linux.seccomp; else the file is one. */
static int read_profile(struct file *f, const char *name, const json_t *json, struct err *e)
{
	struct node top = node_root(json, name), part = node_get(&top, "linux"),
		    section = node_get(&part, "seccomp");
	struct seccomp_docker docker;
	bool is_config = node_get(&top, "ociVersion").json != NULL;
	int r = node_object(&top, e);

	if (r == 0 && section.json)
		return seccomp_json_profile(&section, NULL, &f->skipped, &f->profile, e);
	if (r == 0 && is_config)
		return err_set(e, ENOENT,
			       "%s: linux.seccomp: is missing: all system calls are allowed by it",
			       name);
	if (r == 0)
		r = seccomp_docker_here(&docker, e);
	return r < 0 ? r : seccomp_json_profile(&top, &docker, &f->skipped, &f->profile, e);
}

static int load_json(struct file *f, const char *name, struct err *e)
{
	_cleanup_free_ char *text = malloc(PROFILE_BYTES);
	json_error_t why;
	json_t *json;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	r = file_read(AT_FDCWD, name, text, PROFILE_BYTES, e);
	if (r < 0)
		return r;
	json = node_load(text, strlen(text), &why);
	if (!json)
		return err_set(e, EINVAL, "%s:%d: %s", name, why.line, why.text);
	r = read_profile(f, name, json, e);
	json_decref(json);
	return r;
}

static int load(struct file *f, const char *name, struct err *e)
{
	return str_has_suffix(name, ".json") ? load_json(f, name, e) : pol_load(name, &f->text, e);
}

static int check(const struct file *f, int argc, char **argv, struct err *e)
{
	_cleanup_free_ struct pol_program *prog = calloc(1, sizeof(*prog));
	int r;

	(void)argc;
	(void)argv;
	if (!prog)
		return err_set(e, ENOMEM, "out of memory");
	r = f->text ? pol_compile(f->text, prog, e) : pol_profile_compile(f->profile, prog, e);
	if (r < 0)
		return r;
	printf("ok: %zu rules, %u instructions\n",
	       f->text ? pol_rules(f->text) : pol_profile_rules(f->profile), prog->n_insns);
	if (f->skipped.len > 0)
		printf("skipped, unknown to libseccomp:%s\n", f->skipped.data);
	return 0;
}

static int explain_call(const struct file *f, const char *name, struct buf *out, struct err *e)
{
	return f->text ? pol_explain_call(f->text, name, out, e)
		       : pol_profile_explain(f->profile, name, out, e);
}

static int explain(const struct file *f, int argc, char **argv, struct err *e)
{
	_cleanup_buf_ struct buf out;
	int r = 0;

	buf_init(&out, POL_EXPLAIN_MAX);
	if (argc == 0)
		r = f->text ? pol_explain(f->text, &out, e)
			    : pol_profile_explain(f->profile, NULL, &out, e);
	for (int i = 0; i < argc && r == 0; i++)
		r = explain_call(f, argv[i], &out, e);
	if (r == 0)
		fputs(out.data, stdout);
	return r;
}

/* run gets the words after FILE. */
static const struct {
	const char *name;
	int (*run)(const struct file *f, int argc, char **argv, struct err *e);
	int args_max;
} actions[] = {
	{"check",   check,   0            },
	{"explain", explain, POL_RULES_MAX},
};

static int usage(const struct cli *c, struct err *e)
{
	cli_report(c, e);
	return CLI_USAGE;
}

int cmd_policy(struct cli *c, struct err *e)
{
	__attribute__((cleanup(file_close))) struct file f = {.text = NULL};
	size_t i = 0;
	int r;

	while (i < ARRAY_SIZE(actions) && !str_is(actions[i].name, c->action))
		i++;
	if (i == ARRAY_SIZE(actions)) {
		err_set(e, EINVAL, "'%s': neither check nor explain", c->action);
		return usage(c, e);
	}
	if (c->rest.n > actions[i].args_max) {
		err_set(e, EINVAL, "%s: unexpected argument '%s'", c->action,
			c->rest.words[actions[i].args_max]);
		return usage(c, e);
	}
	buf_init(&f.skipped, PROFILE_BYTES);
	r = load(&f, c->file, e);
	return r < 0 ? r : actions[i].run(&f, c->rest.n, c->rest.words, e);
}

/*
 * export: a function as an OCI bundle, DIR/config.json and DIR/rootfs, that any runtime runs.
 *
 * The daemon tells what belongs into it and where that lies; the files are read here, by root, since no byte
 * of a tenant's passes through the launcher and the core may read none. All is made in a directory beside
 * DIR and takes DIR's name at the end: there is a whole bundle or none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "images/store.h"
#include "runtimed/fnctl/bundle.h"
#include "runtimed/fnctl/copytree.h"
#include "runtimed/fnctl/fnctl.h"
#include "runtimed/imgmount.h"

const struct opt export_opts[] = {
	OPT_ROW_NAME,
	{"DIR", 0, OPT_NAME, offsetof(struct options, dir), NULL, NULL},
	OPT_ROW_END,
};

/* Strings of the daemon's answer; borrowed from it. */
struct source {
	const char *code_dir, *images_dir, *image, *revision;
};

static int read_source(const json_t *doc, struct source *s, struct err *e)
{
	if (json_unpack((json_t *)doc, "{s:s,s:s,s:s,s:s}", "code_dir", &s->code_dir, "images_dir",
			&s->images_dir, "image", &s->image, "revision", &s->revision) < 0)
		return err_set(e, EPROTO, "the daemon's answer does not tell where the files are");
	if (s->code_dir[0] != '/' || s->images_dir[0] != '/')
		return err_set(e, EPROTO, "the daemon runs on relative directories, '%s' and '%s'",
			       s->code_dir, s->images_dir);
	return 0;
}

/* One that is there must be empty; rename(2) sees to it again at the end. */
static int check_target(const char *dir, struct err *e)
{
	_cleanup_dir_ DIR *list = NULL;
	int r = file_list(AT_FDCWD, dir, &list, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && file_next_name(list))
		r = err_set(e, ENOTEMPTY, "'%s' is there and not empty", dir);
	return r;
}

static int make_dir(int at, const char *name, int *ret_fd, struct err *e)
{
	if (mkdirat(at, name, 0755) < 0)
		return err_errno(e, "mkdir '%s'", name);
	return file_open_dir(at, name, ret_fd, e);
}

static int copy_image(const struct source *s, int rootfs, struct img *ret_img, struct err *e)
{
	_cleanup_img_store_ struct img_store *store = NULL;
	_cleanup_fd_ int mount = -1;
	int r = img_store_open(s->images_dir, &store, e);

	if (r == 0)
		r = img_find(store, s->image, ret_img, e);
	if (r == 0)
		r = imgmount(store, ret_img, &mount, e);
	if (r == 0)
		r = copy_tree(mount, rootfs, e);
	if (r == 0 && faccessat(rootfs, BUNDLE_RUNNER + 1, R_OK, 0) < 0)
		r = err_set(e, ENOENT, "it has no %s: rebuild the image", BUNDLE_RUNNER);
	return r < 0 ? err_wrap(e, "image") : 0;
}

static int copy_code(const struct source *s, int rootfs, struct err *e)
{
	_cleanup_fd_ int from = -1, to = -1;
	int r = file_open_dir(AT_FDCWD, s->code_dir, &from, e);

	if (r == 0)
		r = file_open_beneath(rootfs, BUNDLE_TASK + 1, O_RDONLY | O_DIRECTORY, 0, &to, e);
	if (r == 0)
		r = copy_tree(from, to, e);
	return r < 0 ? err_wrap(e, "code") : 0;
}

static int write_config(int bundle, const json_t *doc, const struct img *img, struct err *e)
{
	json_auto_t *config = NULL;
	_cleanup_free_ char *text = NULL;
	int r = bundle_config(doc, img->python, &config, e);

	if (r < 0)
		return r;
	text = json_dumps(config, JSON_INDENT(2));
	if (!text)
		return err_set(e, ENOMEM, "config.json: out of memory");
	return file_replace(bundle, "config.json", text, strlen(text), 0644, e);
}

static int ask(struct app *a, json_t **ret, struct err *e)
{
	_cleanup_reply_ struct reply reply;
	struct request rq;
	int r;

	reply_init(&reply);
	r = function_request(&rq, "GET", "/v1/functions", a->o.name, "/bundle", e);
	if (r == 0)
		r = client_must(&a->client, &rq, &reply, e);
	return r < 0 ? r : reply_json(&reply, ret, e);
}

/* Code that was replaced or deleted meanwhile may have been copied in part. */
static int check_unchanged(struct app *a, const struct source *s, struct err *e)
{
	json_auto_t *now = NULL;
	int r = ask(a, &now, e);

	if (r < 0)
		return r;
	if (!str_is(s->revision, json_string_value(json_object_get(now, "revision"))))
		return err_set(e, EAGAIN, "it was changed meanwhile; try again");
	return 0;
}

static int fill(struct app *a, const json_t *doc, int bundle, struct err *e)
{
	_cleanup_fd_ int rootfs = -1;
	struct source s;
	struct img img;
	int r = read_source(doc, &s, e);

	if (r == 0)
		r = make_dir(bundle, "rootfs", &rootfs, e);
	if (r == 0)
		r = copy_image(&s, rootfs, &img, e);
	if (r == 0)
		r = copy_code(&s, rootfs, e);
	if (r == 0)
		r = write_config(bundle, doc, &img, e);
	return r < 0 ? r : check_unchanged(a, &s, e);
}

/* An interrupt is seen between two files (copytree.h), so that what was made is removed again. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int build(struct app *a, const json_t *doc, struct err *e)
{
	_cleanup_fd_ int bundle = -1;
	char made[PATH_MAX];
	struct err ignored = ERR_INIT; /* the first failure is the one to tell */
	int n = snprintf(made, sizeof(made), "%s", a->o.dir), r;

	while (n > 1 && n < PATH_MAX && made[n - 1] == '/')
		n--;
	if (n == 0 || n + (int)sizeof(".XXXXXX") > PATH_MAX)
		return err_set(e, EINVAL, "'%s' is no name of a directory", a->o.dir);
	memcpy(made + n, ".XXXXXX", sizeof(".XXXXXX"));
	hold_signals();
	if (!mkdtemp(made)) /* for root alone: variables of a function may be secrets */
		return err_errno(e, "mkdir '%s'", made);
	r = file_open_dir(AT_FDCWD, made, &bundle, e);
	if (r == 0)
		r = fill(a, doc, bundle, e);
	if (r == 0 && rename(made, a->o.dir) < 0)
		r = err_errno(e, "rename '%s' to '%s'", made, a->o.dir);
	if (r < 0)
		(void)file_remove_tree(AT_FDCWD, made, &ignored);
	return r;
}

int cmd_export(struct app *a, struct err *e)
{
	json_auto_t *doc = NULL;
	int r = 0;

	if (geteuid() != 0)
		r = err_set(e, EPERM, "it reads the daemon's files: only root may");
	if (r == 0)
		r = check_target(a->o.dir, e);
	if (r == 0)
		r = ask(a, &doc, e);
	if (r == 0)
		r = build(a, doc, e);
	if (r < 0)
		return err_wrap(e, "export '%s'", a->o.name);
	if (!a->o.json)
		printf("exported %s to %s\n", a->o.name, a->o.dir);
	return 0;
}

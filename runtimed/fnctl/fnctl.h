/*
 * fnctl: the daemon's command line. A command is a row of main.c's table: a function, and the rows of
 * options it takes (opt.h). What was typed arrives in one struct options.
 */
#ifndef FNCTL_FNCTL_H
#define FNCTL_FNCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/fnctl/client.h"
#include "base/opt.h"

/* Zero or NULL = not given, unless a command sets its default. */
struct options {
	/* of every command */
	const char *socket;
	bool json;
	bool help;
	/* of some */
	const char *name;
	const char *dir;  /* of the bundle */
	const char *code; /* directory or zip */
	const char *handler;
	const char *image;
	const char *description;
	const char *data;    /* TEXT, @FILE or - */
	struct opt_list env; /* "K=V" */
	uint64_t memory_mb;
	uint64_t timeout_s;
	uint64_t tmp_mb;
	uint64_t lines;
	uint64_t since_us;
	bool follow;
	bool report;
};

struct app {
	struct client client;
	struct options o;
};

/*
 * A command returns 0, negative with *e filled (-EINVAL: what was typed is wrong), or the exit status
 * it wants.
 */
typedef int command_fn(struct app *a, struct err *e);

command_fn cmd_deploy, cmd_update, cmd_delete; /* cmd_deploy.c */
command_fn cmd_export;                         /* cmd_export.c */
command_fn cmd_invoke;                         /* cmd_invoke.c */
command_fn cmd_list, cmd_show, cmd_images;     /* cmd_show.c */
command_fn cmd_logs;                           /* cmd_logs.c */
command_fn cmd_usage;                          /* cmd_usage.c */

extern const struct opt deploy_opts[], update_opts[], invoke_opts[], name_opts[], no_opts[];
extern const struct opt export_opts[], logs_opts[], usage_opts[];

/* The row of a positional NAME, and the row that ends a table. */
#define OPT_ROW_NAME                                                                               \
	{                                                                                          \
		"NAME", 0, OPT_NAME, offsetof(struct options, name), NULL, NULL                    \
	}
#define OPT_ROW_END                                                                                \
	{                                                                                          \
		NULL, 0, OPT_NAME, 0, NULL, NULL                                                   \
	}

#define API_FUNCTIONS "/2015-03-31/functions"

/*
 * A request for "prefix/NAME/suffix". -EINVAL if the name is none: it becomes part of a path, so it is
 * checked here as well.
 */
int function_request(struct request *rq, const char *method, const char *prefix, const char *name,
		     const char *suffix, struct err *e);

/* GET it, as JSON. With --json the body goes to stdout as it is and *ret_doc stays NULL. */
int fetch(struct app *a, const struct request *rq, json_t **ret_doc, struct err *e);

#endif

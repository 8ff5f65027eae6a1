/* fnctl: one command a call. Exit status: 0 done, 1 failed, 2 usage; 3 to 8 the outcome of invoke. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "runtimed/fnctl/fnctl.h"

#define SOCKET_DEFAULT "/run/runtimed/runtimed.sock"

enum { EXIT_USAGE = 2 };

/* clang-format off */
static const struct command {
	const char *name, *args, *help;
	const struct opt *opts;
	command_fn *run;
} commands[] = {
	{"deploy", "NAME --code PATH --handler M.F [...]", "make a function, or replace its code",        deploy_opts, cmd_deploy},
	{"update", "NAME [...]",                           "change code or settings, only what is given", update_opts, cmd_update},
	{"invoke", "NAME [--data TEXT|@FILE|-]",           "call it and print its reply",                 invoke_opts, cmd_invoke},
	{"list",   "",                                     "all functions",                               no_opts,     cmd_list  },
	{"show",   "NAME",                                 "one function, all of it",                     name_opts,   cmd_show  },
	{"logs",   "NAME [-f] [-n N]",                     "what it logged",                              logs_opts,   cmd_logs  },
	{"usage",  "NAME [--since 24h]",                   "what it used and what that costs",            usage_opts,  cmd_usage },
	{"delete", "NAME",                                 "remove it",                                   name_opts,   cmd_delete},
	{"export", "NAME DIR",                             "write it as an OCI bundle",                   export_opts, cmd_export},
	{"image",  "list",                                 "the root file systems there are",             name_opts,   cmd_images},
	{0},
};
/* clang-format on */

/* Taken by every command. */
/* clang-format off */
static const struct opt common_opts[] = {
	{"socket", 0,   OPT_TEXT, offsetof(struct options, socket), "PATH", "the daemon's socket"          },
	{"json",   0,   OPT_FLAG, offsetof(struct options, json),   NULL,   "print the daemon's own answer"},
	{"help",   'h', OPT_FLAG, offsetof(struct options, help),   NULL,   "this help"                    },
	OPT_ROW_END,
};
/* clang-format on */

static void print_usage(FILE *out)
{
	fputs("usage: fnctl COMMAND ...\n\n", out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-7s %-37s %s\n", c->name, c->args, c->help);
	fputs("\nof every command:\n", out);
	opt_help(common_opts, out);
	fputs("\nThe socket is that of --socket, $RUNTIMED_SOCKET or " SOCKET_DEFAULT ".\n"
	      "'fnctl COMMAND --help' tells a command's options.\n",
	      out);
}

static void print_help(const struct command *c)
{
	printf("usage: fnctl %s %s\n\n%s\n\n", c->name, c->args, c->help);
	opt_help(c->opts, stdout);
	opt_help(common_opts, stdout);
}

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (c->name && !str_is(c->name, name))
		c++;
	return c->name ? c : NULL;
}

/* The command's rows and the common ones, in one table. */
static int parse(const struct command *c, int argc, char **argv, struct options *o, struct err *e)
{
	struct opt rows[32];
	size_t n = 0;

	for (const struct opt *opt = common_opts; opt->name; opt++)
		rows[n++] = *opt;
	for (const struct opt *opt = c->opts; opt->name; opt++)
		rows[n++] = *opt;
	rows[n] = (struct opt)OPT_ROW_END;
	return opt_parse(rows, argc, argv, o, e);
}

static int fail(const struct err *e, int status)
{
	fprintf(stderr, "fnctl: %s\n", e->text);
	return status;
}

static int run(const struct command *c, struct app *a)
{
	struct err e = ERR_INIT;
	const char *socket = getenv("RUNTIMED_SOCKET");
	int r;

	if (!a->o.socket)
		a->o.socket = socket && *socket ? socket : SOCKET_DEFAULT;
	r = client_init(&a->client, a->o.socket, &e);
	if (r == 0)
		r = c->run(a, &e);
	client_fini(&a->client);
	if (r < 0)
		return fail(&e, r == -EINVAL ? EXIT_USAGE : EXIT_FAILURE);
	return r;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct app app = {.o.socket = NULL};
	const struct command *c;
	int r;

	if (argc < 2 || !(c = find(argv[1]))) {
		bool is_asked = argc >= 2 && (str_is(argv[1], "--help") || str_is(argv[1], "-h"));

		print_usage(is_asked ? stdout : stderr);
		return is_asked ? EXIT_SUCCESS : EXIT_USAGE;
	}
	r = parse(c, argc - 2, argv + 2, &app.o, &e);
	if (app.o.help) {
		print_help(c);
		return EXIT_SUCCESS;
	}
	return r < 0 ? fail(&e, EXIT_USAGE) : run(c, &app);
}

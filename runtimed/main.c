/* The daemon's program: options, then the launcher; started by itself, one of the other roles. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/config.h"
#include "runtimed/launcher.h"
#include "runtimed/role.h"
#include "runtimed/unpack.h"

#ifdef __SANITIZE_ADDRESS__
/* LeakSanitizer needs ptrace(2), which our own filters refuse; the unit tests look for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static const struct option options[] = {
	{"state",  required_argument, NULL, 's'},
	{"run",    required_argument, NULL, 'r'},
	{"config", required_argument, NULL, 'c'},
	{"set",    required_argument, NULL, 'S'},
	{"role",   required_argument, NULL, 'R'},
	{"help",   no_argument,       NULL, 'h'},
	{NULL,     0,                 NULL, 0  },
};

static void usage(FILE *out)
{
	fputs("usage: runtimed --state DIR --run DIR [--config FILE] [--set KEY=VALUE]...\n"
	      "\n"
	      "Serves functions on DIR/runtimed.sock and a loopback port (see runtimed(8)).\n"
	      "SIGTERM drains and removes everything. Keys of the configuration file:\n\n",
	      out);
	config_print(out);
}

/* "key=value" from the command line; the string is ours to cut. */
static int set(struct config *cfg, char *pair, struct err *e)
{
	char *value = pair;

	while (*value && *value != '=')
		value++;
	if (!*value)
		return err_set(e, EINVAL, "--set '%s': no '='", pair);
	*value++ = '\0';
	return config_set(cfg, pair, value, e);
}

/* Settings are absolute: the daemon changes its directory. The command line need not be. */
static int set_dir(struct config *cfg, const char *key, const char *dir, struct err *e)
{
	char path[PATH_MAX], cwd[PATH_MAX / 2];
	int n;

	if (dir[0] == '/')
		return config_set(cfg, key, dir, e);
	if (!getcwd(cwd, sizeof(cwd)))
		return err_errno(e, "working directory");
	n = snprintf(path, sizeof(path), "%s/%s", cwd, dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ENAMETOOLONG, "%s: '%s'", key, dir);
	return config_set(cfg, key, path, e);
}

static int apply(struct config *cfg, int option, char *arg, struct err *e)
{
	switch (option) {
	case 's':
		return set_dir(cfg, "state_dir", arg, e);
	case 'r':
		return set_dir(cfg, "run_dir", arg, e);
	case 'c':
		return config_read(cfg, arg, e);
	case 'S':
		return set(cfg, arg, e);
	default:
		return err_set(e, EINVAL, "see --help");
	}
}

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(void);
} roles[] = {
	{"core",   core_main  },
	{"unpack", unpack_main},
};
/* clang-format on */

static int run_role(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (str_is(roles[i].name, name))
			return roles[i].run();
	log_line(LOG_ERROR, "no role '%s'", name);
	return 2;
}

/* Descriptors 0, 1 and 2 may come closed; the first files opened would then be mistaken for them. */
static bool have_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	(void)close(fd); /* the first that was not missing */
	return fd >= 0;
}

int main(int argc, char **argv)
{
	struct config cfg;
	struct err e = ERR_INIT;
	int c;

	if (!have_stdio())
		return EXIT_FAILURE; /* and nowhere to say so */
	log_open("runtimed", LOG_INFO);
	config_init(&cfg);
	config_use_tree(&cfg);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'R')
			return run_role(optarg);
		if (c == 'h') {
			usage(stdout);
			return EXIT_SUCCESS;
		}
		if (c == '?' || apply(&cfg, c, optarg, &e) < 0) {
			if (c != '?')
				log_err(&e);
			return 2;
		}
	}
	if (optind < argc) {
		log_line(LOG_ERROR, "unexpected argument '%s', see --help", argv[optind]);
		return 2;
	}
	if (geteuid() != 0) {
		log_line(LOG_ERROR, "needs root: it makes namespaces, mounts and cgroups");
		return EXIT_FAILURE;
	}
	return launcher_main(&cfg);
}

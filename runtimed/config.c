/* Settings: the table that reading, checking, --help and the man page share. */
#include "runtimed/config.h"

#include <errno.h>
#include <inttypes.h>
#include <ini.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/mem.h"
#include "base/str.h"

enum kind { PATH, WORD, COUNT, BYTES, TIME, BOOL };

#define KEY(key, kind, field, min, max, text, help)                                                \
	{                                                                                          \
		key, kind, offsetof(struct config, field), min, max, text, help                    \
	}
#define MIN_US (60 * CLK_US_PER_SEC)

/* clang-format off */
static const struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	uint64_t min, max; /* in the field's unit */
	const char *text;  /* the default, as in the file */
	const char *help;
} keys[] = {
	KEY("state_dir", PATH, state_dir, 0, 0, "/var/lib/runtimed", "functions, code, ledger, logs"),
	KEY("run_dir", PATH, run_dir, 0, 0, "/run/runtimed", "runtimed.sock, port"),
	KEY("images_dir", PATH, images_dir, 0, 0, "/var/lib/runtimed/images", "the image store"),
	KEY("policy_dir", PATH, policy_dir, 0, 0, "/usr/local/share/runtimed/policy", "seccomp profiles"),
	KEY("region", WORD, region, 0, 0, "local-1", "region in ARNs"),
	KEY("account", WORD, account, 0, 0, "000000000000", "account in ARNs"),
	KEY("listen_port", COUNT, listen_port, 0, 65535, "0", "loopback TCP port; 0 = any, written to run_dir/port"),
	KEY("core_uid", COUNT, core_uid, 1, 0x7fffffff, "65534", "user and group of the process that faces the network"),
	KEY("uid_base", COUNT, uid_base, 65536, 0xf0000000, "1000000000", "first host id of instances, 65536 ids each"),
	KEY("prefork_children", COUNT, prefork_children, 0, 1024, "8", "children that wait per image"),
	KEY("reserve_sandboxes", COUNT, reserve_sandboxes, 0, 1024, "8", "sandboxes without a child that wait per image"),
	KEY("instances_max", COUNT, instances_max, 1, 16384, "1000", "instances of all functions"),
	KEY("instances_per_function_max", COUNT, instances_per_function_max, 1, 16384, "1000", "instances of one function"),
	KEY("keep_alive", TIME, keep_alive_us, 0, 24 * 60 * MIN_US, "10m", "an idle instance is stopped after this"),
	KEY("freeze_after", TIME, freeze_after_us, 0, 24 * 60 * MIN_US, "50ms", "an idle instance is frozen after this"),
	KEY("queue_max", COUNT, queue_max, 0, 100000, "1000", "invocations that wait for an instance"),
	KEY("queue_deadline", TIME, queue_deadline_us, 0, 15 * MIN_US, "10s", "they are refused (429) after this"),
	KEY("zygote_forks_max", COUNT, zygote_forks_max, 1, 1000000000, "10000", "a zygote is re-executed after so many forks"),
	KEY("zygote_age", TIME, zygote_age_us, CLK_US_PER_SEC, 365 * 24 * 60 * MIN_US, "1h", "... or after this"),
	KEY("start_way", COUNT, start_way, 0, 2, "0", "best way to start: 0 pre-forked, 1 forked, 2 exec"),
	KEY("drain_timeout", TIME, drain_timeout_us, 0, 15 * MIN_US, "30s", "SIGTERM: calls still at work after this are cut off"),
	KEY("init_timeout", TIME, init_timeout_us, 100 * CLK_US_PER_MS, 15 * MIN_US, "10s", "time to import a function"),
	KEY("pids_max", COUNT, pids_max, 2, 4096, "1024", "processes and threads of an instance"),
	KEY("log_bytes_max", BYTES, log_bytes_max, 0, UINT64_C(1) << 30, "1M", "log of one invocation; the rest is counted and dropped"),
	KEY("billing_granularity_ms", COUNT, billing_granularity_ms, 1, 1000, "1", "billed time is a multiple of this"),
	KEY("bill_init", BOOL, bill_init, 0, 0, "no", "bill cold starts as well"),
	KEY("connections_max", COUNT, connections_max, 1, 100000, "10000", "beyond it a connection is answered 503"),
	KEY("idle_timeout", TIME, idle_timeout_us, CLK_US_PER_MS, 24 * 60 * MIN_US, "2m", "a connection without a request is closed after this"),
	KEY("header_timeout", TIME, header_timeout_us, CLK_US_PER_MS, 60 * MIN_US, "10s", "time for a request's head"),
	KEY("body_timeout", TIME, body_timeout_us, CLK_US_PER_MS, 60 * MIN_US, "10s", "in which 10 KiB of a body or an answer must move"),
	KEY("log_file_bytes_max", BYTES, log_file_bytes_max, 64 << 10, UINT64_C(1) << 40, "16M", "log kept per function"),
};
/* clang-format on */

static int set_text(void *to, size_t size, const struct key *k, const char *value, struct err *e)
{
	if (k->kind == PATH && value[0] != '/')
		return err_set(e, EINVAL, "%s: '%s' is not an absolute path", k->name, value);
	if (k->kind == WORD && (!*value || value[strcspn(value, " \t:/")]))
		return err_set(e, EINVAL, "%s: '%s' is not one word", k->name, value);
	if (!str_copy(to, size, value))
		return err_set(e, EINVAL, "%s: longer than %zu bytes", k->name, size - 1);
	return 0;
}

static int set_bool(bool *to, const struct key *k, const char *value, struct err *e)
{
	if (!str_is(value, "yes") && !str_is(value, "no"))
		return err_set(e, EINVAL, "%s: '%s' is neither 'yes' nor 'no'", k->name, value);
	*to = str_is(value, "yes");
	return 0;
}

static int set_number(uint64_t *to, const struct key *k, const char *value, struct err *e)
{
	uint64_t v;
	int r;

	if (k->kind == COUNT)
		return str_to_u64(value, k->min, k->max, k->name, to, e);
	r = k->kind == TIME ? str_to_us(value, k->name, &v, e)
			    : str_to_bytes(value, k->name, &v, e);
	if (r < 0)
		return r;
	if (v < k->min || v > k->max)
		return err_set(e, ERANGE, "%s: '%s' is out of range", k->name, value);
	*to = v;
	return 0;
}

static int set_key(struct config *c, const struct key *k, const char *value, struct err *e)
{
	void *to = (char *)c + k->offset;

	switch (k->kind) {
	case PATH:
		return set_text(to, CONFIG_PATH_MAX + 1, k, value, e);
	case WORD:
		return set_text(to, CONFIG_WORD_MAX + 1, k, value, e);
	case BOOL:
		return set_bool(to, k, value, e);
	case COUNT:
	case BYTES:
	case TIME:
		break;
	}
	return set_number(to, k, value, e);
}

int config_set(struct config *c, const char *key, const char *value, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_is(keys[i].name, key))
			return set_key(c, &keys[i], value, e);
	return err_set(e, EINVAL, "unknown key '%s'", key);
}

void config_init(struct config *c)
{
	struct err e = ERR_INIT;

	memset(c, 0, sizeof(*c)); /* padding too: it is sent as bytes */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)set_key(c, &keys[i], keys[i].text, &e); /* test_config checks all of them */
}

/* tree/below instead of the default, if it is there. */
static void use_dir(char *dir, const char *tree, const char *below)
{
	char path[CONFIG_PATH_MAX + 1];

	if (snprintf(path, sizeof(path), "%s/%s", tree, below) < (int)sizeof(path) &&
	    access(path, F_OK) == 0)
		(void)str_copy(dir, sizeof(path), path);
}

void config_use_tree(struct config *c)
{
	char tree[CONFIG_PATH_MAX + 1];
	ssize_t n = readlink("/proc/self/exe", tree, sizeof(tree) - 1);
	char *end;

	if (n < 0)
		return;
	tree[n] = '\0';
	if ((end = strstr(tree, "/build/bin/"))) {
		*end = '\0';
		use_dir(c->policy_dir, tree, "policy/profiles");
		use_dir(c->images_dir, tree, "build/images");
	} else if ((end = strstr(tree, "/bin/"))) {
		*end = '\0';
		use_dir(c->policy_dir, tree, "share/runtimed/policy");
	}
}

struct reading {
	struct config *config;
	struct err *e;
};

/* For inih: 0 means failure, and ends the reading. */
static int on_line(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *reading = arg;

	if (reading->e->code) /* inih goes on after an error; the first one is told */
		return 0;
	if (!str_is(section, "runtimed")) {
		err_set(reading->e, EINVAL, "'%s' stands outside of [runtimed]", key);
		return 0;
	}
	return config_set(reading->config, key, value ? value : "", reading->e) == 0;
}

int config_read(struct config *c, const char *path, struct err *e)
{
	struct config copy = *c;
	struct reading reading = {&copy, e};
	FILE *f = fopen(path, "re");
	int line;

	if (!f)
		return err_errno(e, "open '%s'", path);
	e->code = 0;
	line = ini_parse_file(f, on_line, &reading);
	fclose(f);
	if (line != 0 && e->code == 0)
		return err_set(e, EINVAL, "%s:%d: not 'key = value'", path, line);
	if (line != 0)
		return err_wrap(e, "%s:%d", path, line);
	*c = copy;
	return 0;
}

static void print_range(FILE *out, const struct key *k)
{
	if (k->kind == COUNT)
		fprintf(out, " (%" PRIu64 "..%" PRIu64 ")", k->min, k->max);
}

void config_print(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		fprintf(out, "  %s = %s\n\t%s", keys[i].name, keys[i].text, keys[i].help);
		print_range(out, &keys[i]);
		fputc('\n', out);
	}
}

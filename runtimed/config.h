/*
 * Settings of the daemon: one table (config.c) gives key, unit, default, range and help; the file
 * (INI, one [runtimed] section), the man page and --help come from it. Unknown keys are refused.
 *
 * A key has the name of its field here, without "_us": a time is written with its unit ("250ms", "10m"),
 * sizes may have one ("64M"), truth is "yes" or "no".
 */
#ifndef RUNTIMED_CONFIG_H
#define RUNTIMED_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define CONFIG_PATH_MAX 1023
#define CONFIG_WORD_MAX 63

struct config {
	char state_dir[CONFIG_PATH_MAX + 1];
	char run_dir[CONFIG_PATH_MAX + 1];
	char images_dir[CONFIG_PATH_MAX + 1];
	char policy_dir[CONFIG_PATH_MAX + 1];
	char region[CONFIG_WORD_MAX + 1];  /* of ARNs: "local-1" */
	char account[CONFIG_WORD_MAX + 1]; /* of ARNs: "000000000000" */
	uint64_t listen_port;              /* loopback TCP; 0 = a free one, written to RUN/port */
	uint64_t core_uid;                 /* the core runs as this uid and gid */
	uint64_t uid_base;                 /* first host id of instances; 65536 each */
	/* pool */
	uint64_t prefork_children; /* waiting per image */
	uint64_t reserve_sandboxes;
	uint64_t instances_max; /* all functions together */
	uint64_t instances_per_function_max;
	uint64_t keep_alive_us;     /* idle instance is stopped after this */
	uint64_t freeze_after_us;   /* idle instance is frozen after this */
	uint64_t queue_max;         /* waiting invocations, all functions */
	uint64_t queue_deadline_us; /* then 429 */
	uint64_t zygote_forks_max;  /* re-executed after so many forks ... */
	uint64_t zygote_age_us;     /* ... or this long */
	uint64_t start_way;         /* enum launch_way: best way allowed (0 = pre-forked) */
	/* invocations */
	uint64_t drain_timeout_us; /* after SIGTERM; then calls at work are cut off */
	uint64_t init_timeout_us;
	uint64_t pids_max;
	uint64_t log_bytes_max; /* per invocation; beyond it bytes are counted and dropped */
	uint64_t billing_granularity_ms; /* 1 or 100 */
	bool bill_init;
	/* front */
	uint64_t connections_max;
	uint64_t idle_timeout_us, header_timeout_us, body_timeout_us;
	uint64_t log_file_bytes_max; /* per function, two files of half of it */
};

/* Defaults of every key. */
void config_init(struct config *c);

/*
 * Run from a build tree, the defaults of policy_dir and images_dir are that tree's, if it has them; installed as
 * PREFIX/bin/runtimed, that of policy_dir is below PREFIX.
 */
void config_use_tree(struct config *c);

/* Read an INI file over *c. "FILE:12: unknown key 'x'" on anything not understood. */
int config_read(struct config *c, const char *path, struct err *e);

/* One "key = value" as in the file, e.g. from the command line. */
int config_set(struct config *c, const char *key, const char *value, struct err *e);

/* The table as text: key, default, range, help. For --help and the man page. */
void config_print(FILE *out);

#endif

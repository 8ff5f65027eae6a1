/*
 * A function's sandbox for tests: an image with mount points and the probe, a /dev, and in the group cgt_group
 * a standing pid 1. Everything is mounted in the test program's own mount namespace.
 *
 *	tcase_add_unchecked_fixture(t, sbt_open, sbt_close);		once a program, with cgroups' own
 *	tcase_add_checked_fixture(t, cgt_open_group, cgt_close_group);
 *	sbt_start(&s, -1);  sbt_probe(&s, "cat", "/proc/self/status");  sbt_stop(&s);
 */
#ifndef TESTS_SANDBOX_H
#define TESTS_SANDBOX_H

#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

#define SBT_UID_BASE      0x40000000u
#define SBT_SCRATCH_BYTES (4u << 20)
#define SBT_OUTPUT_MAX    65536

struct sbt {
	struct sbx_plan *plan;
	struct sbx_proc init;
	struct sbx_drop drop; /* of probes */
	int status;           /* of the last one, as waitpid(2) tells it */
	char output[SBT_OUTPUT_MAX];
};

void sbt_open(void);
void sbt_close(void);

/* Absolute paths of the fixture, for tests of what is missing. */
struct sbx_function sbt_function(void);

/* Compile and start; net_ns as in struct sbx_place. */
void sbt_start(struct sbt *s, int net_ns);

/* Kill the group and reap pid 1; the group must become empty. */
void sbt_stop(struct sbt *s);

/* Start a probe, without waiting; its stdout is the descriptor out. */
struct sbx_proc sbt_enter(const struct sbt *s, const char *command, const char *path, int out);

/* Run a probe to its end: what it printed, also in s->output. */
const char *sbt_probe(struct sbt *s, const char *command, const char *path);

#endif

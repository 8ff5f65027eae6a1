/*
 * Numbers for Prometheus. Plain data that the core's parts write as they go, on the loop's thread; a
 * scrape turns it into text. Aggregates only: no name of a function is in it.
 */
#ifndef RUNTIMED_METRICS_H
#define RUNTIMED_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "runtimed/launch.h"
#include "runtimed/record.h"
#include "runtimed/store.h"

/* Upper bounds 50 µs, 100 µs, 200 µs ... doubling; the last is open. */
#define METRICS_BUCKETS    24
#define METRICS_BUCKET0_US 50

struct metrics_histogram {
	uint64_t n[METRICS_BUCKETS]; /* not cumulative */
	uint64_t sum_us;
};

enum metrics_instances {
	METRICS_STARTING,
	METRICS_IDLE,
	METRICS_FROZEN,
	METRICS_BUSY,
	METRICS_STOPPING,
	METRICS_INSTANCES
};

struct metrics {
	/* metrics_record() */
	uint64_t invocations[OUTCOME_COUNT];
	struct metrics_histogram total[OUTCOME_COUNT]; /* received to answered */
	struct metrics_histogram handler;
	struct metrics_histogram queue;
	struct metrics_histogram cold[LAUNCH_WAYS]; /* sandbox + runtime + import */
	/* the pool */
	uint64_t instances[METRICS_INSTANCES];
	uint64_t queue_length;
	uint64_t starts_failed;
	uint64_t instances_broken; /* ended since they did not keep to the protocol */
	/* the front */
	uint64_t connections;
	uint64_t connections_total;
	uint64_t connections_refused;  /* too many, or a stranger's uid */
	uint64_t requests_by_class[6]; /* answers by status: [2] = 2xx */
	uint64_t requests_malformed;
	uint64_t requests_timed_out;
	/* filled in for a scrape */
	struct store_stats store;
	uint64_t logs_dropped;
	uint64_t functions;
	const struct launch_hello *hello; /* borrowed: the images; NULL = none */
};

/* Count one finished invocation, whatever its outcome. */
void metrics_record(struct metrics *m, const struct record *rec);

/* The text exposition format, version 0.0.4. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif

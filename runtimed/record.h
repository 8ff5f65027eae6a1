/*
 * The record of one invocation: what happened, when, and what it used. One durable row each; the REPORT
 * line, usage and bill are computed from it and from nothing else. Integers only.
 */
#ifndef RUNTIMED_RECORD_H
#define RUNTIMED_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "runtimed/func.h"
#include "runtimed/outcome.h"

struct record {
	char request_id[37];
	char function[FUNC_NAME_MAX + 1];
	char version[16]; /* "$LATEST" */
	enum outcome outcome;
	bool is_cold;
	uint32_t way; /* enum launch_way, when cold */
	uint64_t received_wall_us;
	/* The parts of the time, µs; those of a cold start are 0 when warm. */
	uint64_t queue_us;   /* waited for an instance to be chosen or asked for */
	uint64_t sandbox_us; /* until privileges were gone and the filter was on */
	uint64_t runtime_us; /* interpreter start (forked and exec ways) */
	uint64_t import_us;  /* the user's module */
	uint64_t handler_us; /* the function itself: the billed duration */
	uint64_t total_us;   /* received to answered, in the daemon */
	uint64_t billed_ms;  /* meter_billed_ms() of handler_us, plus init when configured */
	uint32_t memory_mb;  /* configured */
	uint64_t memory_peak_bytes;
	uint64_t cpu_us; /* of the instance's group during this invocation */
	uint64_t bytes_in, bytes_out;
	uint64_t log_bytes, log_dropped_bytes;
};

#endif

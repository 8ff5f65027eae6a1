/*
 * The arithmetic of metering: pure, integers only, saturating at UINT64_MAX instead of wrapping.
 *
 * Measured and billed values are kept apart. A bill is the sum of billed milliseconds and MB·ms over
 * the records, both exact; money is computed once from those sums and rounded only there. So the sum
 * of the lines of a bill is the bill, whatever their order or grouping.
 */
#ifndef RUNTIMED_METER_H
#define RUNTIMED_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtimed/record.h"

/* a + b and a * b, at most UINT64_MAX. */
uint64_t meter_add(uint64_t a, uint64_t b);
uint64_t meter_mul(uint64_t a, uint64_t b);

/*
 * Duration rounded up to whole granules, in ms. At least one granule, also for 0 µs: whoever asks has
 * started a handler, and Lambda bills that as 1 ms. granularity_ms 0 counts as 1.
 */
uint64_t meter_billed_ms(uint64_t duration_us, uint64_t granularity_ms);

/*
 * The billed milliseconds of a record whose times and outcome are set:
 *
 *   throttled    0, nothing ran
 *   init_error   the start when bill_init, else 0: the handler never ran
 *   others       handler_us, and the start (sandbox, runtime, import) as well when bill_init and cold
 *
 * Waiting in the queue is never billed.
 */
uint64_t meter_bill(const struct record *rec, uint64_t granularity_ms, bool bill_init);

/* Start of the instance as the user sees it: sandbox + runtime + import, without the queue. */
uint64_t meter_init_us(const struct record *rec);

/* Configured memory times billed time: what GB·s are made of (1 GB·s = 1024000 MB·ms). */
uint64_t meter_mb_ms(uint64_t memory_mb, uint64_t billed_ms);

/* Sums over records of one function. All zero is the empty sum. */
struct usage {
	uint64_t n_outcome[OUTCOME_COUNT];
	uint64_t n_cold;
	uint64_t queue_us, init_us, handler_us, total_us;
	uint64_t billed_ms;
	uint64_t mb_ms; /* of billed time */
	uint64_t cpu_us;
	uint64_t memory_peak_bytes; /* the greatest */
	uint64_t bytes_in, bytes_out;
	uint64_t log_bytes, log_dropped_bytes;
};

/* Add one record; add one sum to another (the peak: the greater). */
void usage_add(struct usage *u, const struct record *rec);
void usage_merge(struct usage *u, const struct usage *other);

/* All invocations; those that count as requests on a bill (all but throttled ones). */
uint64_t usage_invocations(const struct usage *u);
uint64_t usage_requests(const struct usage *u);

/* Prices in 10^-9 of a currency unit. Lambda x86: 16667 and 200; SCF: 110592 and 1330 (yuan). */
struct price {
	uint64_t nano_per_gb_s;
	uint64_t nano_per_request;
};

/* Cost in 10^-9 units, rounded half up once: mb_ms * price / 1024000 + requests * price. */
uint64_t meter_cost_nano(const struct price *price, uint64_t mb_ms, uint64_t n_requests);

#endif

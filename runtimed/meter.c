/* The arithmetic of metering: see runtimed/meter.h for the rules. */
#include "runtimed/meter.h"

#include <stddef.h>

#include "base/clk.h"
#include "base/mem.h"

#define MB_MS_PER_GB_S (UINT64_C(1024) * 1000)

typedef unsigned __int128 u128;

static uint64_t saturate(u128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

uint64_t meter_add(uint64_t a, uint64_t b)
{
	return saturate((u128)a + b);
}

uint64_t meter_mul(uint64_t a, uint64_t b)
{
	return saturate((u128)a * b);
}

uint64_t meter_billed_ms(uint64_t duration_us, uint64_t granularity_ms)
{
	u128 granule_us;
	u128 granules;

	if (granularity_ms == 0)
		granularity_ms = 1;
	granule_us = (u128)granularity_ms * CLK_US_PER_MS;
	granules = (duration_us + granule_us - 1) / granule_us;
	return saturate((granules ? granules : 1) * granularity_ms);
}

uint64_t meter_init_us(const struct record *rec)
{
	return meter_add(meter_add(rec->sandbox_us, rec->runtime_us), rec->import_us);
}

uint64_t meter_bill(const struct record *rec, uint64_t granularity_ms, bool bill_init)
{
	uint64_t init_us = bill_init && rec->is_cold ? meter_init_us(rec) : 0;

	if (rec->outcome == OUTCOME_THROTTLED)
		return 0;
	if (rec->outcome == OUTCOME_INIT_ERROR)
		return init_us ? meter_billed_ms(init_us, granularity_ms) : 0;
	return meter_billed_ms(meter_add(rec->handler_us, init_us), granularity_ms);
}

uint64_t meter_mb_ms(uint64_t memory_mb, uint64_t billed_ms)
{
	return meter_mul(memory_mb, billed_ms);
}

/* Every sum of struct usage: added by one loop, so that none is forgotten. */
static const size_t sums[] = {
	offsetof(struct usage, n_cold),    offsetof(struct usage, queue_us),
	offsetof(struct usage, init_us),   offsetof(struct usage, handler_us),
	offsetof(struct usage, total_us),  offsetof(struct usage, billed_ms),
	offsetof(struct usage, mb_ms),     offsetof(struct usage, cpu_us),
	offsetof(struct usage, bytes_in),  offsetof(struct usage, bytes_out),
	offsetof(struct usage, log_bytes), offsetof(struct usage, log_dropped_bytes),
};
_Static_assert(sizeof(struct usage) == (ARRAY_SIZE(sums) + OUTCOME_COUNT + 1) * sizeof(uint64_t),
	       "every field of struct usage is an outcome, a sum, or the peak");

void usage_merge(struct usage *u, const struct usage *other)
{
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		u->n_outcome[i] = meter_add(u->n_outcome[i], other->n_outcome[i]);
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		uint64_t *to = (uint64_t *)((char *)u + sums[i]);

		*to = meter_add(*to, *(const uint64_t *)((const char *)other + sums[i]));
	}
	if (other->memory_peak_bytes > u->memory_peak_bytes)
		u->memory_peak_bytes = other->memory_peak_bytes;
}

void usage_add(struct usage *u, const struct record *rec)
{
	struct usage one = {
		.n_cold = rec->is_cold,
		.queue_us = rec->queue_us,
		.init_us = meter_init_us(rec),
		.handler_us = rec->handler_us,
		.total_us = rec->total_us,
		.billed_ms = rec->billed_ms,
		.mb_ms = meter_mb_ms(rec->memory_mb, rec->billed_ms),
		.cpu_us = rec->cpu_us,
		.memory_peak_bytes = rec->memory_peak_bytes,
		.bytes_in = rec->bytes_in,
		.bytes_out = rec->bytes_out,
		.log_bytes = rec->log_bytes,
		.log_dropped_bytes = rec->log_dropped_bytes,
	};

	one.n_outcome[rec->outcome] = 1;
	usage_merge(u, &one);
}

uint64_t usage_invocations(const struct usage *u)
{
	uint64_t n = 0;

	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		n = meter_add(n, u->n_outcome[i]);
	return n;
}

uint64_t usage_requests(const struct usage *u)
{
	return usage_invocations(u) - u->n_outcome[OUTCOME_THROTTLED];
}

uint64_t meter_cost_nano(const struct price *price, uint64_t mb_ms, uint64_t n_requests)
{
	/* Cannot wrap: (2^64 - 1)^2 leaves room for the half. */
	u128 memory = ((u128)mb_ms * price->nano_per_gb_s + MB_MS_PER_GB_S / 2) / MB_MS_PER_GB_S;
	u128 requests = (u128)n_requests * price->nano_per_request;

	return meter_add(saturate(memory), saturate(requests));
}

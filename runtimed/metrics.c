/* Numbers as text for Prometheus: see runtimed/metrics.h. */
#include "runtimed/metrics.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/mem.h"
#include "runtimed/meter.h"

static void observe(struct metrics_histogram *h, uint64_t us)
{
	uint64_t bound_us = METRICS_BUCKET0_US;
	size_t i = 0;

	while (i < METRICS_BUCKETS - 1 && us > bound_us) {
		bound_us *= 2;
		i++;
	}
	h->n[i]++;
	h->sum_us = meter_add(h->sum_us, us);
}

void metrics_record(struct metrics *m, const struct record *rec)
{
	m->invocations[rec->outcome]++;
	observe(&m->total[rec->outcome], rec->total_us);
	observe(&m->queue, rec->queue_us);
	if (rec->outcome == OUTCOME_THROTTLED)
		return;
	observe(&m->handler, rec->handler_us);
	if (rec->is_cold && rec->way < LAUNCH_WAYS)
		observe(&m->cold[rec->way], meter_init_us(rec));
}

static void put_type(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP runtimed_%s %s\n# TYPE runtimed_%s %s\n", name, help, name, type);
}

/* "0.00005": seconds, exact, as Prometheus wants its times. */
static void put_seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
}

static void put_histogram(struct buf *out, const char *name, const char *label, const char *value,
			  const struct metrics_histogram *h)
{
	const char *eq = label ? "=\"" : "", *end = label ? "\"" : "";
	uint64_t n = 0, bound_us = METRICS_BUCKET0_US;

	label = label ? label : "";
	value = value ? value : "";
	for (size_t i = 0; i < METRICS_BUCKETS; i++, bound_us *= 2) {
		n += h->n[i];
		buf_printf(out, "runtimed_%s_bucket{%s%s%s%s%sle=\"", name, label, eq, value, end,
			   *label ? "," : "");
		if (i < METRICS_BUCKETS - 1)
			put_seconds(out, bound_us);
		else
			buf_puts(out, "+Inf");
		buf_printf(out, "\"} %" PRIu64 "\n", n);
	}
	buf_printf(out, "runtimed_%s_sum{%s%s%s%s} ", name, label, eq, value, end);
	put_seconds(out, h->sum_us);
	buf_printf(out, "\nruntimed_%s_count{%s%s%s%s} %" PRIu64 "\n", name, label, eq, value, end,
		   n);
}

static void put_outcomes(const struct metrics *m, struct buf *out)
{
	put_type(out, "invocations_total", "counter", "Invocations by outcome.");
	for (enum outcome o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
		buf_printf(out, "runtimed_invocations_total{outcome=\"%s\"} %" PRIu64 "\n",
			   outcome_name(o), m->invocations[o]);
	put_type(out, "invocation_seconds", "histogram", "From received to answered, by outcome.");
	for (enum outcome o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
		put_histogram(out, "invocation_seconds", "outcome", outcome_name(o), &m->total[o]);
	put_type(out, "handler_seconds", "histogram", "Time in the handler.");
	put_histogram(out, "handler_seconds", NULL, NULL, &m->handler);
	put_type(out, "queue_seconds", "histogram", "Time until an instance was found.");
	put_histogram(out, "queue_seconds", NULL, NULL, &m->queue);
}

static void put_cold(const struct metrics *m, struct buf *out)
{
	static const char *const ways[] = {
		[LAUNCH_PREFORKED] = "preforked",
		[LAUNCH_FORKED] = "forked",
		[LAUNCH_EXECED] = "exec",
	};
	_Static_assert(ARRAY_SIZE(ways) == LAUNCH_WAYS, "one name per way");

	put_type(out, "cold_start_seconds", "histogram", "Cold starts by the way they went.");
	for (size_t i = 0; i < LAUNCH_WAYS; i++)
		put_histogram(out, "cold_start_seconds", "way", ways[i], &m->cold[i]);
}

static void put_instances(const struct metrics *m, struct buf *out)
{
	static const char *const states[] = {
		[METRICS_STARTING] = "starting", [METRICS_IDLE] = "idle",
		[METRICS_FROZEN] = "frozen",     [METRICS_BUSY] = "busy",
		[METRICS_STOPPING] = "stopping",
	};
	_Static_assert(ARRAY_SIZE(states) == METRICS_INSTANCES, "one name per state");

	put_type(out, "instances", "gauge", "Instances by state.");
	for (size_t i = 0; i < METRICS_INSTANCES; i++)
		buf_printf(out, "runtimed_instances{state=\"%s\"} %" PRIu64 "\n", states[i],
			   m->instances[i]);
}

static void put_requests(const struct metrics *m, struct buf *out)
{
	put_type(out, "http_requests_total", "counter", "Answers by class of status.");
	for (size_t i = 2; i < ARRAY_SIZE(m->requests_by_class); i++)
		buf_printf(out, "runtimed_http_requests_total{status=\"%zuxx\"} %" PRIu64 "\n", i,
			   m->requests_by_class[i]);
}

static void put_images(const struct launch_hello *hello, struct buf *out)
{
	put_type(out, "zygote_pss_bytes", "gauge", "Memory that instances of an image share.");
	for (uint32_t i = 0; hello && i < hello->n_images; i++)
		buf_printf(out, "runtimed_zygote_pss_bytes{image=\"%s\"} %" PRIu64 "\n",
			   hello->images[i].name, hello->images[i].base_bytes);
}

#define AT(field) offsetof(struct metrics, field)

/* Everything that is one number. */
/* clang-format off */
static const struct {
	const char *name, *type, *help;
	size_t offset; /* of a uint64_t */
} singles[] = {
	{"queue_length",              "gauge",   "Invocations that wait.",                     AT(queue_length)       },
	{"starts_failed_total",       "counter", "Instances that could not be made.",          AT(starts_failed)      },
	{"instances_broken_total",    "counter", "Instances ended for breaking the protocol.", AT(instances_broken)   },
	{"functions",                 "gauge",   "Functions deployed.",                        AT(functions)          },
	{"connections",               "gauge",   "Open connections.",                          AT(connections)        },
	{"connections_total",         "counter", "Connections accepted.",                      AT(connections_total)  },
	{"connections_refused_total", "counter", "Too many, or of a stranger.",                AT(connections_refused)},
	{"http_malformed_total",      "counter", "Requests that are not HTTP.",                AT(requests_malformed) },
	{"http_timed_out_total",      "counter", "Requests that came too slowly.",             AT(requests_timed_out) },
	{"ledger_queued",             "gauge",   "Records not durable yet.",                   AT(store.queued)       },
	{"ledger_written_total",      "counter", "Records durable.",                           AT(store.written)      },
	{"ledger_lost_total",         "counter", "Records lost.",                              AT(store.refused)      },
	{"ledger_commits_total",      "counter", "Commits.",                                   AT(store.commits)      },
	{"ledger_failures_total",     "counter", "Commits that failed.",                       AT(store.failures)     },
	{"log_lines_dropped_total",   "counter", "Lines of logs lost.",                        AT(logs_dropped)       },
};
/* clang-format on */

void metrics_write(const struct metrics *m, struct buf *out)
{
	put_outcomes(m, out);
	put_cold(m, out);
	put_instances(m, out);
	put_requests(m, out);
	put_images(m->hello, out);
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++) {
		put_type(out, singles[i].name, singles[i].type, singles[i].help);
		buf_printf(out, "runtimed_%s %" PRIu64 "\n", singles[i].name,
			   *(const uint64_t *)((const char *)m + singles[i].offset));
	}
}

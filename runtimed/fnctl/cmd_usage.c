/* usage: what a function has used, and so what it costs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clk.h"
#include "runtimed/fnctl/fnctl.h"
#include "runtimed/fnctl/table.h"
#include "runtimed/outcome.h"

#define SINCE_DEFAULT_US (24 * 3600 * CLK_US_PER_SEC)

#define AT(field)        offsetof(struct options, field)

const struct opt usage_opts[] = {
	OPT_ROW_NAME,
	{"since", 's', OPT_TIME, AT(since_us), "TIME",
	  "of the last so much time, as 90s or 24h (24h)"},
	OPT_ROW_END,
};

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void print_outcomes(const json_t *usage)
{
	const json_t *outcomes = json_object_get(usage, "outcomes");

	for (enum outcome o = OUTCOME_OK; o < OUTCOME_COUNT; o++)
		if (number(outcomes, outcome_name(o)))
			printf("%-16s %" PRIu64 "\n", outcome_name(o),
			       number(outcomes, outcome_name(o)));
}

/* GB·s with the digits of MB·ms rounded away: 1 GB·s = 1024000 MB·ms. */
static void print_bill(const json_t *usage)
{
	uint64_t mb_ms = number(usage, "mb_ms");

	printf("%-16s %" PRIu64 " ms\n", "billed", number(usage, "billed_ms"));
	printf("%-16s %.6f GB-s\n", "billed memory", (double)mb_ms / 1024000);
}

static void print_usage(const json_t *usage)
{
	static const struct {
		const char *label, *key;
		char *(*format)(uint64_t value, char out[TABLE_NUMBER_MAX]);
	} rows[] = {
		{"handler",     "handler_us",        table_us   },
		{"cold starts", "init_us",           table_us   },
		{"queue",       "queue_us",          table_us   },
		{"cpu",         "cpu_us",            table_us   },
		{"peak memory", "memory_peak_bytes", table_bytes},
		{"bytes in",    "bytes_in",          table_bytes},
		{"bytes out",   "bytes_out",         table_bytes},
		{"log",         "log_bytes",         table_bytes},
	};
	char text[TABLE_NUMBER_MAX];

	printf("%-16s %" PRIu64 ", of them cold %" PRIu64 "\n", "invocations",
	       number(usage, "invocations"), number(usage, "n_cold"));
	print_outcomes(usage);
	print_bill(usage);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("%-16s %s\n", rows[i].label,
		       rows[i].format(number(usage, rows[i].key), text));
}

int cmd_usage(struct app *a, struct err *e)
{
	uint64_t since_us = a->o.since_us ? a->o.since_us : SINCE_DEFAULT_US,
		 now_us = clk_wall_us();
	json_auto_t *doc = NULL;
	struct request rq;
	char query[48];
	int r;

	snprintf(query, sizeof(query), "/usage?since=%" PRIu64,
		 now_us > since_us ? now_us - since_us : 0);
	r = function_request(&rq, "GET", "/v1/functions", a->o.name, query, e);
	if (r == 0)
		r = fetch(a, &rq, &doc, e);
	if (r < 0)
		return err_wrap(e, "usage '%s'", a->o.name);
	if (doc)
		print_usage(doc);
	return 0;
}

/* The platform's own log lines: see runtimed/report.h for their forms. */
#include "runtimed/report.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/clk.h"
#include "base/mem.h"
#include "runtimed/meter.h"

#define MB (UINT64_C(1) << 20)

/* What REPORT adds when it was the platform that ended the invocation. */
static const char *const statuses[OUTCOME_COUNT] = {
	[OUTCOME_TIMEOUT] = "Status: timeout\t",
	[OUTCOME_OOM] = "Status: error\tError Type: Runtime.OutOfMemory\t",
	[OUTCOME_EXIT] = "Status: error\tError Type: Runtime.ExitError\t",
	[OUTCOME_INIT_ERROR] = "Status: error\tError Type: Runtime.InitError\t",
};

/* a / b rounded up, without a sum that could wrap. */
static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* "15.74": milliseconds with two digits, rounded up. */
static void put_ms(struct buf *out, const char *label, uint64_t us)
{
	uint64_t hundredths = divide_up(us, CLK_US_PER_MS / 100);

	buf_printf(out, "%s: %" PRIu64 ".%02" PRIu64 " ms\t", label, hundredths / 100,
		   hundredths % 100);
}

/* "Queue: 0.250ms": exact. */
static void put_part(struct buf *out, const char *label, uint64_t us)
{
	buf_printf(out, "%s: %" PRIu64 ".%03" PRIu64 "ms", label, us / CLK_US_PER_MS,
		   us % CLK_US_PER_MS);
}

void report_start(const struct record *rec, struct buf *out)
{
	buf_printf(out, "START RequestId: %s Version: %s\n", rec->request_id, rec->version);
}

void report_end(const struct record *rec, struct buf *out)
{
	buf_printf(out, "END RequestId: %s\n", rec->request_id);
}

void report_line(const struct record *rec, struct buf *out)
{
	buf_printf(out, "REPORT RequestId: %s\t", rec->request_id);
	put_ms(out, "Duration", rec->handler_us);
	buf_printf(out, "Billed Duration: %" PRIu64 " ms\tMemory Size: %" PRIu32 " MB\t",
		   rec->billed_ms, rec->memory_mb);
	buf_printf(out, "Max Memory Used: %" PRIu64 " MB\t", divide_up(rec->memory_peak_bytes, MB));
	if (rec->is_cold)
		put_ms(out, "Init Duration", meter_init_us(rec));
	if (statuses[rec->outcome])
		buf_puts(out, statuses[rec->outcome]);
	buf_putc(out, '\n');
}

void report_init(const struct record *rec, struct buf *out)
{
	uint64_t peak = rec->memory_peak_bytes;

	if (!rec->is_cold)
		return;
	buf_printf(out, "Init Report RequestId: %s ", rec->request_id);
	put_part(out, "Coldstart", meter_add(rec->queue_us, meter_init_us(rec)));
	put_part(out, " (Queue", rec->queue_us);
	put_part(out, " Sandbox", rec->sandbox_us);
	put_part(out, " Runtime", rec->runtime_us);
	put_part(out, " Import", rec->import_us);
	buf_printf(out, ") Memory: %" PRIu32 "MB MemUsage: %" PRIu64 ".%02" PRIu64 "MB\n",
		   rec->memory_mb, peak / MB, peak % MB * 100 / MB);
}

#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, offsetof(struct record, f)                                                     \
	}
static const struct {
	const char *name;
	size_t offset; /* of a uint64_t */
} numbers[] = {
	FIELD(received_wall_us), FIELD(queue_us),          FIELD(sandbox_us),
	FIELD(runtime_us),       FIELD(import_us),         FIELD(handler_us),
	FIELD(total_us),         FIELD(billed_ms),         FIELD(memory_peak_bytes),
	FIELD(cpu_us),           FIELD(bytes_in),          FIELD(bytes_out),
	FIELD(log_bytes),        FIELD(log_dropped_bytes),
};

static void put_text(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, "\"%s\":", key);
	buf_json_string(out, value, strlen(value));
	buf_putc(out, ',');
}

void report_json(const struct record *rec, struct buf *out)
{
	buf_putc(out, '{');
	put_text(out, "request_id", rec->request_id);
	put_text(out, "function", rec->function);
	put_text(out, "version", rec->version);
	put_text(out, "outcome", outcome_name(rec->outcome));
	buf_printf(out, "\"is_cold\":%s,", rec->is_cold ? "true" : "false");
	buf_printf(out, "\"way\":%" PRIu32 ",\"memory_mb\":%" PRIu32, rec->way, rec->memory_mb);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t value;

		memcpy(&value, (const char *)rec + numbers[i].offset, sizeof(value));
		buf_printf(out, ",\"%s\":%" PRIu64, numbers[i].name, value);
	}
	buf_putc(out, '}');
}

/*
 * The platform's own log lines about an invocation, from its record and nothing else.
 *
 * Every line ends with '\n'. Labels, order and tabs are Lambda's, for the tools that parse them; the
 * line about a cold start has SCF's form. Durations are rounded up to the printed digit, so that
 * "Billed Duration" is the ceiling of the "Duration" a reader sees.
 */
#ifndef RUNTIMED_REPORT_H
#define RUNTIMED_REPORT_H

#include "base/buf.h"
#include "runtimed/record.h"

/* START RequestId: ID Version: $LATEST */
void report_start(const struct record *rec, struct buf *out);

/* END RequestId: ID */
void report_end(const struct record *rec, struct buf *out);

/*
 * REPORT RequestId: ID\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 128 MB\t
 * Max Memory Used: 56 MB\t[Init Duration: 130.49 ms\t][Status: timeout\t]
 *
 * Init Duration (sandbox + runtime + import) stands there only after a cold start; Status when the
 * platform ended the invocation ("timeout", or "error" and an Error Type).
 */
void report_line(const struct record *rec, struct buf *out);

/*
 * Init Report RequestId: ID Coldstart: 5.250ms (Queue: 0.250ms Sandbox: 2.000ms Runtime: 1.000ms
 * Import: 2.000ms) Memory: 128MB MemUsage: 12.31MB
 *
 * One line; nothing when the start was warm. The parts are exact, so they sum to Coldstart.
 */
void report_init(const struct record *rec, struct buf *out);

/*
 * The same facts as one JSON object without line breaks, ASCII only: the header X-Runtimed-Report.
 * Keys are the names in struct record, units and all.
 */
void report_json(const struct record *rec, struct buf *out);

#endif

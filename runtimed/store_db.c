/* Statements and transactions of the store: see runtimed/store_db.h. All SQL but the schema is here. */
#include "runtimed/store_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimed/store_schema.h"

enum statement { ST_BEGIN, ST_COMMIT, ST_ADD, ST_SUM, ST_PUT, ST_DELETE, ST_EACH, STATEMENTS };

#define RECORD_COLUMNS                                                                             \
	"function, received_wall_us, request_id, version, outcome, is_cold, way, queue_us, "       \
	"sandbox_us, runtime_us, import_us, handler_us, total_us, billed_ms, memory_mb, "          \
	"memory_peak_bytes, cpu_us, bytes_in, bytes_out, log_bytes, log_dropped_bytes"

static const struct {
	enum store_file file;
	const char *sql;
} statements[STATEMENTS] = {
	[ST_BEGIN] = {STORE_LEDGER,    "BEGIN IMMEDIATE"									   },
	[ST_COMMIT] = {STORE_LEDGER,    "COMMIT"										    },
	[ST_ADD] = {STORE_LEDGER,
		      "INSERT INTO record (" RECORD_COLUMNS ") VALUES"
		    " (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
		    " ON CONFLICT (function, received_wall_us, request_id) DO NOTHING"                                             },
	[ST_SUM] = {STORE_LEDGER,    "SELECT " RECORD_COLUMNS " FROM record"
				  " WHERE function = ? AND received_wall_us >= ?"               },
	[ST_PUT] = {STORE_FUNCTIONS, "INSERT INTO function (name, json) VALUES (?, ?)"
				     " ON CONFLICT (name) DO UPDATE SET json = excluded.json"},
	[ST_DELETE] = {STORE_FUNCTIONS, "DELETE FROM function WHERE name = ?"                                                       },
	[ST_EACH] = {STORE_FUNCTIONS, "SELECT name, json FROM function ORDER BY name"                                             },
};

struct store_db {
	sqlite3 *files[STORE_FILES];
	sqlite3_stmt *st[STATEMENTS];
	int wal_pages[STORE_FILES];
};

static int fail(struct store_db *db, enum store_file file, const char *what, struct err *e)
{
	return schema_error(db->files[file], file, what, e);
}

/* Called by SQLite after each commit; only remembers the size for store_db_wal_pages(). */
static int on_wal(void *pages, sqlite3 *file, const char *name, int n)
{
	(void)file, (void)name;
	*(int *)pages = n;
	return SQLITE_OK;
}

static int prepare(struct store_db *db, struct err *e)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		enum store_file file = statements[i].file;

		if (sqlite3_prepare_v3(db->files[file], statements[i].sql, -1,
				       SQLITE_PREPARE_PERSISTENT, &db->st[i], NULL) != SQLITE_OK)
			return fail(db, file, "prepare", e);
	}
	return 0;
}

static int open_all(const char *dir, bool is_first, struct store_db **ret, struct err *e)
{
	struct store_db *db = calloc(1, sizeof(*db));
	int r = 0;

	if (!db)
		return err_set(e, ENOMEM, "store: out of memory");
	for (enum store_file i = 0; i < STORE_FILES && r == 0; i++) {
		r = schema_open(dir, i, &db->files[i], e);
		if (r == 0 && is_first)
			r = schema_prepare(db->files[i], i, e);
		if (r == 0)
			(void)sqlite3_wal_hook(db->files[i], on_wal, &db->wal_pages[i]);
	}
	if (r == 0)
		r = prepare(db, e);
	if (r < 0) {
		store_db_close(db);
		return r;
	}
	*ret = db;
	return 0;
}

int store_db_open(const char *dir, struct store_db **ret, struct err *e)
{
	return open_all(dir, true, ret, e);
}

int store_db_reopen(const char *dir, struct store_db **ret, struct err *e)
{
	return open_all(dir, false, ret, e);
}

void store_db_close(struct store_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(db->st[i]); /* repeats an error that was reported */
	for (size_t i = 0; i < STORE_FILES; i++)
		(void)sqlite3_close(db->files[i]); /* all statements are gone: cannot be busy */
	free(db);
}

/* Run a statement that gives no rows, and make it ready for the next time. */
static int run(struct store_db *db, enum statement st, const char *what, struct err *e)
{
	int r = 0;

	if (sqlite3_step(db->st[st]) != SQLITE_DONE)
		r = fail(db, statements[st].file, what, e);
	(void)sqlite3_reset(db->st[st]); /* repeats the error of step */
	return r;
}

int store_db_begin(struct store_db *db, struct err *e)
{
	return run(db, ST_BEGIN, "begin", e);
}

int store_db_commit(struct store_db *db, struct err *e)
{
	return run(db, ST_COMMIT, "commit", e);
}

void store_db_rollback(struct store_db *db)
{
	/* Some failures have rolled back already; then this one fails and nothing is lost by it. */
	(void)sqlite3_exec(db->files[STORE_LEDGER], "ROLLBACK", NULL, NULL, NULL);
}

/* Columns are bound and read in the order of RECORD_COLUMNS. SQLite's integers end at 2^63 - 1. */
static void bind_u64(sqlite3_stmt *st, int *column, uint64_t v)
{
	(void)sqlite3_bind_int64(st, ++*column, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void bind_text(sqlite3_stmt *st, int *column, const char *text)
{
	(void)sqlite3_bind_text(st, ++*column, text, -1, SQLITE_STATIC);
}

int store_db_add(struct store_db *db, const struct record *rec, struct err *e)
{
	const uint64_t numbers[] = {
		rec->is_cold,    rec->way,       rec->queue_us,          rec->sandbox_us,
		rec->runtime_us, rec->import_us, rec->handler_us,        rec->total_us,
		rec->billed_ms,  rec->memory_mb, rec->memory_peak_bytes, rec->cpu_us,
		rec->bytes_in,   rec->bytes_out, rec->log_bytes,         rec->log_dropped_bytes,
	};
	sqlite3_stmt *st = db->st[ST_ADD];
	int column = 0;

	bind_text(st, &column, rec->function);
	bind_u64(st, &column, rec->received_wall_us);
	bind_text(st, &column, rec->request_id);
	bind_text(st, &column, rec->version);
	bind_text(st, &column, outcome_name(rec->outcome));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		bind_u64(st, &column, numbers[i]);
	return run(db, ST_ADD, "add a record", e);
}

int store_db_set_function(struct store_db *db, const char *name, const char *json, struct err *e)
{
	enum statement st = json ? ST_PUT : ST_DELETE;
	int column = 0;

	bind_text(db->st[st], &column, name);
	if (json)
		bind_text(db->st[st], &column, json);
	return run(db, st, json ? "put a function" : "delete a function", e);
}

int store_db_each_function(struct store_db *db,
			   int (*each)(void *arg, const char *name, const char *json, size_t n),
			   void *arg, struct err *e)
{
	sqlite3_stmt *st = db->st[ST_EACH];
	int r = 0, step;

	while (r == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
		if (step != SQLITE_ROW)
			r = fail(db, STORE_FUNCTIONS, "read functions", e);
		else
			r = each(arg, (const char *)sqlite3_column_text(st, 0),
				 (const char *)sqlite3_column_text(st, 1),
				 (size_t)sqlite3_column_bytes(st, 1));
	}
	(void)sqlite3_reset(st); /* repeats the error of step */
	return r < 0 ? r : 0;
}

/* The columns that usage_add() looks at; the texts but the outcome are not needed. */
static int read_record(sqlite3_stmt *st, struct record *rec, struct err *e)
{
	uint64_t *const numbers[] = {
		&rec->queue_us,   &rec->sandbox_us, &rec->runtime_us, &rec->import_us,
		&rec->handler_us, &rec->total_us,   &rec->billed_ms,
	};
	uint64_t *const more[] = {
		&rec->memory_peak_bytes, &rec->cpu_us,    &rec->bytes_in,
		&rec->bytes_out,         &rec->log_bytes, &rec->log_dropped_bytes,
	};
	const char *outcome = (const char *)sqlite3_column_text(st, 4);
	int column = 5;

	rec->outcome = outcome ? outcome_from_name(outcome) : OUTCOME_COUNT;
	if (rec->outcome == OUTCOME_COUNT)
		return err_set(e, EUCLEAN, "ledger.db: unknown outcome '%.32s'",
			       outcome ? outcome : "");
	rec->is_cold = sqlite3_column_int(st, column++);
	rec->way = (uint32_t)sqlite3_column_int64(st, column++);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i] = (uint64_t)sqlite3_column_int64(st, column++);
	rec->memory_mb = (uint32_t)sqlite3_column_int64(st, column++);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		*more[i] = (uint64_t)sqlite3_column_int64(st, column++);
	return 0;
}

/* Summed here and not by sum() in SQL, which fails where we saturate. */
int store_db_sum(struct store_db *db, const char *function, uint64_t since_wall_us,
		 struct usage *ret, struct err *e)
{
	sqlite3_stmt *st = db->st[ST_SUM];
	struct usage sum = {.n_cold = 0};
	struct record rec;
	int r = 0, step, column = 0;

	bind_text(st, &column, function);
	bind_u64(st, &column, since_wall_us);
	while (r == 0 && (step = sqlite3_step(st)) != SQLITE_DONE) {
		if (step != SQLITE_ROW)
			r = fail(db, STORE_LEDGER, "sum", e);
		else
			r = read_record(st, &rec, e);
		if (r == 0)
			usage_add(&sum, &rec);
	}
	(void)sqlite3_reset(st); /* repeats the error of step */
	if (r == 0)
		*ret = sum;
	return r;
}

void store_db_interrupt(struct store_db *db)
{
	sqlite3_interrupt(db->files[STORE_LEDGER]);
}

int store_db_wal_pages(const struct store_db *db, enum store_file file)
{
	return db->wal_pages[file];
}

int store_db_checkpoint(struct store_db *db, enum store_file file, struct err *e)
{
	int in_log = 0, copied = 0;
	int r = sqlite3_wal_checkpoint_v2(db->files[file], NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log,
					  &copied);

	if (r == SQLITE_BUSY) /* another connection is at it */
		return in_log > copied ? in_log - copied : 0;
	if (r != SQLITE_OK)
		return fail(db, file, "checkpoint", e);
	return in_log - copied;
}

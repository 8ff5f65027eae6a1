/*
 * Tables and their history.
 *
 * Each file's schema is a list of migrations; user_version counts those that were applied. A new
 * version of the daemon appends a row and never changes one, so every old file can be brought up.
 */
#include "runtimed/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"

#define BUSY_TIMEOUT_MS 5000
#define SQL_MAX         256

struct migration {
	int version; /* user_version once applied */
	const char *sql;
};

static const struct migration functions_rows[] = {
	{1, "CREATE TABLE function ("
	    " name TEXT PRIMARY KEY,"
	    " json TEXT NOT NULL"
	    ") STRICT, WITHOUT ROWID;"},
};

/*
 * One tree, keyed as it is asked for: usage is a scan of one range, and rows of a function arrive at
 * the end of its range. request_id makes the key unique, which is what lets a batch be tried again.
 */
static const struct migration ledger_rows[] = {
	{1, "CREATE TABLE record ("
	    " function TEXT NOT NULL,"
	    " received_wall_us INTEGER NOT NULL,"
	    " request_id TEXT NOT NULL,"
	    " version TEXT NOT NULL,"
	    " outcome TEXT NOT NULL,"
	    " is_cold INTEGER NOT NULL,"
	    " way INTEGER NOT NULL,"
	    " queue_us INTEGER NOT NULL,"
	    " sandbox_us INTEGER NOT NULL,"
	    " runtime_us INTEGER NOT NULL,"
	    " import_us INTEGER NOT NULL,"
	    " handler_us INTEGER NOT NULL,"
	    " total_us INTEGER NOT NULL,"
	    " billed_ms INTEGER NOT NULL,"
	    " memory_mb INTEGER NOT NULL,"
	    " memory_peak_bytes INTEGER NOT NULL,"
	    " cpu_us INTEGER NOT NULL,"
	    " bytes_in INTEGER NOT NULL,"
	    " bytes_out INTEGER NOT NULL,"
	    " log_bytes INTEGER NOT NULL,"
	    " log_dropped_bytes INTEGER NOT NULL,"
	    " PRIMARY KEY (function, received_wall_us, request_id)"
	    ") STRICT, WITHOUT ROWID;"},
};

static const struct {
	const char *name;
	int application_id; /* "rtdF", "rtdL": what file(1) and we know the files by */
	const struct migration *rows;
	size_t n_rows;
} files[STORE_FILES] = {
	[STORE_FUNCTIONS] = {"functions.db", 0x72746446, functions_rows,
			     ARRAY_SIZE(functions_rows)                                         },
	[STORE_LEDGER] = {"ledger.db",    0x7274644c, ledger_rows,    ARRAY_SIZE(ledger_rows)},
};

/* clang-format off */
static const struct {
	int sqlite; /* primary result code */
	int code;   /* errno */
} codes[] = {
	{SQLITE_FULL,      ENOSPC   },
	{SQLITE_IOERR,     EIO      },
	{SQLITE_CORRUPT,   EUCLEAN  },
	{SQLITE_NOTADB,    EUCLEAN  },
	{SQLITE_NOMEM,     ENOMEM   },
	{SQLITE_BUSY,      EBUSY    },
	{SQLITE_READONLY,  EROFS    },
	{SQLITE_CANTOPEN,  EACCES   },
	{SQLITE_INTERRUPT, ECANCELED},
};
/* clang-format on */

int schema_error(sqlite3 *db, enum store_file file, const char *what, struct err *e)
{
	int primary = sqlite3_errcode(db) & 0xff;
	int code = EIO;

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].sqlite == primary)
			code = codes[i].code;
	return err_set(e, code, "%s: %s: %s", files[file].name, what, sqlite3_errmsg(db));
}

static int run(sqlite3 *db, enum store_file file, const char *what, const char *sql, struct err *e)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return schema_error(db, file, what, e);
	return 0;
}

static int set_up(sqlite3 *db, enum store_file file, struct err *e)
{
	(void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS); /* cannot fail */
	return run(db, file, "open",
		   "PRAGMA journal_mode=WAL;"
		   "PRAGMA synchronous=FULL;"
		   "PRAGMA wal_autocheckpoint=0;"
		   "PRAGMA journal_size_limit=67108864;"
		   "PRAGMA trusted_schema=OFF;",
		   e);
}

int schema_open(const char *dir, enum store_file file, sqlite3 **ret, struct err *e)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;
	int fd, r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, files[file].name) >= sizeof(path))
		return err_set(e, ENAMETOOLONG, "store: path of %zu bytes", strlen(dir));
	/*
	 * Made here for its mode, which SQLite gives to the write-ahead log as well; only when it is new:
	 * closing a descriptor of our own would drop the locks other connections hold on the file.
	 */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return err_errno(e, "create '%s'", path);
	fd_close(&fd);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
	    SQLITE_OK)
		r = set_up(db, file, e);
	else
		r = db ? schema_error(db, file, "open", e)
		       : err_set(e, ENOMEM, "%s: out of memory", files[file].name);
	if (r < 0) {
		(void)sqlite3_close(db); /* nothing was prepared yet, so it cannot be busy */
		return r;
	}
	*ret = db;
	return 0;
}

static int read_int(sqlite3 *db, enum store_file file, const char *sql, int *ret, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	else
		r = schema_error(db, file, sql, e);
	(void)sqlite3_finalize(st); /* repeats the error of step */
	return r;
}

static int check_pages(sqlite3 *db, enum store_file file, struct err *e)
{
	sqlite3_stmt *st = NULL;
	const char *text;
	int r = 0;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW) {
		r = schema_error(db, file, "check", e);
	} else {
		text = (const char *)sqlite3_column_text(st, 0);
		if (!text || strcmp(text, "ok") != 0)
			r = err_set(e, EUCLEAN, "%s is damaged: %s; restore a backup",
				    files[file].name, text ? text : "no answer");
	}
	(void)sqlite3_finalize(st); /* repeats the error of step */
	return r;
}

static int migrate(sqlite3 *db, enum store_file file, const struct migration *row, struct err *e)
{
	char end[SQL_MAX];
	int r;

	(void)snprintf(end, sizeof(end), "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		       files[file].application_id, row->version);
	r = run(db, file, "migrate", "BEGIN IMMEDIATE", e);
	if (r == 0)
		r = run(db, file, "migrate", row->sql, e);
	if (r == 0)
		r = run(db, file, "migrate", end, e);
	if (r < 0)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* the first error counts */
	return r;
}

int schema_prepare(sqlite3 *db, enum store_file file, struct err *e)
{
	const struct migration *rows = files[file].rows;
	size_t n_rows = files[file].n_rows;
	int id, version, r;

	r = check_pages(db, file, e);
	if (r == 0)
		r = read_int(db, file, "PRAGMA application_id", &id, e);
	if (r == 0)
		r = read_int(db, file, "PRAGMA user_version", &version, e);
	if (r < 0)
		return r;
	if ((version > 0 || id != 0) && id != files[file].application_id)
		return err_set(e, EUCLEAN, "%s belongs to another program (application id %#x)",
			       files[file].name, (unsigned)id);
	if (version > rows[n_rows - 1].version)
		return err_set(e, ENOTSUP, "%s has version %d, this daemon knows up to %d",
			       files[file].name, version, rows[n_rows - 1].version);
	for (size_t i = 0; i < n_rows && r == 0; i++)
		if (rows[i].version > version)
			r = migrate(db, file, &rows[i], e);
	return r;
}

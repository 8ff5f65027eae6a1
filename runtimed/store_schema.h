/* Opening and migrating one SQLite file: private to the store (store_db.h is its user). */
#ifndef RUNTIMED_STORE_SCHEMA_H
#define RUNTIMED_STORE_SCHEMA_H

#include <sqlite3.h>

#include "base/err.h"
#include "runtimed/store_db.h"

/* Open DIR/functions.db or DIR/ledger.db with our settings; create it (0600) if missing. */
int schema_open(const char *dir, enum store_file file, sqlite3 **ret, struct err *e);

/*
 * quick_check, then every migration newer than user_version, each in its own transaction.
 * -EUCLEAN: damaged, or another program's; -ENOTSUP: of a newer version.
 */
int schema_prepare(sqlite3 *db, enum store_file file, struct err *e);

/* What SQLite said last, as our error: "ledger.db: commit: database or disk is full", -ENOSPC. */
int schema_error(sqlite3 *db, enum store_file file, const char *what, struct err *e);

#endif

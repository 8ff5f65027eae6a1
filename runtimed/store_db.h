/*
 * The two databases, without threads: private to the store. Each struct is used by one thread at a time.
 * sqlite3.h is included by store_db.c and store_schema.c alone.
 */
#ifndef RUNTIMED_STORE_DB_H
#define RUNTIMED_STORE_DB_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtimed/meter.h"
#include "runtimed/record.h"

enum store_file { STORE_FUNCTIONS, STORE_LEDGER, STORE_FILES };

/* Connections to both files, with their prepared statements. */
struct store_db;

/*
 * Create what is missing, check both files (quick_check), bring them to the newest version, and return
 * the connections of the writer.
 */
int store_db_open(const char *dir, struct store_db **ret, struct err *e);

/* Further connections to files that store_db_open() has made ready; checks nothing again. */
int store_db_reopen(const char *dir, struct store_db **ret, struct err *e);

/* The last one to close leaves no write-ahead log behind. NULL is fine. */
void store_db_close(struct store_db *db);

/*
 * Add records in one transaction: all or none. A record that is there already (a repeated try after a
 * commit of unknown result) is left as it is.
 */
int store_db_begin(struct store_db *db, struct err *e);
int store_db_add(struct store_db *db, const struct record *rec, struct err *e);
int store_db_commit(struct store_db *db, struct err *e);
void store_db_rollback(struct store_db *db);

/* json NULL: remove. Durable on return. */
int store_db_set_function(struct store_db *db, const char *name, const char *json, struct err *e);

int store_db_each_function(struct store_db *db,
			   int (*each)(void *arg, const char *name, const char *json, size_t n),
			   void *arg, struct err *e);

int store_db_sum(struct store_db *db, const char *function, uint64_t since_wall_us,
		 struct usage *ret, struct err *e);

/* Make a running store_db_sum() of another thread fail with -ECANCELED. */
void store_db_interrupt(struct store_db *db);

/* Pages in the write-ahead log of a file, as of this connection's last commit to it. */
int store_db_wal_pages(const struct store_db *db, enum store_file file);

/* Copy pages back (PASSIVE: waits for nobody). Returns how many are left to copy, or negative. */
int store_db_checkpoint(struct store_db *db, enum store_file file, struct err *e);

#endif

/*
 * The tables of index.db, their version, and how an older one becomes the present one. For index.c.
 */
#ifndef PACS_INDEX_SCHEMA_H
#define PACS_INDEX_SCHEMA_H

#include <stdbool.h>
#include <sqlite3.h>

#include "base/err.h"

#define SCHEMA_VERSION     1
#define SCHEMA_APPLICATION 0x50414353 /* "PACS", PRAGMA application_id */

/* "index.db: ..." with what SQLite says of its last failure; the code follows from it. Returns -1. */
int database_failed(sqlite3 *db, struct err *err);

/* Makes the tables in an empty database; `secondary`: with those indexes that writing can do
 * without. */
int schema_create(sqlite3 *db, bool secondary, struct err *err);
int schema_secondary(sqlite3 *db, struct err *err);

/* 0 for an empty database, the version of an index; -1 for a foreign database (ERR_INPUT) or a version
 * newer than `newest` (ERR_VERSION). */
int schema_version(sqlite3 *db, int newest, struct err *err);

/* steps[n] leads from version n + 1 to n + 2. */
struct schema_step {
    const char *sql;
};
/* Brings the database from its version to count + 1, each step in a transaction of its own. */
int schema_migrate(sqlite3 *db, const struct schema_step *steps, int count, struct err *err);
/* To SCHEMA_VERSION. */
int schema_upgrade(sqlite3 *db, struct err *err);

#endif

/*
 * Opening, locking, transactions: see index.h.
 */
#include "index/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/schema.h"

#define CHECKPOINT_PAGES 16384 /* 64 MB: the safety net behind index_checkpoint */

int index_failed(struct index *index, struct err *err)
{
    index->failed = index->in_transaction;
    return database_failed(index->db, err);
}

int index_need_database(const struct index *index, struct err *err)
{
    return index->db ? 0 : err_set(err, ERR_FAILED, "index.db: not open");
}

sqlite3_stmt *index_statement(struct index *index, enum statement which, struct err *err)
{
    if (index_need_database(index, err) < 0)
        return NULL;
    if (!index->statement[which]) {
        struct buf sql = {0};

        statement_text(which, &sql);
        if (sqlite3_prepare_v3(index->db, sql.data, -1, SQLITE_PREPARE_PERSISTENT,
                               &index->statement[which], NULL) != SQLITE_OK)
            index_failed(index, err);
        buf_free(&sql);
    }
    return index->statement[which];
}

int index_step(struct index *index, sqlite3_stmt *statement, struct err *err)
{
    int status = 0;

    if (sqlite3_step(statement) != SQLITE_DONE)
        status = index_failed(index, err);
    sqlite3_reset(statement);
    return status;
}

void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, at);
}

int index_pragma(struct index *index, const char *sql, struct err *err)
{
    return sqlite3_exec(index->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                       : index_failed(index, err);
}

void index_close_database(struct index *index)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        sqlite3_finalize(index->statement[i]);
        index->statement[i] = NULL;
    }
    sqlite3_close_v2(index->db); /* a query that is still running ends on it */
    index->db = NULL;
    index->large = false;
    index->matching = false;
    if (index->writer)
        writer_forget(index->writer);
}

char *index_file_name(const struct index *index, const char *suffix)
{
    return xasprintf("%s/index.db%s", index->root, suffix);
}

/* A path as SQLite's URI: what would end or change it is written as %XX. */
static char *as_uri(const char *path, const char *parameters)
{
    struct buf uri = {0};

    buf_adds(&uri, "file:");
    for (; *path; path++) {
        if (strchr("?#%", *path))
            buf_addf(&uri, "%%%02X", (unsigned char)*path);
        else
            buf_addc(&uri, *path);
    }
    buf_adds(&uri, parameters);
    return buf_take(&uri);
}

int index_open_file(struct index *index, const char *path, int flags, struct err *err)
{
    if (sqlite3_open_v2(path, &index->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                        NULL) == SQLITE_OK) {
        sqlite3_extended_result_codes(index->db, 0);
        sqlite3_busy_timeout(index->db, index->lock_ms); /* for foreign writers */
        return 0;
    }
    if (!index->db)
        return err_set(err, ERR_FAILED, "index.db: out of memory");
    index_failed(index, err);
    sqlite3_close(index->db);
    index->db = NULL;
    return -1;
}

/* A reader. On a medium that cannot be written, WAL has nowhere to put its shared memory: then the
 * file is taken as it stands, if no log with newer pages lies beside it. */
static int open_reader(struct index *index, const char *path, struct err *err)
{
    char *log, *uri;
    struct stat status;
    bool newer;
    int result;

    if (index_open_file(index, path, SQLITE_OPEN_READONLY, err) < 0)
        return -1;
    if (index_pragma(index, "PRAGMA cache_size = -32768; SELECT 1 FROM sqlite_schema LIMIT 1",
                     err) == 0)
        return 0;
    result = sqlite3_errcode(index->db);
    if (result != SQLITE_CANTOPEN && result != SQLITE_READONLY)
        return -1;
    log = index_file_name(index, "-wal");
    newer = stat(log, &status) == 0 && status.st_size > 0;
    free(log);
    if (newer)
        return err_set(err, ERR_FAILED,
                       "index.db: index.db-wal holds newer rows, and they cannot be read because "
                       "index.db-shm beside it cannot be written: whoever can write there makes it "
                       "readable with pacs-index --stats");
    index_close_database(index);
    uri = as_uri(path, "?immutable=1");
    result = index_open_file(index, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    free(uri);
    return result;
}

/* Before anything is changed: another program's database stays as it is. */
static int check_version(struct index *index, int *version, struct err *err)
{
    *version = schema_version(index->db, SCHEMA_VERSION, err);
    if (*version < 0)
        return -1;
    if (index->mode != INDEX_READ || *version == SCHEMA_VERSION)
        return 0;
    if (*version == 0)
        return err_set(err, ERR_NOTFOUND, "%s/index.db: empty: nothing was indexed yet",
                       index->root);
    return err_set(err, ERR_FAILED,
                   "%s/index.db: made by an older release; the next writer upgrades it "
                   "(run pacs-index --stats)",
                   index->root);
}

/* Without an error SQLite leaves the mode as it was where shared memory does not work. */
static int use_log(struct index *index, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    const char *mode = NULL;
    int status = -1;

    if (sqlite3_prepare_v2(index->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL) !=
            SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        index_failed(index, err);
    else if (!(mode = (const char *)sqlite3_column_text(statement, 0)) || strcmp(mode, "wal") != 0)
        err_set(err, ERR_FAILED, "index.db: this file system does not serve it: no shared memory");
    else
        status = 0;
    sqlite3_finalize(statement);
    return status;
}

/* A bulk index is thrown away when it fails: neither journal nor fsync until it is whole. */
static int prepare_writer(struct index *index, int version, struct err *err)
{
    const char *settings =
        index->mode == INDEX_BULK
            ? "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536; "
              "PRAGMA locking_mode = EXCLUSIVE"
            : "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192";

    if ((index->mode == INDEX_WRITE && use_log(index, err) < 0) ||
        index_pragma(index, settings, err) < 0)
        return -1;
    if (index->mode == INDEX_WRITE)
        sqlite3_wal_autocheckpoint(index->db, CHECKPOINT_PAGES);
    if (index->durable && index_pragma(index, "PRAGMA synchronous = FULL", err) < 0)
        return -1;
    if (version == 0)
        return schema_create(index->db, index->mode != INDEX_BULK, err);
    return version < SCHEMA_VERSION ? schema_upgrade(index->db, err) : 0;
}

static bool is_same_file(const struct index *index, const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && status.st_dev == index->device &&
           status.st_ino == index->inode;
}

static bool remember_file(struct index *index, const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return false;
    index->device = status.st_dev;
    index->inode = status.st_ino;
    return true;
}

/* SQLite opens the log later than the database, both by name: between the two another index may come to
 * stand there (index_replace), with a log of its own. Writers hold the lock. */
static int open_for_reading(struct index *index, const char *path, struct err *err)
{
    int version;

    for (int tries = 0; tries < 100; tries++) {
        if (!remember_file(index, path)) {
            if (errno == ENOENT)
                return err_set(err, ERR_NOTFOUND,
                               "%s: no such file: pacs-index --rebuild makes it from the objects",
                               path);
            return err_sys(err, "%s", path);
        }
        if (open_reader(index, path, err) < 0)
            return -1;
        if (is_same_file(index, path))
            return check_version(index, &version, err);
        index_close_database(index);
    }
    return err_set(err, ERR_BUSY, "%s: replaced again and again", path);
}

int index_open_database(struct index *index, struct err *err)
{
    char *path = index_file_name(index, index->mode == INDEX_BULK ? ".new" : "");
    int status = -1, version;

    if (index->mode == INDEX_READ) {
        status = open_for_reading(index, path, err);
    } else {
        if (index->mode == INDEX_BULK)
            unlink(path);
        if (index_open_file(index, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) == 0 &&
            check_version(index, &version, err) == 0 && prepare_writer(index, version, err) == 0) {
            remember_file(index, path);
            status = 0;
        }
    }
    if (status < 0 && index->db)
        index_close_database(index);
    free(path);
    return status;
}

/* Two that make or upgrade the index at once: one after the other. A bulk load keeps the lock: the next
 * one would take its file away. */
static int open_locked(struct index *index, struct err *err)
{
    char *path = xasprintf("%s/index.lock", index->root);
    int status;

    index->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (index->lock < 0) {
        err_sys(err, "%s", path);
        free(path);
        return -1;
    }
    free(path);
    if (index_hold(index, err) < 0)
        return -1;
    status = index_open_database(index, err);
    if (index->mode != INDEX_BULK || status < 0)
        index_release(index);
    return status;
}

struct index *index_open(const char *root, enum index_mode mode, struct err *err)
{
    struct index *index = xcalloc(1, sizeof *index);
    int status;

    index->root = xstrdup(root);
    index->mode = mode;
    index->lock = -1;
    index->lock_ms = INDEX_LOCK_MS;
    /* Nobody asks how much memory SQLite has, and it would count every piece under a lock: a tenth of
     * what a row costs. (No effect once the library is in use.) */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (mode == INDEX_READ) {
        /* A query is over in milliseconds. SQLite would make room for twenty pages first, and touch
         * all of it: 37 page faults of 195. */
        sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
        status = index_open_database(index, err);
    } else {
        index->writer = writer_new();
        status = open_locked(index, err);
    }
    if (status < 0) {
        index_close(index);
        return NULL;
    }
    return index;
}

void index_close(struct index *index)
{
    if (!index)
        return;
    if (index->in_transaction)
        index_rollback(index);
    /* The last one to close a database deletes its log, by name: not while another index comes to stand
     * under that name. */
    if (index->db && index->mode == INDEX_WRITE && index->holds == 0 &&
        lock_fd(index->lock, "index.lock", 0, NULL) < 0)
        sqlite3_db_config(index->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (index->db)
        index_close_database(index);
    if (index->mode == INDEX_BULK && !index->renamed) {
        char *path = index_file_name(index, ".new");

        unlink(path);
        free(path);
    }
    if (index->lock >= 0)
        close(index->lock);
    writer_free(index->writer);
    buf_free(&index->path);
    buf_free(&index->folder);
    for (size_t i = 0; i < sizeof index->text / sizeof index->text[0]; i++)
        buf_free(&index->text[i]);
    free(index->root);
    free(index);
}

/* ---- one writer at a time ---- */

int index_hold(struct index *index, struct err *err)
{
    pid_t holder;

    if (index->lock < 0)
        return err_set(err, ERR_FAILED, "index.db: opened for reading");
    if (index->holds == 0 && lock_fd(index->lock, "index.lock", index->lock_ms, err) < 0) {
        if (err && err->code != ERR_BUSY)
            return -1;
        holder = lock_holder(index->lock);
        if (holder > 0)
            return err_set(err, ERR_BUSY, "index.db: database is locked by pid %d", (int)holder);
        return err_set(err, ERR_BUSY, "index.db: database is locked by another process");
    }
    index->holds++;
    return 0;
}

void index_release(struct index *index)
{
    if (index->holds > 0 && --index->holds == 0)
        unlock_fd(index->lock);
}

/* A rebuild may have put another file in the place of the one that is open. */
static int follow_file(struct index *index, struct err *err)
{
    char *path;
    bool same;

    if (index->mode != INDEX_WRITE)
        return 0;
    if (index->db) {
        path = index_file_name(index, "");
        same = is_same_file(index, path);
        free(path);
        if (same)
            return 0;
        index_close_database(index);
    }
    return index_open_database(index, err);
}

/* What was remembered holds as long as no one else has written. */
static int check_memory(struct index *index, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_DATA_VERSION, err);

    if (!statement)
        return -1;
    if (sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_reset(statement);
        return index_failed(index, err);
    }
    sqlite3_int64 version = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (version != index->data_version)
        writer_forget(index->writer);
    index->data_version = version;
    return 0;
}

int index_begin(struct index *index, struct err *err)
{
    sqlite3_stmt *statement;

    if (index->mode == INDEX_READ || index->in_transaction)
        return err_set(err, ERR_FAILED, "index.db: %s",
                       index->in_transaction ? "a transaction is open" : "opened for reading");
    if (index->broken)
        return err_set(err, ERR_FAILED, "index.db: a bulk load has failed before");
    if (index->mode != INDEX_BULK && index_hold(index, err) < 0)
        return -1;
    if (follow_file(index, err) < 0)
        goto failed;
    statement = index_statement(index, SQL_BEGIN, err);
    if (!statement || index_step(index, statement, err) < 0)
        goto failed;
    index->in_transaction = true;
    index->failed = false;
    index->added = 0;
    if (check_memory(index, err) < 0) {
        index_rollback(index);
        return -1;
    }
    return 0;
failed:
    if (index->mode != INDEX_BULK)
        index_release(index);
    return -1;
}

int index_grow_cache(struct index *index, struct err *err)
{
    if (index->large)
        return 0;
    index->large = true;
    return index_pragma(index, "PRAGMA cache_size = -65536", err);
}

int index_need_transaction(const struct index *index, struct err *err)
{
    if (!index->in_transaction)
        return err_set(err, ERR_FAILED, "index.db: no transaction is open");
    /* SQLite itself rolls back after some failures: what came now would be committed row by row. */
    if (index->failed || sqlite3_get_autocommit(index->db))
        return err_set(err, ERR_FAILED,
                       "index.db: a failure before this one ended the transaction");
    return 0;
}

static void end_transaction(struct index *index)
{
    index->in_transaction = false;
    if (index->mode != INDEX_BULK)
        index_release(index);
}

int index_commit(struct index *index, struct err *err)
{
    sqlite3_stmt *statement;

    if (index_need_transaction(index, err) < 0 ||
        !(statement = index_statement(index, SQL_COMMIT, err)) || writer_flush(index, err) < 0 ||
        index_step(index, statement, err) < 0) {
        index_rollback(index);
        return -1;
    }
    end_transaction(index);
    return 0;
}

void index_rollback(struct index *index)
{
    if (!index->in_transaction)
        return;
    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(index->db))
        sqlite3_exec(index->db, "ROLLBACK", NULL, NULL, NULL);
    writer_forget(index->writer);
    if (index->mode == INDEX_BULK)
        index->broken = true;
    end_transaction(index);
}

int index_checkpoint(struct index *index, bool wait, struct err *err)
{
    int result;

    if (index->mode != INDEX_WRITE)
        return err_set(err, ERR_FAILED, "index.db: not open for writing");
    if (index_need_database(index, err) < 0)
        return -1;
    if (wait)
        result = database_checkpoint(index->db, index->lock_ms);
    else
        result = sqlite3_wal_checkpoint_v2(index->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (result == SQLITE_OK || (!wait && result == SQLITE_BUSY))
        return 0;
    return index_failed(index, err);
}

/* The log holds what index.db does not have yet; SQLite makes index.db durable before it empties the
 * log. None of its locks are on this file, so that it may be opened and closed here. */
int index_sync(struct index *index, struct err *err)
{
    char *path = index_file_name(index, "-wal");
    int fd = open(path, O_RDONLY | O_CLOEXEC), status = 0;

    if (fd < 0)
        status = errno == ENOENT ? 0 : err_sys(err, "%s", path);
    else if (fdatasync(fd) < 0)
        status = err_sys(err, "%s: fdatasync", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return status;
}

int index_set_durable(struct index *index, bool durable, struct err *err)
{
    if (index->durable == durable)
        return 0;
    if (index->in_transaction)
        return err_set(err, ERR_FAILED, "index.db: a transaction is open");
    index->durable = durable;
    return index_pragma(index,
                        durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err);
}

/*
 * A new index in the place of the old: index_replace, see index.h. And checkpoints, on which it rests.
 */
#include "index/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "index/schema.h"

/* SQLite keeps all writers out while it waits for readers: many short tries instead. */
int database_checkpoint(sqlite3 *db, int wait_ms)
{
    int64_t end = monotonic_ms() + wait_ms;
    int result;

    sqlite3_busy_timeout(db, 20);
    for (;;) {
        result = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (result != SQLITE_BUSY || monotonic_ms() >= end)
            break;
        sqlite3_sleep(50);
    }
    sqlite3_busy_timeout(db, wait_ms);
    return result;
}

/* Empties the old index's log: whoever still has that index open reads on from its file, and its log
 * can never be taken for the new one's. */
static int retire_old(struct index *index, struct err *err)
{
    struct index old = {
        .root = index->root, .mode = INDEX_WRITE, .lock = -1, .lock_ms = index->lock_ms};
    char *path = index_file_name(index, "");
    int status = 0;

    if (access(path, F_OK) == 0 && index_open_file(&old, path, SQLITE_OPEN_READWRITE, err) == 0) {
        /* A broken index is no reason to refuse its replacement. Without a read SQLite does not know
         * yet that there is a log. */
        sqlite3_exec(old.db, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
        if (database_checkpoint(old.db, index->lock_ms) == SQLITE_BUSY)
            status = err_set(err, ERR_BUSY, "index.db: a reader is still at work on the old index");
        sqlite3_close(old.db);
    }
    free(path);
    return status;
}

static int sync_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), status = 0;

    if (fd < 0 || fsync(fd) < 0)
        status = err_sys(err, "%s", path);
    if (fd >= 0)
        close(fd);
    return status;
}

static int swap_files(struct index *index, struct err *err)
{
    char *from = index_file_name(index, ".new"), *to = index_file_name(index, "");
    char *log = index_file_name(index, "-wal"), *shared = index_file_name(index, "-shm");
    int status = -1;

    if (sync_file(from, err) < 0)
        goto out;
    if (rename(from, to) < 0) {
        err_sys(err, "%s", to);
        goto out;
    }
    index->renamed = true;
    unlink(log);
    unlink(shared);
    status = sync_folder(AT_FDCWD, index->root, err);
out:
    free(from);
    free(to);
    free(log);
    free(shared);
    return status;
}

/* Of objects with one SOP Instance UID the first stays. Only looked for when the unique index finds
 * some: it costs a sort of all UIDs. */
static const char drop_copies[] =
    "CREATE TEMP TABLE copy AS SELECT id, series, folder, path, (SELECT min(id) FROM instance "
    "WHERE "
    "uid = i.uid) AS first FROM instance AS i WHERE uid IN (SELECT uid FROM instance GROUP BY uid "
    "HAVING count(*) > 1);"
    "DELETE FROM copy WHERE id = first;"
    "UPDATE file SET instance = -c.first FROM copy AS c WHERE file.folder = c.folder AND "
    "file.name = c.path;"
    "DELETE FROM instance WHERE id IN (SELECT id FROM copy);";

/* The series' studies are counted anew without them. */
static int recount_copies(struct index *index, struct err *err)
{
    sqlite3_stmt *statement = NULL;
    int result;

    if (sqlite3_prepare_v2(index->db,
                           "SELECT DISTINCT study FROM copy JOIN series ON series.id = copy.series",
                           -1, &statement, NULL) != SQLITE_OK)
        return index_failed(index, err);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        writer_recount(index, sqlite3_column_int64(statement, 0));
    if (result != SQLITE_DONE)
        index_failed(index, err);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE ? writer_flush(index, err) : -1;
}

static int finish_indexes(struct index *index, struct err *err)
{
    /* With a journal: what fails here goes back. */
    if (index_pragma(index, "PRAGMA journal_mode = MEMORY", err) < 0)
        return -1;
    if (schema_secondary(index->db, err) == 0)
        return 0;
    if (sqlite3_errcode(index->db) != SQLITE_CONSTRAINT || index_begin(index, err) < 0)
        return -1;
    /* Looked up by it, a copy is found in a moment; the others serve the counting. */
    if (index_pragma(index,
                     "CREATE INDEX copies ON instance(uid);"
                     "CREATE INDEX instance_series ON instance(series);"
                     "CREATE INDEX series_study ON series(study)",
                     err) < 0 ||
        index_pragma(index, drop_copies, err) < 0 || recount_copies(index, err) < 0 ||
        index_pragma(index,
                     "DROP INDEX copies; DROP INDEX instance_series; DROP INDEX series_study;"
                     "DROP TABLE copy",
                     err) < 0) {
        index_rollback(index);
        return -1;
    }
    return index_commit(index, err) < 0 ? -1 : schema_secondary(index->db, err);
}

int index_replace(struct index *index, struct err *err)
{
    if (index->mode != INDEX_BULK || index->broken || index->in_transaction ||
        index_need_database(index, err) < 0)
        return err_set(err, ERR_FAILED, "index.db: no finished bulk load to put in its place");
    if (!index->finished && finish_indexes(index, err) < 0) {
        index->broken = true;
        return -1;
    }
    index->finished = true;
    if (retire_old(index, err) < 0)
        return -1;
    index->broken = true; /* until all is done */
    if (index_pragma(index, "PRAGMA journal_mode = DELETE", err) < 0 ||
        index_pragma(index, "PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = WAL", err) < 0)
        return -1;
    index_close_database(index);
    if (swap_files(index, err) < 0)
        return -1;
    index->mode = INDEX_WRITE;
    if (index_open_database(index, err) < 0)
        return -1;
    index->broken = false;
    index_release(index);
    return 0;
}

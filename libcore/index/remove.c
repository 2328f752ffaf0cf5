/*
 * Removing rows, and making a study's counters anew afterwards. Files are never touched here.
 */
#include "index/internal.h"

#include <stdlib.h>
#include <string.h>

#include "index/query.h"

static int run_id(struct index *index, enum statement which, int64_t id, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, which, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    return index_step(index, statement, err);
}

static int remove_study(struct index *index, int64_t study, int64_t patient, struct err *err)
{
    if (run_id(index, SQL_STUDY_DELETE, study, err) < 0 ||
        run_id(index, SQL_PATIENT_DELETE, patient, err) < 0)
        return -1;
    return sqlite3_changes(index->db) ? run_id(index, SQL_NAMES_DELETE, patient, err) : 0;
}

int recount_study(struct index *index, int64_t study, struct err *err)
{
    static const enum statement first[] = {SQL_SERIES_PRUNE, SQL_SERIES_RECOUNT,
                                           SQL_MODALITIES_DELETE, SQL_MODALITIES_INSERT};
    sqlite3_stmt *statement;
    int64_t patient = 0, series = 0;
    int result;

    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
        if (run_id(index, first[i], study, err) < 0)
            return -1;
    statement = index_statement(index, SQL_STUDY_STATE, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, study);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        patient = sqlite3_column_int64(statement, 0);
        series = sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    if (result != SQLITE_ROW) /* gone already: named twice */
        return result == SQLITE_DONE ? 0 : index_failed(index, err);
    return series ? run_id(index, SQL_STUDY_RECOUNT, study, err)
                  : remove_study(index, study, patient, err);
}

/* The file by which it was known is forgotten with it, and further copies of the object as well: one
 * of them may take its place when they are read again. */
static int forget_files(struct index *index, int64_t id, int64_t folder, const char *name,
                        struct err *err)
{
    sqlite3_stmt *statement;

    if (name) {
        statement = index_statement(index, SQL_FILE_DELETE, err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, folder);
        bind_text(statement, 2, name);
        if (index_step(index, statement, err) < 0)
            return -1;
    }
    return run_id(index, SQL_COPIES_DELETE, id, err);
}

int index_remove_instance(struct index *index, int64_t id, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_INSTANCE_PLACE, err);
    int64_t study = 0, folder = 0;
    char *name = NULL;
    int result, status = -1;

    if (!statement || index_need_transaction(index, err) < 0 || files_flush(index, err) < 0)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(statement, 2);

        study = sqlite3_column_int64(statement, 0);
        folder = sqlite3_column_int64(statement, 1);
        name = text ? xstrdup(text) : NULL;
    }
    sqlite3_reset(statement);
    if (result == SQLITE_DONE)
        return err_set(err, ERR_NOTFOUND, "index.db: no instance %lld", (long long)id);
    if (result != SQLITE_ROW)
        return index_failed(index, err);
    if (forget_files(index, id, folder, name, err) == 0 &&
        run_id(index, SQL_INSTANCE_DELETE, id, err) == 0) {
        writer_recount(index, study);
        status = 0;
    }
    free(name);
    return status;
}

/* The ids first: rows are not deleted under a statement that reads them. */
static int64_t remove_all(struct index *index, sqlite3_stmt *statement, struct err *err)
{
    int64_t *ids = NULL;
    size_t count = 0, room = 0, done = 0;
    int result;

    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        if (count == room) {
            room = room ? room * 2 : 64;
            ids = xreallocarray(ids, room, sizeof *ids);
        }
        ids[count++] = sqlite3_column_int64(statement, 0);
    }
    sqlite3_reset(statement);
    if (result == SQLITE_DONE)
        while (done < count && index_remove_instance(index, ids[done], err) == 0)
            done++;
    else
        index_failed(index, err);
    free(ids);
    return result == SQLITE_DONE && done == count ? (int64_t)count : -1;
}

int64_t index_remove(struct index *index, const char *reference, struct err *err)
{
    static const enum statement by_uid[] = {SQL_STUDY_INSTANCES, SQL_SERIES_INSTANCES,
                                            SQL_INSTANCE_FIND};
    sqlite3_stmt *statement;
    int64_t count = 0, patient;

    if (index_need_transaction(index, err) < 0 || writer_flush(index, err) < 0)
        return -1;
    if (strncmp(reference, "patient:", 8) == 0) {
        patient = patient_of_reference(index, reference, err);
        if (patient < 0 || !(statement = index_statement(index, SQL_PATIENT_INSTANCES, err)))
            return -1;
        sqlite3_bind_int64(statement, 1, patient);
        count = remove_all(index, statement, err);
    }
    for (size_t i = 0; i < 3 && count == 0 && strncmp(reference, "patient:", 8) != 0; i++) {
        statement = index_statement(index, by_uid[i], err);
        if (!statement)
            return -1;
        bind_text(statement, 1, reference);
        count = remove_all(index, statement, err);
    }
    if (count == 0)
        return err_set(err, ERR_NOTFOUND, "%s: not in the index", reference);
    return count;
}

/*
 * What is known of one instance, one study, one folder, and of all together: see index.h.
 */
#include "index/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "index/query.h"

static const char *keep(struct buf *space, sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    buf_clear(space);
    if (!text)
        return NULL;
    buf_adds(space, text);
    return buf_text(space);
}

int index_damaged(struct err *err)
{
    return err_set(err, ERR_FAILED,
                   "index.db: a row without what belongs to it: make it anew with pacs-index "
                   "--rebuild");
}

int index_find_instance(struct index *index, const char *sop_uid, struct index_instance *row,
                        struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_INSTANCE_ROW, err);
    const char *folder, *name;
    int result;

    if (!statement || files_flush(index, err) < 0)
        return -1;
    memset(row, 0, sizeof *row);
    bind_text(statement, 1, sop_uid);
    result = sqlite3_step(statement);
    if (result != SQLITE_ROW) {
        sqlite3_reset(statement);
        return result == SQLITE_DONE ? 0 : index_failed(index, err);
    }
    row->id = sqlite3_column_int64(statement, 0);
    row->study_uid = keep(&index->text[0], statement, 1);
    row->series_uid = keep(&index->text[1], statement, 2);
    row->sop_uid = keep(&index->text[2], statement, 3);
    row->sop_class_uid = keep(&index->text[3], statement, 4);
    row->transfer_syntax = keep(&index->text[4], statement, 5);
    row->study_folder = keep(&index->folder, statement, 6);
    folder = (const char *)sqlite3_column_text(statement, 7);
    name = (const char *)sqlite3_column_text(statement, 8);
    row->in_place = name != NULL;
    if (!row->study_uid || !row->series_uid || !row->sop_uid ||
        (name ? !folder : !row->study_folder)) {
        sqlite3_reset(statement);
        return index_damaged(err);
    }
    buf_clear(&index->path);
    if (name)
        buf_addf(&index->path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
    else
        buf_addf(&index->path, "%s/%s/%s.dcm", row->study_folder, row->series_uid, row->sop_uid);
    row->path = buf_text(&index->path);
    row->size = (uint64_t)sqlite3_column_int64(statement, 9);
    row->mtime_ns = sqlite3_column_int64(statement, 10);
    sqlite3_reset(statement);
    return 1;
}

int index_study_folder(struct index *index, const char *study_uid, struct buf *folder,
                       struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_STUDY_FOLDER_OF, err);
    const char *text = NULL;
    int result;

    if (!statement)
        return -1;
    bind_text(statement, 1, study_uid);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW && (text = (const char *)sqlite3_column_text(statement, 0)))
        buf_adds(folder, text);
    sqlite3_reset(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return index_failed(index, err);
    return text != NULL;
}

int index_stats(struct index *index, struct index_statistics *statistics, struct err *err)
{
    static const char *const suffix[] = {"", "-wal"};
    sqlite3_stmt *statement = index_statement(index, SQL_STATISTICS, err);
    uint64_t *const field[] = {&statistics->patients,  &statistics->studies,  &statistics->series,
                               &statistics->instances, &statistics->in_place, &statistics->bytes,
                               &statistics->files};

    if (!statement || files_flush(index, err) < 0)
        return -1;
    memset(statistics, 0, sizeof *statistics);
    if (sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_reset(statement);
        return index_failed(index, err);
    }
    for (int i = 0; i < 7; i++)
        *field[i] = (uint64_t)sqlite3_column_int64(statement, i);
    sqlite3_reset(statement);
    for (size_t i = 0; i < 2; i++) {
        char *path = xasprintf("%s/index.db%s", index->root, suffix[i]);
        struct stat status;

        if (stat(path, &status) == 0)
            statistics->index_bytes += (uint64_t)status.st_size;
        free(path);
    }
    return 0;
}

/* ---- files indexed in place ---- */

/* The folder's row without the writer's memory: a reader has none. */
static int64_t folder_of(struct index *index, const char *path, size_t length, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FOLDER_FIND, err);
    int64_t id = 0;
    int result;

    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, path, (int)length, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? id : index_failed(index, err);
}

int64_t index_folder_files(struct index *index, const char *path, index_each_file *each,
                           void *context, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILE_LIST, err);
    int64_t folder = folder_of(index, path, strlen(path), err), count = 0;
    int result = SQLITE_DONE, status = 0;

    if (!statement || folder < 0 || files_flush(index, err) < 0)
        return -1;
    if (folder == 0)
        return 0;
    sqlite3_bind_int64(statement, 1, folder);
    while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t instance = sqlite3_column_int64(statement, 3);
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        struct index_file file = {
            .name = name ? name : "",
            .size = (uint64_t)sqlite3_column_int64(statement, 1),
            .mtime_ns = sqlite3_column_int64(statement, 2),
            .instance = instance > 0 ? instance : 0,
        };

        count++;
        status = each(context, &file, err);
    }
    sqlite3_reset(statement);
    if (status)
        return -1;
    return result == SQLITE_DONE ? count : index_failed(index, err);
}

int64_t index_folders(struct index *index, const char *path, index_each_folder *each, void *context,
                      struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FOLDER_LIST, err);
    int64_t count = 0;
    int result = SQLITE_DONE, status = 0;

    if (!statement || files_flush(index, err) < 0)
        return -1;
    bind_text(statement, 1, strcmp(path, "/") == 0 ? "" : path);
    while (status == 0 && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        count++;
        status = each(context, (const char *)sqlite3_column_text(statement, 0), err);
    }
    sqlite3_reset(statement);
    if (status)
        return -1;
    return result == SQLITE_DONE ? count : index_failed(index, err);
}

int index_file_remove(struct index *index, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    sqlite3_stmt *statement;
    int64_t folder, instance = 0;
    int result;

    if (index_need_transaction(index, err) < 0 || files_flush(index, err) < 0)
        return -1;
    if (!slash)
        return 0;
    folder = folder_of(index, path, slash == path ? 1 : (size_t)(slash - path), err);
    if (folder <= 0)
        return (int)folder;
    statement = index_statement(index, SQL_FILE_FIND, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, slash + 1);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        instance = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (result != SQLITE_ROW)
        return result == SQLITE_DONE ? 0 : index_failed(index, err);
    if (instance > 0)
        return index_remove_instance(index, instance, err) < 0 ? -1 : 1;
    statement = index_statement(index, SQL_FILE_DELETE, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, slash + 1);
    return index_step(index, statement, err) < 0 ? -1 : 1;
}

/* ---- references ---- */

static int64_t patient_row_of(struct index *index, const char *id, size_t length,
                              const char *issuer, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_PATIENT_OF, err);
    int64_t patient = 0;
    int result;

    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, id, (int)length, SQLITE_STATIC);
    bind_text(statement, 2, issuer);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        patient = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? patient : index_failed(index, err);
}

int64_t patient_of_reference(struct index *index, const char *reference, struct err *err)
{
    const char *id = reference + strlen("patient:");
    const char *issuer = strstr(id, "^^^");
    int64_t patient;

    if (id[0] == '#' && id[1] && strspn(id + 1, "0123456789") == strlen(id + 1))
        return strlen(id) > 18 ? 0 : strtoll(id + 1, NULL, 10);
    if (!*id)
        return 0;
    if (issuer && issuer > id) {
        patient = patient_row_of(index, id, (size_t)(issuer - id), issuer + 3, err);
        if (patient)
            return patient;
    }
    return patient_row_of(index, id, strlen(id), NULL, err);
}

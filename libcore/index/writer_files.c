/*
 * The table of files indexed in place. Those of new instances are entered some at a time: a statement costs
 * as much as the row. They are hardly ever known already: to try costs less than asking first. Whatever
 * looks at that table, or at instances that a file with new content would take away, flushes before.
 */
#include "index/writer_internal.h"

#include <string.h>

int64_t file_folder(struct index *index, const char *path, const char **name, struct err *err)
{
    const char *slash = strrchr(path, '/');

    *name = slash ? slash + 1 : path;
    if (!slash)
        return writer_folder(index, ".", 1, true, err);
    return writer_folder(index, slash == path ? "/" : path,
                         slash == path ? 1 : (size_t)(slash - path), true, err);
}

static int put_file(struct index *index, enum statement how, int64_t folder, const char *name,
                    uint64_t size, int64_t mtime_ns, int64_t instance, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, how, err);

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, name);
    sqlite3_bind_int64(statement, 3, (int64_t)size);
    sqlite3_bind_int64(statement, 4, mtime_ns);
    if (instance)
        sqlite3_bind_int64(statement, 5, instance);
    else
        sqlite3_bind_null(statement, 5);
    return index_step(index, statement, err);
}

/* The file was rewritten with another object in it: the row of the first goes. */
static int drop_previous(struct index *index, int64_t folder, const char *name, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILE_FIND, err);
    int64_t instance = 0;

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, folder);
    bind_text(statement, 2, name);
    if (look_up(index, statement, &instance, err) < 0)
        return -1;
    return instance > 0 ? index_remove_instance(index, instance, err) : 0;
}

/* A file of those that came together, on its own. */
static int put_one(struct index *index, const struct waiting_file *file, const char *name,
                   struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILE_FIND, err);
    int64_t instance = 0;

    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, file->folder);
    bind_text(statement, 2, name);
    if (look_up(index, statement, &instance, err) < 0)
        return -1;
    if (instance == file->instance)
        return 0;
    if (instance > 0 && index_remove_instance(index, instance, err) < 0)
        return -1;
    return put_file(index, SQL_FILE_PUT, file->folder, name, file->size, file->mtime_ns,
                    file->instance, err);
}

/* How many of them are new, and so were entered; -1. */
static int put_together(struct index *index, const struct waiting_files *files, struct err *err)
{
    sqlite3_stmt *statement = index_statement(index, SQL_FILES_INSERT, err);
    int at = 1;

    if (!statement)
        return -1;
    for (size_t i = 0; i < WAITING_FILES; i++) {
        const struct waiting_file *file = &files->file[i];

        sqlite3_bind_int64(statement, at++, file->folder);
        sqlite3_bind_text(statement, at++, files->names.data + file->name, (int)file->name_length,
                          SQLITE_STATIC);
        sqlite3_bind_int64(statement, at++, (int64_t)file->size);
        sqlite3_bind_int64(statement, at++, file->mtime_ns);
        sqlite3_bind_int64(statement, at++, file->instance);
    }
    return index_step(index, statement, err) < 0 ? -1 : sqlite3_changes(index->db);
}

int files_flush(struct index *index, struct err *err)
{
    struct waiting_files *files, now;
    int status = 0, entered = 0;

    if (!index->writer || index->writer->files.count == 0)
        return 0;
    files = &index->writer->files;
    now = *files;
    /* Taken out first: index_remove_instance comes back here. */
    *files = (struct waiting_files){0};
    if (now.count == WAITING_FILES)
        status = entered = put_together(index, &now, err);
    if (entered < WAITING_FILES)
        for (size_t i = 0; i < now.count && status >= 0; i++)
            status = put_one(index, &now.file[i], now.names.data + now.file[i].name, err);
    buf_clear(&now.names);
    files->names = now.names;
    return status < 0 ? -1 : 0;
}

int files_add(struct index *index, int64_t folder, const char *name,
              const struct index_record *record, int64_t instance, struct err *err)
{
    struct waiting_files *files = &index->writer->files;
    size_t length = strlen(name);

    files->file[files->count++] = (struct waiting_file){
        folder, files->names.length, length, record->size, record->mtime_ns, instance};
    buf_add(&files->names, name, length + 1);
    return files->count == WAITING_FILES ? files_flush(index, err) : 0;
}

int index_file_put(struct index *index, const char *path, uint64_t size, int64_t mtime_ns,
                   const char *sop_uid, struct err *err)
{
    sqlite3_stmt *statement;
    const char *name;
    int64_t folder, instance = 0;

    if (index_need_transaction(index, err) < 0 || files_flush(index, err) < 0 ||
        (folder = file_folder(index, path, &name, err)) < 0 ||
        drop_previous(index, folder, name, err) < 0)
        return -1;
    if (sop_uid && index->mode != INDEX_BULK) {
        statement = index_statement(index, SQL_INSTANCE_FIND, err);
        if (!statement)
            return -1;
        bind_text(statement, 1, sop_uid);
        if (look_up(index, statement, &instance, err) < 0)
            return -1;
    }
    return put_file(index, SQL_FILE_PUT, folder, name, size, mtime_ns, -instance, err);
}

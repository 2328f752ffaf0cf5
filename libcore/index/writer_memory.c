/*
 * Patients' studies, series, terms and folders that the writer has seen: as long as no one else writes they
 * need not be looked up again. See writer.c.
 */
#include "index/writer_internal.h"

#include <stdlib.h>
#include <string.h>

struct writer *writer_new(void)
{
    return xcalloc(1, sizeof(struct writer));
}

static void entry_free(struct entry *entry)
{
    if (entry->study) {
        free(entry->study->folder);
        free(entry->study->patient);
        buf_free(&entry->study->modalities);
        buf_free(&entry->study->classes);
        free(entry->study);
    }
    free(entry);
}

void writer_forget(struct writer *writer)
{
    for (size_t i = 0; i < BUCKETS && writer->count; i++) {
        struct entry *next;

        for (struct entry *entry = writer->bucket[i]; entry; entry = next) {
            next = entry->next;
            entry_free(entry);
        }
        writer->bucket[i] = NULL;
    }
    writer->count = 0;
    writer->dirty = NULL;
    writer->last_study = writer->last_series = writer->last_folder = NULL;
    memset(writer->last_term, 0, sizeof writer->last_term);
    memset(writer->bound, 0, sizeof writer->bound); /* the statement may go as well */
    writer->files.count = 0;
    buf_clear(&writer->files.names);
    free(writer->recount);
    writer->recount = NULL;
    writer->recounts = 0;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    writer_forget(writer);
    buf_free(&writer->files.names);
    buf_free(&writer->scratch);
    buf_free(&writer->warning);
    free(writer);
}

static size_t bucket_of(enum entry_kind kind, int64_t parent, const char *key, size_t length)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)parent ^ ((uint64_t)kind << 56);

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)key[i]) * 1099511628211u;
    return (hash ^ hash >> 32) & (BUCKETS - 1);
}

struct entry *recall(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                     size_t length)
{
    struct entry *entry = writer->bucket[bucket_of(kind, parent, key, length)];

    while (entry &&
           !(entry->kind == kind && entry->parent == parent && is_entry(entry, key, length)))
        entry = entry->next;
    return entry;
}

struct entry *remember(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                       size_t length, int64_t id)
{
    struct entry **at = &writer->bucket[bucket_of(kind, parent, key, length)];
    struct entry *entry = xcalloc(1, sizeof *entry + length + 1);

    entry->kind = kind;
    entry->parent = parent;
    entry->id = id;
    entry->length = length;
    memcpy(entry->key, key, length);
    entry->next = *at;
    *at = entry;
    writer->count++;
    return entry;
}

void make_dirty(struct writer *writer, struct entry *entry)
{
    if (entry->dirty)
        return;
    entry->dirty = true;
    entry->next_dirty = writer->dirty;
    writer->dirty = entry;
}

int look_up(struct index *index, sqlite3_stmt *statement, int64_t *id, struct err *err)
{
    int result = sqlite3_step(statement);

    if (result == SQLITE_ROW)
        *id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (result == SQLITE_ROW)
        return 1;
    return result == SQLITE_DONE ? 0 : index_failed(index, err);
}

/* ---- small tables of texts ---- */

/* The entry of a text in `find`'s table, made if `make`. NULL when it is not there, or on failure. */
static struct entry *text_entry(struct index *index, enum entry_kind kind, enum statement find,
                                enum statement insert, const char *text, size_t length, bool make,
                                bool *failed, struct err *err)
{
    struct entry *entry = recall(index->writer, kind, 0, text, length);
    sqlite3_stmt *statement;
    int64_t id = 0;
    int result;

    if (entry)
        return entry;
    *failed = true;
    statement = index_statement(index, find, err);
    if (!statement)
        return NULL;
    sqlite3_bind_text(statement, 1, text, (int)length, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        index_failed(index, err);
        return NULL;
    }
    if (!id && make) {
        statement = index_statement(index, insert, err);
        if (!statement)
            return NULL;
        sqlite3_bind_text(statement, 1, text, (int)length, SQLITE_STATIC);
        if (index_step(index, statement, err) < 0)
            return NULL;
        id = sqlite3_last_insert_rowid(index->db);
    }
    *failed = false;
    return id ? remember(index->writer, kind, 0, text, length, id) : NULL;
}

/* 0 for no text. */
int64_t term_id(struct index *index, enum term term, const char *text, struct err *err)
{
    struct entry **last = &index->writer->last_term[term];
    size_t length = text ? strlen(text) : 0;
    bool failed = false;

    if (length == 0)
        return 0;
    if (!is_entry(*last, text, length))
        *last = text_entry(index, ENTRY_TERM, SQL_TERM_FIND, SQL_TERM_INSERT, text, length, true,
                           &failed, err);
    return *last ? (*last)->id : -1;
}

int64_t writer_folder(struct index *index, const char *path, size_t length, bool make,
                      struct err *err)
{
    struct entry *entry = index->writer->last_folder;
    bool failed = false;

    if (!is_entry(entry, path, length)) {
        entry = text_entry(index, ENTRY_FOLDER, SQL_FOLDER_FIND, SQL_FOLDER_INSERT, path, length,
                           make, &failed, err);
        if (!entry)
            return failed ? -1 : 0;
        index->writer->last_folder = entry;
    }
    return entry->id;
}

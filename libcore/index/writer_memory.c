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
    writer->last_series = NULL;
    free(writer->recount);
    writer->recount = NULL;
    writer->recounts = 0;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    writer_forget(writer);
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

    while (entry && !(entry->kind == kind && entry->parent == parent &&
                      strncmp(entry->key, key, length) == 0 && entry->key[length] == '\0'))
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

/* ---- small tables of texts ---- */

/* The id of a text in `find`'s table, made if `make`. 0 when it is not there, -1 on failure. */
static int64_t text_id(struct index *index, enum entry_kind kind, enum statement find,
                       enum statement insert, const char *text, size_t length, bool make,
                       struct err *err)
{
    struct entry *entry = recall(index->writer, kind, 0, text, length);
    sqlite3_stmt *statement;
    int64_t id = 0;
    int result;

    if (entry)
        return entry->id;
    statement = index_statement(index, find, err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, text, (int)length, SQLITE_STATIC);
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        id = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);
    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return index_failed(index, err);
    if (!id) {
        if (!make)
            return 0;
        statement = index_statement(index, insert, err);
        if (!statement)
            return -1;
        sqlite3_bind_text(statement, 1, text, (int)length, SQLITE_STATIC);
        if (index_step(index, statement, err) < 0)
            return -1;
        id = sqlite3_last_insert_rowid(index->db);
    }
    remember(index->writer, kind, 0, text, length, id);
    return id;
}

/* 0 for no text. */
int64_t term_id(struct index *index, const char *text, struct err *err)
{
    if (!text || !*text)
        return 0;
    return text_id(index, ENTRY_TERM, SQL_TERM_FIND, SQL_TERM_INSERT, text, strlen(text), true,
                   err);
}

int64_t writer_folder(struct index *index, const char *path, size_t length, bool make,
                      struct err *err)
{
    return text_id(index, ENTRY_FOLDER, SQL_FOLDER_FIND, SQL_FOLDER_INSERT, path, length, make,
                   err);
}

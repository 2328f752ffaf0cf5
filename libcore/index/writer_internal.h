/*
 * What the writer remembers between objects. For writer*.c alone.
 */
#ifndef PACS_INDEX_WRITER_INTERNAL_H
#define PACS_INDEX_WRITER_INTERNAL_H

#include <string.h>

#include "index/internal.h"

#define BUCKETS 4096 /* power of two */

enum entry_kind { ENTRY_STUDY, ENTRY_SERIES, ENTRY_TERM, ENTRY_FOLDER };

enum term { TERM_CLASS, TERM_SYNTAX, TERM_CALLING, TERM_COUNT };

struct entry {
    struct entry *next;
    struct entry *next_dirty; /* of those with something to write */
    enum entry_kind kind;
    int64_t id;
    int64_t parent;                             /* series: its study */
    int64_t instances, bytes, received, series; /* not yet in the row */
    bool dirty;
    struct study *study;
    size_t length; /* of the key */
    char key[];
};

/* What only studies have. */
struct study {
    char *folder;
    struct buf modalities, classes; /* as in the row, with what was added */
    char *patient;                  /* "ID", or "ID of ISSUER" */
};

/* What a parameter of a statement holds. */
#define BOUND_MAX 64
enum bound_kind { BOUND_UNKNOWN, BOUND_NOTHING, BOUND_NUMBER, BOUND_TEXT };
struct bound {
    enum bound_kind kind;
    int64_t number;
    char text[24];
};

/* Files of new instances that are not in their table yet: writer_files.c. */
struct waiting_file {
    int64_t folder;
    size_t name, name_length; /* where in `names` */
    uint64_t size;
    int64_t mtime_ns, instance;
};
struct waiting_files {
    size_t count;
    struct waiting_file file[WAITING_FILES];
    struct buf names; /* each ended by NUL */
};

struct writer {
    struct entry *bucket[BUCKETS];
    size_t count;
    struct entry *dirty;
    /* Mostly they are the same as those of the object before. */
    struct entry *last_study, *last_series, *last_folder, *last_term[TERM_COUNT];
    struct bound bound[BOUND_MAX];       /* by number: of the instance's INSERT */
    struct bound other_bound[BOUND_MAX]; /* of the last other one */
    int64_t *recount;
    size_t recounts;
    struct buf scratch, warning;
    struct waiting_files files;
};

static inline bool is_entry(const struct entry *entry, const char *key, size_t length)
{
    return entry && entry->length == length && memcmp(entry->key, key, length) == 0;
}

/* NULL when it is not remembered. `parent`: see struct entry. */
struct entry *recall(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                     size_t length);
struct entry *remember(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                       size_t length, int64_t id);
/* Its counters are written at the next flush. */
void make_dirty(struct writer *writer, struct entry *entry);
/* The id of a text in the table of terms; 0 for no text, -1 on failure. */
int64_t term_id(struct index *index, enum term term, const char *text, struct err *err);
/* A look-up of one key: 1 when there is a row, `id` its first column; 0; -1. */
int look_up(struct index *index, sqlite3_stmt *statement, int64_t *id, struct err *err);

/* ---- writer_files.c ---- */

/* The row of a path's folder, made when it is missing, and the name in it. */
int64_t file_folder(struct index *index, const char *path, const char **name, struct err *err);
int files_add(struct index *index, int64_t folder, const char *name,
              const struct index_record *record, int64_t instance, struct err *err);

#endif

/*
 * What the writer remembers between objects. For writer.c and writer_memory.c.
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

struct writer {
    struct entry *bucket[BUCKETS];
    size_t count;
    struct entry *dirty;
    /* Mostly they are the same as those of the object before. */
    struct entry *last_study, *last_series, *last_folder, *last_term[TERM_COUNT];
    uint32_t bound; /* parameters of the instance's INSERT that may hold something */
    int64_t *recount;
    size_t recounts;
    struct buf scratch, warning;
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

#endif

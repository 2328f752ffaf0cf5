/*
 * What the writer remembers between objects. For writer.c and writer_memory.c.
 */
#ifndef PACS_INDEX_WRITER_INTERNAL_H
#define PACS_INDEX_WRITER_INTERNAL_H

#include "index/internal.h"

#define BUCKETS 4096 /* power of two */

enum entry_kind { ENTRY_STUDY, ENTRY_SERIES, ENTRY_TERM, ENTRY_FOLDER };

struct entry {
    struct entry *next;
    struct entry *next_dirty; /* of those with something to write */
    enum entry_kind kind;
    int64_t id;
    int64_t parent;                             /* series: its study */
    int64_t instances, bytes, received, series; /* not yet in the row */
    bool dirty;
    struct study *study;
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
    struct entry *last_series; /* mostly it is the same as that of the object before */
    int64_t *recount;
    size_t recounts;
    struct buf scratch, warning;
};

/* NULL when it is not remembered. `parent`: see struct entry. */
struct entry *recall(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                     size_t length);
struct entry *remember(struct writer *writer, enum entry_kind kind, int64_t parent, const char *key,
                       size_t length, int64_t id);
/* Its counters are written at the next flush. */
void make_dirty(struct writer *writer, struct entry *entry);
/* The id of a text in the table of terms; 0 for no text, -1 on failure. */
int64_t term_id(struct index *index, const char *text, struct err *err);

#endif

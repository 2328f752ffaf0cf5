/*
 * What the files of the ingest share. Not for others.
 */
#ifndef PACS_INDEX_INGEST_INTERNAL_H
#define PACS_INDEX_INGEST_INTERNAL_H

#include "index/ingest.h"
#include "index/object.h"

#define PENDING_MAX 64 /* placed, not yet durable: SYNC_ASSOCIATION */
#define TRIES_MAX   8  /* others may change what we have just looked at, but not for ever */

enum duplicate_policy { DUPLICATE_QUARANTINE, DUPLICATE_KEEP, DUPLICATE_REPLACE };

struct ingest {
    struct store *store;
    struct index *index;
    int policy;
    struct object_reader reader;
    struct object fresh, stored; /* the new object, the one that is there */
    struct buf folder, path, why;
    struct incoming *pending[PENDING_MAX];
    char *pending_path[PENDING_MAX];
    size_t pending_count;
};

/* One object on its way. */
struct task {
    struct ingest *ingest;
    struct incoming *incoming;
    const struct ingest_options *options;
    struct ingest_report *report;
    struct object *object;
    struct index_record *record; /* of it */
    bool replace_row;            /* the row is there, its file is not */
};

/* The result of a step; AGAIN: what was seen has changed, look anew. */
enum step { STEP_AGAIN = 100 };

/* ---- ingest.c ---- */

void set_text(struct buf *buf, const char *text);
/* What the object is called when it is kept aside. */
const char *task_name(const struct task *task);
/* Into quarantine with the reason; then the result is `result`. */
int task_set_aside(struct task *task, enum ingest_result result, const char *reason,
                   struct err *err);
/* Where the new one belongs: `folder` and `path` of the ingest. */
int task_find_place(struct task *task, struct err *err);

/* ---- ingest_meet.c: what is there already ---- */

enum entered { ENTER_FAILED = -1, ENTER_ADDED, ENTER_KNOWN, ENTER_TAKEN };

/* A row for what lies at `path`. KNOWN: it has one. TAKEN: the instance has one that is about another
 * object of the archive; the transaction is still open, so that the caller can take its placement back
 * before anyone looks. A file indexed in place steps back for the archive's own. */
enum entered enter_row(struct ingest *ingest, const struct index_record *record, const char *path,
                       bool replace, bool durable, struct err *err);

/* The index has this SOP instance, in the archive, at `path`. */
int meet_stored(struct task *task, const char *path, struct err *err);
/* Something lies at our place, and the index has no row of it: left by a kill before its row, or being
 * stored by another process this moment, or put there by hand. */
int meet_unknown(struct task *task, struct err *err);

#endif

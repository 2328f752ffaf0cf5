/*
 * The index: SQLite behind these functions and nowhere else. Derived from the files and disposable.
 *
 * One connection per process: it does not cross a fork. Readers never wait for the writer, nor it
 * for them. All texts are UTF-8; what a function hands out is borrowed until the next call.
 */
#ifndef PACS_INDEX_INDEX_H
#define PACS_INDEX_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "dicom/match.h"
#include "dicom/scan.h"
#include "index/attributes.h"

#define INDEX_LOCK_MS 30000 /* how long index_begin waits for another writer */

/* INDEX_BULK: a new, empty index beside the present one, for a rebuild; it has no secondary indexes
 * until index_replace puts it in the present one's place. It holds the writers off (index_hold) from
 * index_open on until it is in place or closed. Until then a second object of the same
 * SOP Instance UID is not noticed (INDEX_ADDED); index_replace keeps the first. */
enum index_mode { INDEX_READ, INDEX_WRITE, INDEX_BULK };

struct index;

/* Opens ROOT/index.db; INDEX_WRITE makes it when missing and migrates an older schema. An index
 * made by a newer version is refused (ERR_VERSION). INDEX_READ of a missing index: ERR_NOTFOUND. */
struct index *index_open(const char *root, enum index_mode mode, struct err *err);
/* Rolls an open transaction back. An INDEX_BULK that was not put in place is removed. */
void index_close(struct index *index);

/* ---- writing: one writer at a time, by a kernel lock on index.lock ---- */

/* Waits for the lock; after INDEX_LOCK_MS ERR_BUSY, "index.db: database is locked by pid N". */
int index_begin(struct index *index, struct err *err);
/* On failure everything since index_begin is rolled back. After a failed change (not for ERR_INPUT and
 * ERR_NOTFOUND, where nothing was begun) it always fails. */
int index_commit(struct index *index, struct err *err);
void index_rollback(struct index *index);

/* Moves the write-ahead log into index.db: with `wait` all of it and the log is emptied, waiting for
 * readers (ERR_BUSY after INDEX_LOCK_MS) but hardly ever keeping writers out; else as much as goes
 * without waiting. Writers do not checkpoint by themselves before the log is large (64 MB): call this
 * where nobody waits for an answer. */
int index_checkpoint(struct index *index, bool wait, struct err *err);

/* What was committed so far outlasts a power loss, and no one waits for it. */
int index_sync(struct index *index, struct err *err);
/* From now on index_commit returns only when its rows are durable (synchronous = FULL: one fsync more).
 * Not within a transaction. */
int index_set_durable(struct index *index, bool durable, struct err *err);

/* INDEX_BULK only: secondary indexes, then this index takes the place of ROOT/index.db, atomically.
 * Writers that have the old one open go over to the new at their next index_begin. Readers at work
 * finish on the old one. ERR_BUSY: some reader kept the old one from being finished for INDEX_LOCK_MS;
 * it may be called again. */
int index_replace(struct index *index, struct err *err);

/* Takes the writers' lock without a transaction, until index_release: every index_begin of other
 * processes waits. For what looks at files and index together (rebuild, recovery). Nests with
 * index_begin of this connection. */
int index_hold(struct index *index, struct err *err);
void index_release(struct index *index);

/* What goes into a row. The texts are borrowed for the call. */
struct index_record {
    const char *value[ATTRIBUTE_COUNT]; /* UTF-8, NULL: absent */
    const char *study_folder; /* of a new study in the archive: "objects/..."; NULL in place */
    const char *path;         /* NULL: follows from study_folder and the UIDs; else below the
                                 root, or absolute for a file indexed in place */
    uint64_t size;
    int64_t mtime_ns;
    int64_t received_ms;
    const char *calling_aet;
};

/* The tags that a scanner must look for, to fill a record. */
const tag_t *index_tags(size_t *count);
/* Values of the records before: those of the next object are mostly the same, and then need not be made
 * again. */
struct index_record_memory;
struct index_record_memory *index_record_memory_new(void);
void index_record_memory_free(struct index_record_memory *memory);
/* From the last scan. The texts live in `arena`, which the caller clears between objects. Checks
 * the four UIDs (class, study, series, instance) for form: ERR_INPUT names what is wrong. Fills
 * `value` and clears the rest. `memory` may be NULL. */
int index_record_from_scan(const struct scanner *scanner, struct index_record_memory *memory,
                           struct index_record *record, struct buf *arena, struct err *err);

enum index_added { INDEX_ERROR = -1, INDEX_ADDED = 0, INDEX_EXISTS = 1 };

/* Within begin..commit: patient, study, series as needed, the instance, the counters. INDEX_EXISTS:
 * the SOP instance has a row already; nothing is changed. An object with a path is also entered as
 * a file of its folder. */
enum index_added index_add(struct index *index, const struct index_record *record, struct err *err);

/* What was odd about the last object added though it was added (its study belongs to another
 * patient: the study keeps its first), or NULL. */
const char *index_warning(const struct index *index);

/* ---- looking up ---- */

struct index_instance {
    int64_t id;
    const char *study_uid, *series_uid, *sop_uid, *sop_class_uid, *transfer_syntax;
    const char *path;         /* below the root, or absolute */
    const char *study_folder; /* NULL when no object of the study is in the archive */
    bool in_place;            /* the file is not below objects/ by our rule: `path` was stored */
    uint64_t size;
    int64_t mtime_ns;
};

/* 1 and the row, 0 when there is none, -1 on failure. Sees this connection's own transaction. */
int index_find_instance(struct index *index, const char *sop_uid, struct index_instance *row,
                        struct err *err);
/* The study's folder, appended: 1; 0 when the study has no row or no folder (only in-place
 * objects). */
int index_study_folder(struct index *index, const char *study_uid, struct buf *folder,
                       struct err *err);

struct index_statistics {
    uint64_t patients, studies, series, instances;
    uint64_t in_place;    /* instances that are indexed where they lie */
    uint64_t bytes;       /* of all objects */
    uint64_t files;       /* known in-place files, whether DICOM or not */
    uint64_t index_bytes; /* index.db and its log */
};
int index_stats(struct index *index, struct index_statistics *statistics, struct err *err);

/* ---- removing rows (never files); within begin..commit ---- */

/* The instances behind a reference (patient:ID, study, series, instance UID), and parents that are
 * left empty. Returns how many instances, or -1; ERR_NOTFOUND when there is no such thing. */
int64_t index_remove(struct index *index, const char *reference, struct err *err);
/* One instance by its row. Returns 0 or -1. */
int index_remove_instance(struct index *index, int64_t id, struct err *err);

/* ---- files indexed in place ---- */

struct index_file {
    const char *name; /* in its folder */
    uint64_t size;
    int64_t mtime_ns;
    int64_t instance; /* its row; 0: no DICOM, or an object that another file holds already */
};
typedef int index_each_file(void *context, const struct index_file *file, struct err *err);
typedef int index_each_folder(void *context, const char *path, struct err *err);

/* What is known of a folder's files (not of those in folders below), in order of name (strcmp).
 * `path` is absolute and has no '/' at its end. Returns how many, or -1. `each` must not call the
 * index. */
int64_t index_folder_files(struct index *index, const char *path, index_each_file *each,
                           void *context, struct err *err);
/* The folder itself and all known ones below it, in order of path. Returns how many, or -1. */
int64_t index_folders(struct index *index, const char *path, index_each_folder *each, void *context,
                      struct err *err);
/* Within begin..commit: remembers a file that gave no instance of its own, so that it is not read
 * again while size and time stay: no DICOM (`sop_uid` NULL), or a further copy of the object
 * `sop_uid` (which is forgotten, and so read again, when that object's row is removed). index_add
 * does it for those that gave one. */
int index_file_put(struct index *index, const char *path, uint64_t size, int64_t mtime_ns,
                   const char *sop_uid, struct err *err);
/* Within begin..commit: forgets the file, and removes the instance that it gave, if any. Returns 1,
 * 0 when the file was not known, -1. */
int index_file_remove(struct index *index, const char *path, struct err *err);

#endif

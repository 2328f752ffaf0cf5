/*
 * The index: SQLite behind these functions and nowhere else. Derived from the files and disposable.
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

enum index_mode { INDEX_READ, INDEX_WRITE };

struct index;

/* Opens ROOT/index.db; INDEX_WRITE makes it when missing and migrates an older schema. An index made by a
 * newer version is refused (ERR_VERSION). INDEX_READ of a missing index: ERR_NOTFOUND. */
struct index *index_open(const char *root, enum index_mode mode, struct err *err);
void index_close(struct index *index);

/* ---- writing: one writer at a time, by a kernel lock on index.lock ---- */

int index_begin(struct index *index, struct err *err);
int index_commit(struct index *index, struct err *err);
void index_rollback(struct index *index);

/* What goes into a row. The texts are borrowed for the call. */
struct index_record {
    const char *value[ATTRIBUTE_COUNT]; /* UTF-8, NULL: absent */
    const char *study_folder;           /* of a new study in the archive: "objects/..."; NULL in place */
    const char *path;                   /* NULL: follows from study_folder and the UIDs; else below the
                                           root, or absolute for a file indexed in place */
    uint64_t size;
    int64_t mtime_ns;
    int64_t received_ms;
    const char *calling_aet;
};

/* The tags that a scanner must look for, to fill a record. */
const tag_t *index_tags(size_t *count);
/* From the last scan. The texts live in `arena`, which the caller clears between objects. Checks the four
 * UIDs (class, study, series, instance) for form: ERR_INPUT names what is wrong. */
int index_record_from_scan(const struct scanner *scanner, struct index_record *record,
                           struct buf *arena, struct err *err);

enum index_added { INDEX_ERROR = -1, INDEX_ADDED = 0, INDEX_EXISTS = 1 };

/* Within begin..commit: patient, study, series as needed, the instance, the counters. INDEX_EXISTS: the SOP
 * instance has a row already; nothing is changed. */
enum index_added index_add(struct index *index, const struct index_record *record, struct err *err);

#endif

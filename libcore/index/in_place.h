/*
 * Files indexed where they lie: what a feed of them does to the index. And the way back.
 */
#ifndef PACS_INDEX_IN_PLACE_H
#define PACS_INDEX_IN_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "index/feed.h"

/* What became of the files. */
struct file_counts {
    uint64_t added;     /* new in the index */
    uint64_t updated;   /* the file had changed or moved, or its content was replaced */
    uint64_t same;      /* in place: read again, nothing new; import: in the archive already */
    uint64_t copies;    /* another file or the archive holds this instance */
    uint64_t conflicts; /* import: in the archive with other content */
    uint64_t removed;   /* rows of files that are gone */
    uint64_t not_dicom, directories;
    uint64_t broken; /* DICOM of which no object can be had */
    uint64_t failed; /* could not be read */
    uint64_t bytes;
};

enum file_event { FILE_NOT_DICOM, FILE_COPY, FILE_WARNING, FILE_BROKEN, FILE_FAILED };

struct file_events {
    /* An object is in the index, durably committed; non-zero ends the work. May be NULL. */
    int (*indexed)(void *context, const char *sop_uid, const char *path, struct err *err);
    /* Something to be said of a file; `why` names it. */
    void (*odd)(void *context, enum file_event event, const char *why);
    /* Another file is done. */
    void (*progress)(void *context, uint64_t bytes);
    void *context;
};

/* Takes all of the feed into the index, in transactions. `dry`: nothing is kept. After an interruption
 * what was done is committed. */
int in_place_run(struct index *index, struct feed *feed, bool dry, const struct file_events *events,
                 struct file_counts *counts, struct err *err);

/* Within begin..commit: forgets a file, or a folder with all below it, as tree_path writes it. Returns how
 * many files, or -1. */
int64_t in_place_remove(struct index *index, const char *path, struct err *err);

/* "folder/name". */
void feed_item_path(const struct feed_item *item, struct buf *out);

#endif

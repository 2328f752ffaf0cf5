/*
 * Ingest: one complete file in incoming/ becomes a durable, findable object, or is refused with a reason.
 * The one way into the archive, for pacs-recv and for pacs-index --import.
 */
#ifndef PACS_INDEX_INGEST_H
#define PACS_INDEX_INGEST_H

#include "base/err.h"
#include "base/mem.h"
#include "index/archive.h"

enum ingest_result {
    INGEST_FAILED = -1, /* disk, index: err says; nothing was acknowledged. What had its place
                            already keeps it: the same object coming again completes it, and so does
                            archive_recover */
    INGEST_STORED = 0,
    INGEST_SAME,     /* the archive has this very data set: a quiet success */
    INGEST_CONFLICT, /* same SOP instance, other content: by policy in quarantine or dropped; the
                            first is kept */
    INGEST_REPLACED, /* same, policy replace: the first is in quarantine */
    INGEST_MISMATCH, /* the data set is not of the class or instance that was announced: quarantine */
    INGEST_BROKEN    /* no object in it, or UIDs that may not become a path: quarantine */
};

enum ingest_sync { SYNC_OBJECT, SYNC_ASSOCIATION, SYNC_NONE };

struct ingest_options {
    enum ingest_sync sync;
    const char *calling_aet;   /* or NULL */
    const char *sop_class_uid; /* announced in the C-STORE request, or NULL */
    const char *sop_instance_uid;
};

struct ingest_report {
    char study_uid[65], series_uid[65], sop_uid[65], sop_class_uid[65], transfer_syntax[65];
    struct buf path;   /* of the object below the root, or of the quarantined file */
    struct buf reason; /* for all but STORED and SAME: one line */
    uint64_t size;     /* bytes of the file */
};
void ingest_report_free(struct ingest_report *report);

struct ingest;

/* Is the section [store] of pacs.conf in order? -1: "FILE:LINE: ...". */
int ingest_check_config(struct config *config, struct err *err);

/* One per process; keeps the scanner and what it knows of studies. */
struct ingest *ingest_new(struct archive *archive, struct err *err);
/* Takes over `incoming`. The report is overwritten. */
enum ingest_result ingest_object(struct ingest *ingest, struct incoming *incoming,
                                 const struct ingest_options *options, struct ingest_report *report,
                                 struct err *err);
struct object;
/* 1 when the archive holds the very data set of `object`, which was read from `fd`; 0 when not; -1. */
int ingest_has(struct ingest *ingest, const struct object *object, int fd, struct err *err);
/* End of an association or a batch: what SYNC_ASSOCIATION left undone becomes durable. (It also happens
 * by itself every 64 objects, so that memory and descriptors are bounded.) */
int ingest_flush(struct ingest *ingest, struct err *err);
void ingest_free(struct ingest *ingest);

/* Placements that a kill or a power loss left without a row are found again; leftovers in incoming/ are
 * removed. For the start of a writer, and after one has died. Returns how many rows were added, or -1. */
int archive_recover(struct archive *archive, struct err *err);
/* Moves the write-ahead log into index.db, as far as nobody waits for it. `full` first does what
 * archive_recover does, and last removes the second names in incoming/ of all objects whose rows are
 * durable by then. For an idle process, never in the way of an answer. */
int archive_checkpoint(struct archive *archive, bool full, struct err *err);

#endif

/*
 * Files copied into the archive: what a feed of them becomes.
 */
#ifndef PACS_INDEX_IMPORT_H
#define PACS_INDEX_IMPORT_H

#include "index/archive.h"
#include "index/in_place.h"

struct import_options {
    bool link; /* hard links instead of copies, where the file system allows */
    bool dry;  /* looks, and stores nothing */
    const struct file_events *events;
};

/* Stores all of the feed through ingest, and makes it durable. Conflicts are told as FILE_BROKEN and
 * counted as such; what is in the archive already is passed over quietly. After an interruption all that
 * was begun is whole. Returns 0 or -1. */
int import_run(struct archive *archive, struct feed *feed, const struct import_options *options,
               struct file_counts *counts, struct err *err);

#endif

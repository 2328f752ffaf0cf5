/*
 * The index made anew from the files: objects/ and the files that the old index knew in place.
 */
#ifndef PACS_INDEX_REBUILD_H
#define PACS_INDEX_REBUILD_H

#include "index/archive.h"
#include "index/in_place.h"

struct rebuild_options {
    unsigned threads;
    bool dry;
    const volatile sig_atomic_t *stop;
    const struct file_events *events;
};

/* Other writers wait until it is done. The old index stays as it is, and in use by readers, until the new
 * one takes its place; it need not be readable (then files in place are not known, which is told as
 * FILE_WARNING). Must be called before archive_index. Returns 0, 1 when it was stopped, or -1. */
int rebuild_index(struct archive *archive, const struct rebuild_options *options,
                  struct file_counts *counts, struct err *err);

#endif

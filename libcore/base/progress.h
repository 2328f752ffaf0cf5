/*
 * Progress of long work on a terminal's stderr: count, rate, time left; nothing when stderr is no
 * terminal, with -q, or when the work takes less than a second.
 */
#ifndef PACS_BASE_PROGRESS_H
#define PACS_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *noun; /* "files", "objects" */
    uint64_t total;   /* 0: not known */
    uint64_t done;
    uint64_t bytes;
    int64_t start_ms;
    int64_t shown_ms;
    bool on, visible;
};

void progress_start(struct progress *progress, const char *noun, uint64_t total);
/* Cheap enough for every object: looks at the clock once in a while. */
void progress_add(struct progress *progress, uint64_t count, uint64_t bytes);
/* Wipes the line, so that a message can take its place; the next progress_add shows it again. */
void progress_hide(struct progress *progress);
/* The end: wipes the line. */
void progress_end(struct progress *progress);

#endif

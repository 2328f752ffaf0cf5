/*
 * Files read ahead: one thread names them, others read their headers, and they come out in the order in
 * which they were named. So that scanning uses the cores that the one writer of the index leaves.
 *
 * Bounded whatever the tree and the files hold: a fixed number of files is in work, and where headers
 * are huge those are left for the taker to read when their turn comes.
 */
#ifndef PACS_INDEX_FEED_H
#define PACS_INDEX_FEED_H

#include <signal.h>

#include "base/err.h"
#include "index/object.h"

struct feed;

enum feed_task {
    FEED_READ,    /* the header is read */
    FEED_VANISHED /* known to the index and gone: passed on */
};

struct feed_item {
    enum feed_task task;
    const char *folder; /* as it was put */
    int fd;             /* open on the folder, or AT_FDCWD; borrowed */
    const char *name;   /* in the folder */
    bool follow;        /* the name may be a symbolic link */
    enum object_kind kind;
    struct object object;
    char *why; /* for all kinds but OBJECT_SOUND */
};

/* Runs on a thread of its own, and puts files until it returns (non-zero: `err` says why). */
typedef int feed_source(void *context, struct feed *feed, struct err *err);

/* `stop` (or NULL) is what a signal handler sets: then feed_put fails and feed_next returns NULL. */
struct feed *feed_new(unsigned threads, feed_source *source, void *context,
                      const volatile sig_atomic_t *stop, struct err *err);
/* Also before the end: stops the threads. A source that waits for its own input is waited for. */
void feed_free(struct feed *feed);

/* For the source. `fd` is duplicated; -1: the folder is reached by its path. Waits for room. Returns 0, or
 * -1 when the taker has stopped. */
int feed_put(struct feed *feed, int fd, const char *folder, char *const *names, size_t count,
             enum feed_task task, bool follow);

/* For the taker: the next file, valid until the next call; NULL at the end (feed_status tells how it
 * ended). The item's texts may be changed. */
struct feed_item *feed_next(struct feed *feed);
/* Whether feed_next would wait: a good moment to end a transaction. */
bool feed_would_wait(struct feed *feed);
/* What the source returned; for after the end. */
int feed_status(const struct feed *feed, struct err *err);

#endif

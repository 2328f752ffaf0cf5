/*
 * Files and folders that a user names, as the source of a feed: folders are walked, and what the index
 * knows and has not changed is left out.
 */
#ifndef PACS_INDEX_TREE_H
#define PACS_INDEX_TREE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "index/feed.h"

struct tree {
    const char *root; /* of the archive: its own folders are left out */
    /* Compare with this index, by size and modification time; files that it knows of the folders named
     * and that are gone are passed on as vanished. NULL: every file is read. A connection of its own:
     * it is used on the source's thread. */
    struct index *known;
    int count; /* as for refs_loop */
    char **arguments;
    bool nul;
    /* What cannot be read is told on the source's thread, and passed over. */
    void (*failed)(void *context, const struct err *why);
    void *context;
    atomic_uint_fast64_t unchanged; /* files */
};

/* The feed_source; its context is the struct tree. */
int tree_feed(void *tree, struct feed *feed, struct err *err);

/* The form in which a file or folder stands in the index: absolute, its folder without symbolic links.
 * A folder itself, but not a file, is followed when it is a link. The file need not exist any more. */
int tree_path(const char *path, struct buf *out, struct err *err);

#endif

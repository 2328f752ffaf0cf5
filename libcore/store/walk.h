/*
 * The files of a tree, folder by folder.
 */
#ifndef PACS_STORE_WALK_H
#define PACS_STORE_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

struct walk {
    /* A folder: its regular files, by name (strcmp); called before those of the folders below it. `fd`
     * is open on it for the call. Non-zero ends the walk. */
    int (*folder)(void *context, int fd, const char *path, char *const *names, size_t count,
                  struct err *err);
    /* A folder that cannot be read: told, and passed over. May be NULL. */
    void (*failed)(void *context, const char *path, const struct err *why);
    /* False leaves the folder out, with all below it. May be NULL. */
    bool (*enter)(void *context, const char *path, const struct stat *status);
    void *context;
};

/* `path` below `dirfd` is a folder, or a symbolic link to one; links below it are not followed, so that
 * the walk ends. Folders come in order of name, each before those below it; memory is that of one
 * folder's names and of the folders not yet seen. Returns 0, what `folder` returned, or -1 when the
 * first folder cannot be read. */
int walk_tree(int dirfd, const char *path, const struct walk *walk, struct err *err);

#endif

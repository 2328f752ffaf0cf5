/*
 * What the files of the store share. Not for others.
 */
#ifndef PACS_STORE_INTERNAL_H
#define PACS_STORE_INTERNAL_H

#include <sys/types.h>

#include "store/store.h"

#define INCOMING_FOLDER   "incoming"
#define QUARANTINE_FOLDER "quarantine"
#define OBJECTS_FOLDER    "objects"
#define FOLDERS_KNOWN     256 /* power of two */

struct store {
    char *root;
    int fd;
    /* The file system's journal keeps the order of changes to folders (ext4, XFS): fsync of the last
     * folder makes those above it durable as well. */
    bool ordered;
    bool no_links, no_noreplace; /* learnt at the first try */
    pid_t pid;                   /* of `unique`: a fork makes another */
    uint64_t unique, counter;
    char *known[FOLDERS_KNOWN]; /* folders that are there, durably */
};

struct incoming {
    struct store *store;
    int fd;
    char *path;
    uint64_t size;
    uint64_t behind; /* up to where write-behind was started */
    bool synced;
    bool placed; /* has its place: the name in incoming/ stays */
    bool gone;   /* the name in incoming/ is no longer ours */
};

/* A name that no other process uses, below incoming/. */
char *store_unique_name(struct store *store);
uint64_t store_random(void);

/* The folder of `path` with all above it, durable as far as `sync` asks. */
int store_folder_of(struct store *store, const char *path, bool sync, struct err *err);
/* It was removed behind our back. */
void store_forget_folder(struct store *store, const char *path);
/* fsync of the folder of `path`. */
int store_sync_folder_of(struct store *store, const char *path, struct err *err);

/* renameat2(RENAME_NOREPLACE), or what comes nearest. 0, or -1 with errno (EEXIST). */
int store_rename_new(struct store *store, const char *from, const char *to);
/* Whether errno says that this file system has no links at all. */
bool store_no_links_errno(int number);

/* All bytes of `source` into the empty file `target`. -1 with errno; `*written` counts. */
int store_copy(int target, int source, uint64_t *written);

#endif

/*
 * An archive as a whole: its folder, pacs.conf, store and index, found and opened for a command.
 */
#ifndef PACS_INDEX_ARCHIVE_H
#define PACS_INDEX_ARCHIVE_H

#include "base/config.h"
#include "base/err.h"
#include "index/index.h"
#include "store/store.h"

enum archive_mode {
    ARCHIVE_READ,  /* must exist */
    ARCHIVE_WRITE, /* must exist */
    ARCHIVE_CREATE, /* made when the folder is missing or empty; refused for a folder with other things */
};

struct archive;

/* `option` is what -A gave, or NULL: then $PACS_ARCHIVE, then the working folder if it is an archive.
 * Refuses with a message that says how to name one. */
struct archive *archive_open(const char *option, enum archive_mode mode, struct err *err);
void archive_close(struct archive *archive);

const char *archive_path(const struct archive *archive); /* absolute */
struct config *archive_config(struct archive *archive);  /* loaded at first use by archive_open */
struct store *archive_store(struct archive *archive);
/* Opened at first call. NULL with a message on failure. */
struct index *archive_index(struct archive *archive, struct err *err);
/* Closes the index (before a fork: a connection does not cross it). */
void archive_close_index(struct archive *archive);
/* True when archive_open has just made it. */
bool archive_created(const struct archive *archive);

#endif

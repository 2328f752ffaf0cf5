/*
 * Where an export goes: a folder, or an archive file or stream. Used by export.c alone.
 *
 * An archive is written beside its name, as NAME.part-PID, made durable and renamed at the end: a
 * reader finds all of it or nothing. In a folder the same is true of each file.
 */
#ifndef PACS_EXPORT_SINK_H
#define PACS_EXPORT_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/mem.h"

#define SINK_BLOCK (1 << 20) /* bytes read and written at a time */
/* Objects up to this size are read whole before anything of them is written, so that one that
 * cannot be read leaves no trace in an archive. */
#define SINK_WHOLE (8 << 20)

enum sink_format {
    SINK_AUTO,
    SINK_FOLDER,
    SINK_ZIP,
    SINK_TAR,
    SINK_TAR_GZ,
    SINK_TAR_XZ,
    SINK_TAR_ZST
};
#define SINK_FORMATS "auto|folder|zip|tar|tar.gz|tar.xz|tar.zst" /* in that order */

struct sink_options {
    enum sink_format format; /* not AUTO */
    const char *output;      /* path; "-" is stdout, not for a folder */
    int level;               /* of compression; -1: the format's default (zip: none) */
    bool force;              /* replaces what is there */
    bool link;               /* folder: hard links where they are possible */
};

/* An open file to be exported. */
struct sink_source {
    int fd;
    int dirfd;        /* `path` is below it */
    const char *path; /* also for messages */
    struct stat stat;
    bool compressed; /* its pixel data is: deflating it again is lost work */
};

enum sink_result {
    SINK_FATAL = -1, /* nothing more can be written */
    SINK_DONE = 0,
    SINK_FAILED = 1, /* this object could not be read or put there; err says why; others can */
    SINK_KEPT = 2    /* a folder had this very file already */
};

/* Looks at the bytes of an object on their way. */
struct sink_watch {
    void (*begin)(void *context);
    void (*bytes)(void *context, const void *bytes, size_t length);
    void *context;
};

struct sink;
struct sink_type {
    enum sink_result (*add)(struct sink *sink, const char *name, const struct sink_source *source,
                            const struct sink_watch *watch, struct err *err);
    int (*finish)(struct sink *sink, struct err *err); /* all durable, under its name */
    void (*free)(struct sink *sink);                   /* unfinished: removes what is not whole */
};
struct sink {
    const struct sink_type *type;
};

/* The format that a name asks for, or with ERR_INPUT SINK_AUTO: a kind of archive that we do not
 * write. A name without a known ending is a folder. */
enum sink_format sink_format_of(const char *output, struct err *err);
/* The level's range and default for a format; -1 when it has none. */
int sink_check_level(enum sink_format format, int level, struct err *err);

struct sink *sink_folder_new(const struct sink_options *options, struct err *err);
struct sink *sink_archive_new(const struct sink_options *options, struct err *err);

/* Set by a signal: what runs ends at the next block with ERR_CLOSED. May be NULL. */
extern const volatile int *sink_interrupted;
bool sink_is_interrupted(struct err *err);

/* A file that is written beside its name and gets it at the end. */
struct part {
    char *path, *temporary;
    int fd;
    bool force;
};
/* Refuses a name that is taken (ERR_INPUT) unless `force`. */
int part_open(struct part *part, const char *path, bool force, struct err *err);
/* fsync, rename, fsync of the folder. */
int part_finish(struct part *part, struct err *err);
/* Removes the file unless it was finished. */
void part_free(struct part *part);

#endif

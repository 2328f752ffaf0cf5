/*
 * An export: objects by reference or path, each once, under names from a layout, into a folder or
 * an archive. What pacs-export does, for every command that hands out objects.
 */
#ifndef PACS_EXPORT_EXPORT_H
#define PACS_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "export/sink.h"
#include "index/index.h"

struct export_options {
    struct sink_options sink;
    const char *layout; /* layout.h; NULL: default */
    bool ascii;
    const char *manifest; /* path, "-" for stdout, or NULL */
    bool dry_run;         /* nothing is written; names are made and told */
};

struct export_counts {
    uint64_t objects, bytes; /* written, or kept */
    uint64_t kept;           /* of those: a folder had them already */
    uint64_t repeated;       /* named more than once */
    uint64_t failed;         /* could not be exported; each was told to `failed` */
};

/* What the caller hears. Each may be NULL. */
struct export_events {
    /* An object is in place: its reference (UID or path), its name inside the export. Non-zero ends
     * the export. */
    int (*done)(void *context, const char *reference, const char *name, uint64_t size,
                struct err *err);
    /* An object, or a reference that nothing is behind, that is left out. */
    void (*failed)(void *context, const char *reference, const struct err *why);
    void *context;
};

struct export;

/* Checks the layout and makes the output ready, so that what cannot work fails before references
 * are read. */
struct export *export_new(const struct export_options *options, const struct export_events *events,
                          struct err *err);

/* One file. An object that cannot be exported is told to `failed`; -1 means that nothing more can
 * be written. */
int export_path(struct export *export, const char *path, struct err *err);
/* The objects behind a reference of the index (patient:ID, study, series or instance UID). `root`
 * is the archive's folder, below which their paths are. */
int export_reference(struct export *export, struct index *index, int root, const char *reference,
                     struct err *err);

const struct export_counts *export_counts(const struct export *export);

/* Ends the archive, makes all durable and puts it under its name. An archive file of no objects is
 * not made. */
int export_finish(struct export *export, struct err *err);
/* Without export_finish before it, nothing stays but the whole files in a folder. */
void export_free(struct export *export);

#endif

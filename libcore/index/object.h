/*
 * One file as an object of the index: its header read, its record filled. What ingest, recovery,
 * pacs-index and the rebuild share.
 */
#ifndef PACS_INDEX_OBJECT_H
#define PACS_INDEX_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "index/index.h"

#define AET_MAX 16

/* Zero-initialised is valid and empty; the owner calls object_free. It must not move while it holds
 * something: the record points into it. */
struct object {
    struct index_record record;
    struct buf arena; /* the record's texts */
    char calling[AET_MAX + 1];
    uint64_t dataset_offset; /* where the data set begins in the file */
    bool is_part10;          /* begins with preamble and meta header */
};
void object_free(struct object *object);

struct object_reader {
    struct scanner *scanner;
    struct index_record_memory *memory;
    struct buf text;
};

void object_reader_init(struct object_reader *reader);
void object_reader_free(struct object_reader *reader);

enum object_kind {
    OBJECT_FAILED = -1, /* could not be read */
    OBJECT_SOUND = 0,
    OBJECT_NOT_DICOM,
    OBJECT_DIRECTORY, /* a DICOMDIR: DICOM, but no object */
    OBJECT_BROKEN     /* DICOM that cannot be read, or whose UIDs are none */
};

/* Reads the header from an open file. Size, modification time and time of receipt (the same: what the
 * file remembers) are filled in for all kinds, the rest for OBJECT_SOUND (for OBJECT_BROKEN: the values
 * that could be read); the calling AE title from the meta header; path and study_folder are left NULL.
 * `err` tells why for all but OBJECT_SOUND. */
enum object_kind object_read(struct object_reader *reader, int fd, const char *name,
                             struct object *object, struct err *err);

/* Puts the object's path by our rule into `path`, given its study's folder. */
void object_place(const struct index_record *record, const char *study_folder, struct buf *path);
/* "objects/Y/M/D/STUDY/SERIES/SOP.dcm" of a record whose UIDs are those of the path: the study's folder
 * is appended. False: the file lies elsewhere. */
bool object_folder_of(const struct index_record *record, const char *path, struct buf *folder);

#endif

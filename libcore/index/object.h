/*
 * One file as an object of the index: its header read, its record filled. What ingest, recovery,
 * pacs-index and the rebuild share.
 */
#ifndef PACS_INDEX_OBJECT_H
#define PACS_INDEX_OBJECT_H

#include "base/err.h"
#include "base/mem.h"
#include "index/index.h"

struct object_reader {
    struct scanner *scanner;
    struct buf calling;
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

/* Reads the header from an open file. The texts of the record lie in `arena`, which is cleared first;
 * size, modification time, time of receipt (the same: what the file remembers) and the calling AE title
 * (from the meta header) are filled in, path and study_folder are not. `err` tells why for all but
 * OBJECT_SOUND. */
enum object_kind object_read(struct object_reader *reader, int fd, const char *name,
                             struct index_record *record, struct buf *arena, struct err *err);
/* Where the data set begins in the file read last. */
uint64_t object_dataset_offset(const struct object_reader *reader);
/* Puts the object's path by our rule into `path`, given its study's folder. */
void object_path(const struct index_record *record, const char *study_folder, struct buf *path);
/* "objects/Y/M/D/STUDY/SERIES/SOP.dcm" of a record whose UIDs are those of the path: the study's folder
 * is appended. False: the file lies elsewhere. */
bool object_folder_of(const struct index_record *record, const char *path, struct buf *folder);

#endif

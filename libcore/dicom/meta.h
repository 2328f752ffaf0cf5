/*
 * The head of a DICOM file, PS3.10 section 7.1: preamble, prefix, file meta information.
 */
#ifndef PACS_DICOM_META_H
#define PACS_DICOM_META_H

#include <stdbool.h>

#include "base/mem.h"
#include "dicom/data_hash.h"
#include "dicom/scan.h"

struct meta {
    const char *sop_class_uid;
    const char *sop_instance_uid;
    const char *transfer_syntax;
    const char *source_aet; /* or NULL */
    bool with_hash;         /* leaves room for the hash of the data set: meta_hash_place */
};

/* Appends the head; the data set follows it in the file. Texts longer than their VR holds are cut. */
void meta_put(struct buf *out, const struct meta *meta);

/* The hash of the data set stands in Private Information (0002,0102), under our own Private Information Creator
 * UID (0002,0100): the file itself says what it should hold. DATA_HASH_SIZE digits go there, once they are known: their
 * place in a head that meta_put has made with room for them. */
size_t meta_hash_place(const struct buf *head);
/* Whether these elements (NULL: absent) hold such a hash, and then which. */
bool meta_has_hash(const struct scan_value *creator, const struct scan_value *information,
                   char digits[DATA_HASH_SIZE]);

#endif

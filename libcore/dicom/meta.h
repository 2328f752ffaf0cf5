/*
 * The head of a DICOM file, PS3.10 section 7.1: preamble, prefix, file meta information.
 */
#ifndef PACS_DICOM_META_H
#define PACS_DICOM_META_H

#include "base/mem.h"

struct meta {
    const char *sop_class_uid;
    const char *sop_instance_uid;
    const char *transfer_syntax;
    const char *source_aet; /* or NULL */
};

/* Appends the head; the data set follows it in the file. Texts longer than their VR holds are cut. */
void meta_put(struct buf *out, const struct meta *meta);

#endif

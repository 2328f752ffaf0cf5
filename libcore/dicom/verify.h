/*
 * The structure of a Part 10 file, checked to its end before a parser that recurses gets to see it.
 *
 * Every element is walked: the data set, sequences and their items, UN of undefined length (CP-246),
 * fragments of compressed pixels; deflated data sets are inflated on the way. Values are stepped over,
 * not read; nothing recurses; memory is a few blocks. Strict where the scanner (scan.h) is lenient: what
 * passes is nested and sized as its lengths and delimiters say, no deeper and no more than below.
 * It does not judge values, VRs against the dictionary, order, or what is missing.
 */
#ifndef PACS_DICOM_VERIFY_H
#define PACS_DICOM_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "dicom/tag.h"
#include "dicom/uid.h"

/* DCMTK 3.6.7 takes some 1.6 KB of stack for each nested sequence: 256 are well below 1 MB. */
#define VERIFY_DEPTH_MAX    256
#define VERIFY_ELEMENTS_MAX (1u << 21) /* elements and items; some 200 bytes each in DCMTK */
#define VERIFY_INFLATE_MAX  (1u << 30) /* bytes of a deflated data set, inflated */

#define VERIFY_UNDEFINED 0xffffffffu

/* What was seen. Offsets are of the file; of the inflated data set when it is deflated. */
struct verify_layout {
    struct transfer_syntax syntax; /* uid points to `transfer_syntax` */
    char transfer_syntax[UID_MAX + 1];
    uint64_t dataset_offset; /* in the file, deflated or not */
    uint64_t dataset_end;    /* 0 is the data set's start when deflated */
    unsigned depth;          /* the deepest sequence; 0: none */
    uint32_t elements;       /* elements and items */

    /* Pixel Data, Float or Double Float Pixel Data of the data set itself; pixel_tag 0: none. */
    tag_t pixel_tag;
    vr_t pixel_vr;         /* VR_NONE in implicit VR */
    uint32_t pixel_length; /* VERIFY_UNDEFINED: encapsulated */
    uint64_t pixel_start;  /* its tag */
    uint64_t pixel_value;  /* its value, or the item of the offset table */
    uint64_t pixel_end;    /* behind its value or its sequence delimiter */
    uint32_t fragments;    /* items, the offset table among them */
};

/* Reads with pread: the position of `fd`, a regular file, does not move. Returns 0 and fills `layout`
 * (may be NULL), or -1: ERR_INPUT and "NAME: why and where" for a structure that is refused. */
int verify_fd(int fd, const char *name, struct verify_layout *layout, struct err *err);

#endif

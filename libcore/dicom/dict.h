/*
 * The data dictionary of PS3.6: keyword, tag, VR and multiplicity. The table is made at build time
 * and read-only: looking up costs a binary search and no start-up work.
 */
#ifndef PACS_DICOM_DICT_H
#define PACS_DICOM_DICT_H

#include <stddef.h>

#include "base/err.h"
#include "dicom/tag.h"

struct dict_entry {
    tag_t tag;
    vr_t vr;                      /* US for "US or SS", OW for "OB or OW" */
    unsigned char vm_min, vm_max; /* vm_max 255: n */
    const char *keyword;
};

/* NULL when the dictionary does not hold it. Repeating groups (50xx, 60xx) are found for every group. */
const struct dict_entry *dict_by_tag(tag_t tag);
/* Exact, letter case included. */
const struct dict_entry *dict_by_keyword(const char *keyword);

/* A keyword in any letter case, "gggg,eeee", "(gggg,eeee)" or "ggggeeee". Returns 0 and the tag; -1
 * with ERR_INPUT and a message that suggests the nearest keywords. */
int dict_parse(const char *text, tag_t *tag, struct err *err);

/* The VR for a tag in implicit VR data: the dictionary's, UL for group lengths, LO for private
 * creators, UN else. */
vr_t dict_vr(tag_t tag);

/* The whole table, in order of tag. */
const struct dict_entry *dict_all(size_t *count);

#endif

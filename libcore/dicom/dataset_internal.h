/*
 * What the files of dataset.h share. Not for others.
 */
#ifndef PACS_DICOM_DATASET_INTERNAL_H
#define PACS_DICOM_DATASET_INTERNAL_H

#include <stdint.h>

#include "dicom/dataset.h"

struct element {
    tag_t tag;
    vr_t vr;
    bool owned;      /* `data` is to be freed */
    bool utf8;       /* `data` is text in UTF-8, whatever the character set is */
    uint32_t number; /* in order of coming, while it is parsed */
    char *data;
    size_t size;
    struct dataset **item;
    size_t items;
};

struct dataset {
    const struct dataset *parent;
    char *bytes; /* of the root that was parsed */
    struct element *element;
    size_t count, capacity;
};

/* Room for one more element at the end. Items are many, and most have one or two elements. */
void dataset_make_room(struct dataset *dataset);
struct dataset *dataset_append_item(struct dataset *dataset, struct element *element);
/* Frees value and items; the tag stays. */
void dataset_clear_element(struct element *element);

#endif

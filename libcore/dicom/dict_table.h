/*
 * The table that dict.awk makes, for dict.c alone.
 */
#ifndef PACS_DICOM_DICT_TABLE_H
#define PACS_DICOM_DICT_TABLE_H

#include "dicom/dict.h"

/* In order of tag; a repeating group stands here once, by its first tag. */
extern const struct dict_entry dict_table[];
extern const size_t dict_table_count;

/* Places in dict_table, in order of the keyword in lower case. */
extern const unsigned short dict_by_name[];

/* Repeating groups and elements: even numbers from first to last. */
struct dict_range {
    uint16_t group_first, group_last;
    uint16_t element_first, element_last;
    unsigned short place;
};
extern const struct dict_range dict_ranges[];
extern const size_t dict_range_count;

#endif

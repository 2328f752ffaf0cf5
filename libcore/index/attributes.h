/*
 * What the index holds of each object: one table, from which schema, writer, query and pacs-find are made.
 */
#ifndef PACS_INDEX_ATTRIBUTES_H
#define PACS_INDEX_ATTRIBUTES_H

/* The owner of libcore/index fills this in; ATTRIBUTE_COUNT is its length. */
enum attribute { ATTRIBUTE_PATIENT_ID, ATTRIBUTE_COUNT };

#endif

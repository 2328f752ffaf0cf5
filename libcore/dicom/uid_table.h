/*
 * The table of registered UIDs, for uid.c alone.
 */
#ifndef PACS_DICOM_UID_TABLE_H
#define PACS_DICOM_UID_TABLE_H

#include "dicom/uid.h"

extern const struct uid_entry uid_table[];
extern const size_t uid_table_count;

#endif

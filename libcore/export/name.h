/*
 * Names of files that are safe and portable whatever the values are that they are made of.
 *
 * A name made here can be written on Linux, macOS and Windows, unpacked by any archiver, typed into
 * a shell without quotes, and can never lead out of the folder that it is put into.
 */
#ifndef PACS_EXPORT_NAME_H
#define PACS_EXPORT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

#define NAME_COMPONENT_MAX 120 /* bytes of one component */
#define NAME_PATH_MAX      239 /* bytes of a whole path inside the export */

/* Appends a value (UTF-8) with everything replaced by '_' that a portable name cannot hold: control
 * characters, blanks, / \ : * ? " < > | ^ and what shells act upon, invisible and
 * direction-changing characters, bytes that are no UTF-8. Runs of '_' that come from it become one;
 * none is left at either end. Other letters stay as they are, or with `ascii` are transliterated.
 * At most `limit` bytes, cut between characters. */
void name_add_value(struct buf *out, const char *value, size_t length, size_t limit, bool ascii);

/* Makes `component` one that stands for itself: no '.', '-' or blank at its start, no '.' or blank
 * at its end, no device name of Windows (CON, NUL, COM1 ...), not empty, cut to `limit` bytes
 * before its last `keep` bytes (an ending such as ".dcm"). */
void name_finish_component(struct buf *component, size_t limit, size_t keep);

/* The greatest length <= limit at which UTF-8 text can be cut. */
size_t name_cut(const char *text, size_t length, size_t limit);

#endif

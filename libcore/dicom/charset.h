/*
 * Character sets: Specific Character Set (0008,0005) to UTF-8. PS3.3 C.12.1.1.2, PS3.5 section 6.1.
 */
#ifndef PACS_DICOM_CHARSET_H
#define PACS_DICOM_CHARSET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "dicom/tag.h"

/* Appends `bytes` as UTF-8. `specific` is the raw value of (0008,0005) with its backslashes ("" or
 * NULL: the default repertoire). Code extensions (ISO 2022) are reset where PS3.5 6.1.2.5.3 says so:
 * at line ends, and at '^' '=' and '\' in PN. Undecodable bytes become U+FFFD; an unknown character set
 * is read as UTF-8 where that is valid, else as Latin-1. Never fails. Returns false when anything had to be
 * replaced or guessed. */
bool charset_to_utf8(const char *specific, size_t specific_length, vr_t vr, const char *bytes,
                     size_t length, struct buf *out);

/* The other way: appends UTF-8 text in the character sets of `specific`, with the escape sequences that code
 * extensions want. False, and nothing appended, when these cannot hold all of it, when charset_to_utf8
 * would not make the same text of it, or when `specific` is not made of the defined terms of PS3.3
 * C.12.1.1.2 as they are allowed together. */
bool charset_from_utf8(const char *specific, vr_t vr, const char *text, size_t length,
                       struct buf *out);

/* Valid UTF-8: no overlong forms, surrogates or values above U+10FFFF. */
bool utf8_valid(const char *text, size_t length);

/* For comparing names and text without letter case: folded (simple lower case for Latin, Greek,
 * Cyrillic, Armenian; marks and other scripts kept), appended to `out`. Idempotent. */
void utf8_fold(const char *text, size_t length, struct buf *out);

#endif

/*
 * Values between their encoding and text. PS3.5 section 6.2.
 */
#ifndef PACS_DICOM_VALUE_H
#define PACS_DICOM_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "dicom/tag.h"

/* Values of this VR are written as characters (everything but numbers in binary, bulk data and
 * sequences). */
bool value_is_text(vr_t vr);
/* Values of this VR are numbers in binary: US SS UL SL UV SV FL FD AT. */
bool value_is_number(vr_t vr);
/* Of the texts, those that Specific Character Set applies to: LO LT PN SH ST UC UT. */
bool value_has_charset(vr_t vr);

/* Appends a value as UTF-8 text: padding removed; binary numbers (US SS UL SL UV SV FL FD AT) in decimal
 * (AT as gggg,eeee); several joined by '\'. Texts are decoded by `specific`, the raw value of Specific
 * Character Set; what cannot be decoded becomes U+FFFD, as does NUL inside a value. Nothing for
 * sequences and bulk data. Never fails. */
void value_to_text(vr_t vr, bool big_endian, const char *bytes, size_t size, const char *specific,
                   size_t specific_size, struct buf *out);

/* Appends the little endian encoding of numbers given as such text, with spaces around them or not; what is
 * no number, or out of the VR's range, is left out. Nothing for VRs that are written as characters. */
void value_from_text(vr_t vr, const char *text, struct buf *out);

#endif

/*
 * A small data set in memory: the identifier of a query, a list of references, the information of an
 * event. PS3.5 section 7. Not for objects: those stay in files (scan.h reads their headers).
 *
 * What comes in is hostile until it is here: lengths, depth and number are checked against the limits
 * below before anything is kept, and the memory is a small multiple of the bytes that came.
 */
#ifndef PACS_DICOM_DATASET_H
#define PACS_DICOM_DATASET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "dicom/tag.h"

#define DATASET_BYTES_MAX    (4 << 20) /* of an encoded data set that dataset_parse takes */
#define DATASET_ELEMENTS_MAX 32768     /* in all, items included */
#define DATASET_DEPTH_MAX    16        /* nested sequences */

struct dataset;

struct dataset *dataset_new(void);
/* Also frees the items. NULL is fine. Items are freed with what they are part of, never alone. */
void dataset_free(struct dataset *dataset);

/* From its encoding in implicit or explicit VR little endian (`transfer_syntax`); the bytes are copied.
 * Elements may come in any order; when a tag comes twice the first counts. Group lengths and group 0002
 * are left out. NULL with ERR_INPUT: another transfer syntax, lengths that lead out of the data, a limit
 * above. */
struct dataset *dataset_parse(const void *bytes, size_t length, const char *transfer_syntax,
                              struct err *err);
/* Appends the encoding, elements in order of tag, sequences and items of defined length. */
void dataset_write(const struct dataset *dataset, const char *transfer_syntax, struct buf *out);

/* ---- reading ---- */

size_t dataset_count(const struct dataset *dataset);
/* The element at a place, in order of tag. */
tag_t dataset_tag(const struct dataset *dataset, size_t at);
/* VR_NONE when there is no such element. In implicit VR, and for UN, it is the dictionary's. */
vr_t dataset_vr(const struct dataset *dataset, tag_t tag);
bool dataset_has(const struct dataset *dataset, tag_t tag);
/* The value as UTF-8 text, appended, in the form of scan_text: padding removed, numbers in decimal,
 * several values joined by '\'; decoded by the Specific Character Set of the data set, or of the one
 * that it is an item of. True when the element is there and not empty. */
bool dataset_text(const struct dataset *dataset, tag_t tag, struct buf *out);
/* The raw bytes, or NULL. */
const char *dataset_bytes(const struct dataset *dataset, tag_t tag, size_t *size);
/* Of a sequence: how many items, and each. */
size_t dataset_items(const struct dataset *dataset, tag_t tag);
struct dataset *dataset_item(const struct dataset *dataset, tag_t tag, size_t at);

/* ---- making; an element that is there is replaced ---- */

/* A value in UTF-8, several joined by '\'; for the binary VRs (US SS UL SL UV SV FL FD AT) in decimal. The
 * VR is the dictionary's. Empty or NULL: an element without a value. */
void dataset_put(struct dataset *dataset, tag_t tag, const char *text);
/* With a VR: for private tags, and to keep the one that was asked with. */
void dataset_put_vr(struct dataset *dataset, tag_t tag, vr_t vr, const char *text);
/* An empty sequence when there is none; returns a new item at its end. */
struct dataset *dataset_add_item(struct dataset *dataset, tag_t tag);
void dataset_put_sequence(struct dataset *dataset, tag_t tag);
void dataset_remove(struct dataset *dataset, tag_t tag);

/* Chooses the character set in which all texts are written, those that were put and those that were parsed,
 * in items too (which have no set of their own then): none while all is ASCII, else `wanted` (a value
 * of Specific Character Set as a peer gave it, may be NULL) if it is one that can hold every value, else
 * ISO_IR 192. Sets (0008,0005) accordingly. PS3.4 C.2.2.2, C.4.1.1.3. */
void dataset_choose_charset(struct dataset *dataset, const char *wanted);

#endif

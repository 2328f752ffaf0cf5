/*
 * The header scanner: the values of some tags of a DICOM object, at the speed of the system calls.
 *
 * It reads Part 10 files (PS3.10) and bare data sets without preamble or meta header; implicit and
 * explicit little endian, explicit big endian, deflated; no further than the last wanted tag and never
 * the pixel data; one or two reads for an ordinary file. Lengths and depths in the input are claims:
 * memory stays within the limits below whatever they say, nesting within SCAN_DEPTH_MAX. It judges
 * what it reads and not what it skips: pixel data cut short is no error here.
 *
 * A scanner is made once and used for many objects; its results are borrowed until the next scan.
 */
#ifndef PACS_DICOM_SCAN_H
#define PACS_DICOM_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "dicom/tag.h"
#include "dicom/uid.h"

#define SCAN_VALUE_MAX   65536     /* bytes kept of one value; longer ones are cut and marked */
#define SCAN_DEPTH_MAX   256       /* nested sequences of undefined length */
#define SCAN_INFLATE_MAX (1 << 28) /* bytes that a deflated header may expand to */

struct scan_value {
    tag_t tag;
    vr_t vr; /* as in the object; from the dictionary when implicit or UN */
    bool present;
    bool cut;         /* longer than SCAN_VALUE_MAX */
    uint32_t length;  /* as claimed; 0xffffffff for undefined */
    const char *data; /* raw bytes as encoded, not terminated */
    size_t size;      /* how many of them; none of pixel data and of undefined lengths (then cut) */
};

enum scan_result {
    SCAN_ERROR = -1, /* could not be read, or is broken before the last wanted tag: see err */
    SCAN_OK = 0,
    SCAN_NOT_DICOM = 1 /* nothing in it looks like DICOM; err says why */
};

struct scanner;

/* `tags` in any order; Specific Character Set (0008,0005) is always scanned too. Group 0002 may be
 * among them. Tags are those of the data set itself, not of sequence items. */
struct scanner *scanner_new(const tag_t *tags, size_t count);
void scanner_free(struct scanner *scanner);

/* From an open file, read from its start (pread: the position does not move). `name` is for messages. */
enum scan_result scan_fd(struct scanner *scanner, int fd, const char *name, struct err *err);
/* Opens (O_NOFOLLOW is not set), scans, closes. FIFOs and devices are refused without blocking. */
enum scan_result scan_path(struct scanner *scanner, int dirfd, const char *path, struct err *err);
/* A whole file, or when `transfer_syntax` is given a bare data set in that syntax, in memory. The
 * values may point into `bytes`. */
enum scan_result scan_memory(struct scanner *scanner, const void *bytes, size_t length,
                             const char *transfer_syntax, const char *name, struct err *err);

/* The value, or NULL when the object has none (or it was not wanted). When a tag comes twice the first
 * counts, as with DCMTK's tools. Tags out of order are found when the disorder shows up to the first
 * tag beyond the last wanted one: the scan then goes on to the end. */
const struct scan_value *scan_value(const struct scanner *scanner, tag_t tag);

/* What was learnt on the way. */
struct scan_info {
    bool has_preamble, has_meta;
    bool big_endian, explicit_vr, deflated; /* how the data set really is encoded */
    bool meta_disagrees;                    /* the meta header's syntax says otherwise */
    char transfer_syntax[UID_MAX + 1];      /* from the meta header, else what the bytes say */
    uint64_t dataset_offset;                /* where the data set begins in the file */
    uint64_t file_size;                     /* of scan_fd: 0 unless it was needed */
};
const struct scan_info *scan_info(const struct scanner *scanner);

/* The value as UTF-8 text, appended to `out`: padding removed; binary VRs (US SS UL SL UV SV FL FD AT)
 * written in decimal (AT as gggg,eeee); several values joined by '\'. Text VRs are decoded by the
 * object's Specific Character Set; bytes that cannot be decoded become U+FFFD and never fail. NUL ends
 * nothing: it becomes U+FFFD inside a value. Empty for sequences and bulk VRs (OB OW ...).
 * Returns true when there was a value (even an empty one). */
bool scan_text(const struct scanner *scanner, tag_t tag, struct buf *out);

#endif

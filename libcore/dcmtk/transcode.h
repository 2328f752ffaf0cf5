/*
 * Transcoding: an object of the archive in another transfer syntax, for a peer that does not take the
 * one it is stored in. DCMTK and OpenJPEG behind a C door; kept in an archive of its own
 * (libdcmtranscode.a), because the codecs cost start-up time that only a transcoding is worth.
 *
 * What comes out differs from what went in by the coding of the pixels and the attributes that describe
 * it, by group lengths (retired; left out), and by nothing else. Pixel values survive to the bit, except
 * where JPEG baseline or extended is the target.
 *
 * Frames go through one at a time, whatever their number; a deflated object and compressed frames pass
 * through a temporary file without a name (TMPDIR, else /tmp) once they are larger than a few megabytes.
 */
#ifndef PACS_DCMTK_TRANSCODE_H
#define PACS_DCMTK_TRANSCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* One frame, uncompressed. Larger ones are refused; a frame and its coding take 3 to 6 times its size. */
#define DCM_FRAME_MAX (1u << 28)
/* Fragments of compressed pixel data. */
#define DCM_FRAGMENTS_MAX (1u << 21)

struct dcm_transcode_options {
    const char *transfer_syntax; /* the one wanted */
    /* JPEG baseline and extended are encoded only if this allows the loss. */
    bool lossy;
    int quality; /* of them, 1 to 100; 0: 90 */
    /* The data set alone, as it goes over an association; otherwise a Part 10 file. */
    bool data_set_only;
    /* An object that lost something is a new instance (PS3.3 C.7.6.1.1.5): its UID is the caller's
     * business. If something is lost, this replaces SOP Instance UID and the image is marked derived;
     * NULL: both are left. */
    const char *sop_instance_uid;
};

struct dcm_transcoded {
    char from[65];   /* the transfer syntax that the object had */
    uint32_t frames; /* that were coded anew; 0: the pixels were only copied */
    uint64_t bytes;  /* written */
    double ratio;    /* of the compression; 0 when uncompressed */
    bool lossy;      /* pixel values were changed */
};

/* Reads the Part 10 file `fd` with pread (its position does not move), checks its structure
 * (dicom/verify.h), and writes to `out`, which may be a file, a pipe or a socket. The same transfer
 * syntax is a copy. Returns 0, or -1 with one line that begins with NAME: ERR_INPUT when the object is
 * broken or cannot be had in that transfer syntax, ERR_NOSPACE and the like when writing failed. After a
 * failure what was written is worthless; nothing was yet if the target is compressed. `result` may be
 * NULL. Safe from one thread at a time. */
int dcm_transcode(int fd, const char *name, int out, const struct dcm_transcode_options *options,
                  struct dcm_transcoded *result, struct err *err);

/* Whether objects in one transfer syntax can in general be had in another: for proposing presentation
 * contexts. A given object may still be refused. */
bool dcm_can_transcode(const char *from, const char *to, bool lossy);

#endif

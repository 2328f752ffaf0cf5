/*
 * The bytes below verify.c: a file in blocks, or a deflated stream of it. For verify*.c and for who
 * needs a deflated data set inflated.
 */
#ifndef PACS_DICOM_VERIFY_INTERNAL_H
#define PACS_DICOM_VERIFY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

#include <zlib.h>

#define VERIFY_BLOCK 16384 /* most that can be needed at once */

struct verify_source {
    int fd;
    uint64_t
        size; /* of the file; of the inflated stream once its end was seen, UINT64_MAX before */
    uint64_t position;  /* the cursor; may be put anywhere forward */
    int error;          /* errno of a read that failed */
    const char *broken; /* why the deflated stream cannot be read on */

    unsigned char *block;
    uint64_t base; /* where the block begins */
    size_t have;

    bool inflating;
    z_stream stream;
    unsigned char *input;
    uint64_t input_at, inflate_max;
};

/* `fd` must be a regular file. */
int verify_source_open(struct verify_source *source, int fd, const char *name, struct err *err);
/* From the cursor on the file is deflated (PS3.5 A.5); positions begin anew at 0. */
int verify_source_inflate(struct verify_source *source, uint64_t inflate_max);
void verify_source_close(struct verify_source *source);

/* The `n` (at most VERIFY_BLOCK) bytes at the cursor, which does not move; NULL at the end or with
 * `error` or `broken` set. Borrowed until the next call. */
const unsigned char *verify_source_need(struct verify_source *source, size_t n);

/* How many bytes are in memory at the cursor, at least one; 0 at the end or when broken. */
size_t verify_source_run(struct verify_source *source, const unsigned char **bytes);

#endif

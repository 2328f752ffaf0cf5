/*
 * What the files of the scanner share; for scan*.c alone.
 *
 *     scan.c         scanner_new and the doors; from the first byte to the data set
 *     scan_source.c  the bytes: memory, a file in windows, a deflated stream
 *     scan_look.c    which encoding the bytes speak
 *     scan_walk.c    elements: meta header and data set
 *     scan_text.c    values as text
 */
#ifndef PACS_DICOM_SCAN_INTERNAL_H
#define PACS_DICOM_SCAN_INTERNAL_H

#include <endian.h>
#include <string.h>
#include <zlib.h>

#include "dicom/bytes.h"
#include "dicom/scan.h"

/* An ordinary header fits in 8 to 16 KB, and larger reads cost more than they save. */
#define SOURCE_READ_SIZE 16384

/* A byte order and a way to write elements. */
struct encoding {
    bool explicit_vr, big_endian;
};

/*
 * Bytes of the object as a window that moves forward. `at` may run ahead of `have`: the bytes between
 * are skipped, and read only if they must be (deflated). Memory is a window that never moves.
 */
struct source {
    const unsigned char *window;
    size_t have;        /* bytes in the window */
    uint64_t at;        /* where the walk is, from the window's start */
    uint64_t base;      /* where the window begins in the stream */
    bool ended;         /* nothing comes after the window */
    bool beyond;        /* `at` lies behind the end */
    int error;          /* errno of a read that failed */
    const char *broken; /* why a deflated stream cannot be read on */

    int fd; /* -1: memory */
    unsigned char *buffer;
    size_t capacity;

    bool inflating, inflate_ready, input_ended;
    z_stream stream;
    unsigned char *input; /* what is read of a deflated file at a time */
    uint64_t input_at;    /* where in the file to read next */
};

struct slot {
    struct scan_value value;
    bool little;   /* UN: little endian whatever the object says (PS3.5 6.2.2) */
    bool borrowed; /* value.data points into a window that may move */
    struct buf own;
};

struct scanner {
    struct slot *slots; /* in order of tag */
    size_t count;
    tag_t *tags;     /* of the slots, once more: close together, and UINT32_MAX at their end */
    tag_t last;      /* the greatest of them */
    uint32_t *table; /* slot_find: numbers of slots from 1, in places that follow from the tag */
    unsigned shift;
    struct slot *charset;
    struct slot **filled; /* those that hold a value */
    size_t filled_count;
    bool borrowing; /* one of them may be `borrowed` */
    struct scan_info info;
    struct source source;
    const char *name;
    struct err *err;
};

/* The slot of a tag, NULL when it is not wanted. Three quarters of the table are free. */
static inline struct slot *slot_find(const struct scanner *scanner, tag_t tag)
{
    uint32_t place = tag * UINT32_C(2654435769) >> scanner->shift, number;

    while ((number = scanner->table[place])) {
        if (scanner->tags[number - 1] == tag)
            return &scanner->slots[number - 1];
        place = (place + 1) & (UINT32_MAX >> scanner->shift);
    }
    return NULL;
}

/* ---- scan_source.c ---- */

void source_open_memory(struct source *source, const void *bytes, size_t length);
void source_open_fd(struct source *source, int fd);
void source_free(struct source *source);
/* From `at` on the bytes are deflated. Values in the window are moved away. */
void source_inflate(struct scanner *scanner);
/* Makes `n` bytes at `at` available; false when there are fewer (source_left) or reading failed. */
bool source_fill(struct scanner *scanner, size_t n);

static inline const unsigned char *source_need(struct scanner *scanner, size_t n)
{
    struct source *source = &scanner->source;

    if (source->at + n <= source->have || source_fill(scanner, n))
        return source->window + source->at;
    return NULL;
}

static inline size_t source_left(const struct source *source)
{
    return source->at < source->have ? source->have - (size_t)source->at : 0;
}

static inline uint64_t source_position(const struct source *source)
{
    return source->base + source->at;
}

/* ---- scan_look.c ---- */

/* The encoding of the data set that begins at `bytes`. `expected` unless another fits clearly better;
 * `elements` is how many elements at the start speak for the answer. `bare`: nothing says yet that it
 * is a data set at all. */
struct encoding look_at_dataset(const unsigned char *bytes, size_t length, struct encoding expected,
                                bool bare, int *elements);

/* ---- scan_walk.c ---- */

int walk_meta(struct scanner *scanner);
int walk_dataset(struct scanner *scanner, struct encoding encoding);
/* Sets err for a read that failed or a stream that ended too early; returns -1. */
int walk_broken(struct scanner *scanner, const char *where);

#endif

/*
 * The scanner's bytes, see scan_internal.h. What a scan costs is decided here: one pread for an
 * ordinary file, none for what is skipped.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dicom/scan_internal.h"

#define READ_SIZE       SOURCE_READ_SIZE
#define READ_AFTER_SKIP 4096 /* there are often only a few elements between large values */

void source_open_memory(struct source *source, const void *bytes, size_t length)
{
    source->window = length ? bytes : (const unsigned char *)"";
    source->have = length;
    source->at = source->base = 0;
    source->ended = true;
    source->beyond = source->inflating = false;
    source->error = 0;
    source->broken = NULL;
    source->fd = -1;
}

void source_open_fd(struct source *source, int fd)
{
    source_open_memory(source, source->buffer, 0);
    source->ended = false;
    source->fd = fd;
}

void source_free(struct source *source)
{
    if (source->inflate_ready)
        inflateEnd(&source->stream);
    free(source->input);
    free(source->buffer);
}

/* Values that point into the buffer get memory of their own. */
static void save_values(struct scanner *scanner)
{
    if (!scanner->borrowing)
        return;
    scanner->borrowing = false;
    for (size_t i = 0; i < scanner->filled_count; i++) {
        struct slot *slot = scanner->filled[i];

        if (!slot->borrowed)
            continue;
        slot->own.length = 0;
        buf_add(&slot->own, slot->value.data, slot->value.size);
        slot->value.data = buf_text(&slot->own);
        slot->borrowed = false;
    }
}

/* The window begins at `at` afterwards, or where its bytes end when `at` is further. Room for `n`. */
static void move_window(struct scanner *scanner, size_t n)
{
    struct source *source = &scanner->source;
    size_t gone = source->at < source->have ? (size_t)source->at : source->have;
    size_t kept = source->have - gone;

    save_values(scanner);
    if (n < READ_SIZE)
        n = READ_SIZE;
    if (kept)
        memmove(source->buffer, source->window + gone, kept);
    if (source->capacity < n) {
        source->buffer = xrealloc(source->buffer, n);
        source->capacity = n;
    }
    source->window = source->buffer;
    source->base += gone;
    source->at -= gone;
    source->have = kept;
}

/* Whether `at` is behind the file's end; asked only when nothing could be read there. */
static bool behind_end(struct scanner *scanner)
{
    struct source *source = &scanner->source;
    struct stat info;

    if (fstat(source->fd, &info) < 0 || !S_ISREG(info.st_mode))
        return false;
    scanner->info.file_size = (uint64_t)info.st_size;
    return source_position(source) > (uint64_t)info.st_size;
}

static bool fill_from_file(struct scanner *scanner, size_t n)
{
    struct source *source = &scanner->source;
    bool skipped = source->at > source->have;
    size_t want = skipped ? READ_AFTER_SKIP : READ_SIZE;

    move_window(scanner, n);
    if (want < n)
        want = n;
    source->base += source->at; /* what was skipped and not read */
    source->at = 0;
    while (source->have < n) {
        ssize_t count = pread(source->fd, source->buffer + source->have, want - source->have,
                              (off_t)(source->base + source->have));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            source->error = errno;
        if (count <= 0) {
            source->ended = true;
            source->beyond = count == 0 && source->have == 0 && skipped && behind_end(scanner);
            return false;
        }
        source->have += (size_t)count;
    }
    return true;
}

/* ---- deflated ---- */

static void read_input(struct source *source)
{
    ssize_t count;

    if (source->fd < 0) {
        source->input_ended = true;
        return;
    }
    do
        count = pread(source->fd, source->input, READ_SIZE, (off_t)source->input_at);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        source->error = errno;
    if (count <= 0) {
        source->input_ended = true;
        return;
    }
    source->input_at += (uint64_t)count;
    source->stream.next_in = source->input;
    source->stream.avail_in = (unsigned)count;
}

/* Puts inflated bytes behind those in the buffer. */
static void inflate_some(struct source *source, size_t limit)
{
    z_stream *stream = &source->stream;
    size_t room = limit - source->have;
    int status;

    if (stream->avail_in == 0 && !source->input_ended)
        read_input(source);
    stream->next_out = source->buffer + source->have;
    stream->avail_out = (unsigned)room;
    status = inflate(stream, Z_NO_FLUSH);
    source->have += room - stream->avail_out;
    if (source->base + source->have > SCAN_INFLATE_MAX)
        source->broken = "its deflated data set expands beyond all measure";
    else if (status == Z_STREAM_END)
        source->ended = true;
    else if (status != Z_OK && status != Z_BUF_ERROR)
        source->broken = "its deflated data set is damaged";
    else if (stream->avail_in == 0 && source->input_ended && stream->avail_out > 0)
        source->broken = "its deflated data set is cut short";
    if (source->broken || source->error)
        source->ended = true;
}

static bool fill_from_inflate(struct scanner *scanner, size_t n)
{
    struct source *source = &scanner->source;

    move_window(scanner, n);
    while (source->at + n > source->have && !source->ended) {
        if (source->at >= source->have) { /* still skipping: these bytes are of no use */
            source->base += source->have;
            source->at -= source->have;
            source->have = 0;
        } else if (source->have == source->capacity) {
            move_window(scanner, n);
        }
        inflate_some(source, source->capacity);
    }
    source->beyond = source->at > source->have;
    return source->at + n <= source->have;
}

void source_inflate(struct scanner *scanner)
{
    struct source *source = &scanner->source;
    z_stream *stream = &source->stream;
    size_t left = source_left(source);
    const unsigned char *next = source->window + source->at;
    /* Raw deflate, as PS3.5 A.5 says; some writers put zlib's header before it. A raw stream cannot
     * begin like that: it would be a stored block with padding that is not zero. */
    bool zlib = left >= 2 && (next[0] & 0x0f) == 8 && get16(next, true) % 31 == 0;
    int bits = zlib ? MAX_WBITS : -MAX_WBITS;

    save_values(scanner);
    if (source->inflate_ready)
        inflateReset2(stream, bits);
    else if (inflateInit2(stream, bits) == Z_OK)
        source->inflate_ready = true;
    else
        source->broken = "no memory to inflate";
    source->input_ended = false;
    source->input_at = source->base + source->have;
    if (source->fd >= 0) {
        if (!source->input)
            source->input = xmalloc(READ_SIZE);
        memcpy(source->input, next, left < READ_SIZE ? left : READ_SIZE);
        if (left > READ_SIZE) { /* the window was larger: read the rest again */
            source->input_at -= left - READ_SIZE;
            left = READ_SIZE;
        }
        next = source->input;
    }
    stream->next_in = (unsigned char *)next;                        /* zlib only reads */
    stream->avail_in = left < UINT_MAX ? (unsigned)left : UINT_MAX; /* of memory; 4 GB will do */
    source->inflating = true;
    source->ended = source->broken != NULL;
    source->have = 0;
    source->at = source->base = 0;
    source->window = source->buffer;
}

bool source_fill(struct scanner *scanner, size_t n)
{
    struct source *source = &scanner->source;

    if (source->ended) {
        source->beyond = source->at > source->have;
        return false;
    }
    return source->inflating ? fill_from_inflate(scanner, n) : fill_from_file(scanner, n);
}

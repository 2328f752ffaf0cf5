/*
 * See verify_internal.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dicom/verify_internal.h"

/* Headers lie together or behind a value: reading more than this at a jump is wasted. */
#define AFTER_JUMP 4096

int verify_source_open(struct verify_source *source, int fd, const char *name, struct err *err)
{
    struct stat info;

    *source = (struct verify_source){.fd = fd};
    if (fstat(fd, &info) < 0)
        return err_sys(err, "%s", name);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_INPUT, "%s: not a regular file", name);
    source->size = (uint64_t)info.st_size;
    source->block = xmalloc(VERIFY_BLOCK);
    return 0;
}

int verify_source_inflate(struct verify_source *source, uint64_t inflate_max)
{
    source->input = xmalloc(VERIFY_BLOCK);
    source->input_at = source->position;
    source->inflate_max = inflate_max;
    if (inflateInit2(&source->stream, -MAX_WBITS) != Z_OK)
        return -1;
    source->inflating = true;
    source->size = UINT64_MAX;
    source->position = source->base = 0;
    source->have = 0;
    return 0;
}

void verify_source_close(struct verify_source *source)
{
    if (source->inflating)
        inflateEnd(&source->stream);
    free(source->block);
    free(source->input);
}

static ssize_t read_at(struct verify_source *source, void *bytes, size_t length, uint64_t at)
{
    ssize_t count;

    do
        count = pread(source->fd, bytes, length, (off_t)at);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        source->error = errno;
    return count;
}

/* Puts what the block still holds from the cursor on to its front. */
static void move_block(struct verify_source *source)
{
    uint64_t gone = source->position - source->base;

    if (gone >= source->have) {
        source->have = 0;
        return;
    }
    memmove(source->block, source->block + gone, source->have - gone);
    source->have -= gone;
    source->base = source->position;
}

static void fill_from_file(struct verify_source *source, size_t n)
{
    size_t want = VERIFY_BLOCK;

    move_block(source);
    if (source->have == 0) {
        if (source->base + VERIFY_BLOCK < source->position)
            want = n > AFTER_JUMP ? n : AFTER_JUMP;
        source->base = source->position;
    }
    while (source->have < n) {
        ssize_t count = read_at(source, source->block + source->have, want - source->have,
                                source->base + source->have);

        if (count <= 0)
            return;
        source->have += (size_t)count;
    }
}

/* Inflates what fits behind the bytes in the block. */
static void inflate_some(struct verify_source *source)
{
    z_stream *stream = &source->stream;
    size_t room = VERIFY_BLOCK - source->have;
    int status;

    if (stream->avail_in == 0) {
        ssize_t count = read_at(source, source->input, VERIFY_BLOCK, source->input_at);

        if (count < 0)
            return;
        source->input_at += (uint64_t)count;
        stream->next_in = source->input;
        stream->avail_in = (unsigned)count;
        if (count == 0) {
            source->broken = "its deflated data set is cut short";
            return;
        }
    }
    stream->next_out = source->block + source->have;
    stream->avail_out = (unsigned)room;
    status = inflate(stream, Z_NO_FLUSH);
    source->have += room - stream->avail_out;
    if (source->base + source->have > source->inflate_max)
        source->broken = "its deflated data set expands beyond all measure";
    else if (status == Z_STREAM_END)
        source->size = source->base + source->have;
    else if (status != Z_OK && status != Z_BUF_ERROR)
        source->broken = "its deflated data set is damaged";
}

static void fill_from_inflate(struct verify_source *source, size_t n)
{
    while (source->size == UINT64_MAX && !source->broken && !source->error &&
           source->position + n > source->base + source->have) {
        uint64_t end = source->base + source->have;

        if (source->position >= end) {
            source->base = end;
            source->have = 0;
        } else {
            move_block(source);
        }
        inflate_some(source);
    }
}

static size_t in_block(const struct verify_source *source)
{
    if (source->position < source->base || source->position >= source->base + source->have)
        return 0;
    return source->have - (size_t)(source->position - source->base);
}

const unsigned char *verify_source_need(struct verify_source *source, size_t n)
{
    if (in_block(source) < n) {
        if (source->inflating)
            fill_from_inflate(source, n);
        else
            fill_from_file(source, n);
        if (in_block(source) < n)
            return NULL;
    }
    return source->block + (source->position - source->base);
}

size_t verify_source_run(struct verify_source *source, const unsigned char **bytes)
{
    *bytes = verify_source_need(source, 1);
    return *bytes ? in_block(source) : 0;
}

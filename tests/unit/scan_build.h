/*
 * For the tests of the scanner: objects put together byte by byte, and reads that are counted, cut
 * short or made to fail.
 */
#ifndef PACS_TESTS_SCAN_BUILD_H
#define PACS_TESTS_SCAN_BUILD_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "dicom/scan.h"

#define UNDEFINED UINT32_MAX
#define ITEM      TAG(0xfffe, 0xe000)
#define ITEM_END  TAG(0xfffe, 0xe00d)
#define SQ_END    TAG(0xfffe, 0xe0dd)

enum form { IMPLICIT, EXPLICIT, BIG };

/* ---- reads ---- */

static unsigned read_calls;    /* since the last scan began */
static unsigned long long red; /* bytes that they gave */
static size_t read_limit;      /* no more at once; 0: as asked */
static unsigned read_fail_at;  /* the n-th fails with EIO; 0: none */
static bool read_interrupts;   /* every second one ends with EINTR */

/* In place of the C library's: the scanner is linked with this one. */
ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    ssize_t got;

    read_calls++;
    if (read_calls == read_fail_at) {
        errno = EIO;
        return -1;
    }
    if (read_interrupts && read_calls % 2) {
        errno = EINTR;
        return -1;
    }
    if (read_limit && count > read_limit)
        count = read_limit;
    got = syscall(SYS_pread64, fd, bytes, count, offset);
    if (got > 0)
        red += (unsigned long long)got;
    return got;
}

/* ---- bytes ---- */

static inline void number(struct buf *out, uint64_t value, int width, bool big)
{
    for (int i = 0; i < width; i++)
        buf_addc(out, (char)(value >> 8 * (big ? width - 1 - i : i)));
}

static inline bool long_vr(vr_t vr)
{
    return vr == VR_OB || vr == VR_OW || vr == VR_SQ || vr == VR_UN || vr == VR_UT || vr == VR_UC ||
           vr == VR_UR || vr == VR_OF || vr == VR_OD || vr == VR_OL || vr == VR_OV || vr == VR_SV ||
           vr == VR_UV;
}

/* The header of an element with any length. */
static inline void head(struct buf *out, enum form form, tag_t tag, vr_t vr, uint32_t length)
{
    bool big = form == BIG;

    number(out, TAG_GROUP(tag), 2, big);
    number(out, TAG_ELEMENT(tag), 2, big);
    if (form == IMPLICIT || TAG_GROUP(tag) == 0xfffe) {
        number(out, length, 4, big);
        return;
    }
    number(out, vr, 2, true);
    if (long_vr(vr)) {
        number(out, 0, 2, true);
        number(out, length, 4, big);
    } else {
        number(out, length, 2, big);
    }
}

static inline void bytes(struct buf *out, enum form form, tag_t tag, vr_t vr, const void *value,
                         size_t length)
{
    head(out, form, tag, vr, (uint32_t)length);
    buf_add(out, value, length);
}

/* As it stands: padding is the caller's. */
static inline void text(struct buf *out, enum form form, tag_t tag, vr_t vr, const char *value)
{
    bytes(out, form, tag, vr, value, strlen(value));
}

static inline void us(struct buf *out, enum form form, tag_t tag, unsigned value)
{
    head(out, form, tag, VR_US, 2);
    number(out, value, 2, form == BIG);
}

/* `size` bytes of something. */
static inline void fill(struct buf *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buf_addc(out, (char)(i * 7 + i / 251));
}

/* ---- objects ---- */

/* What a small image begins with, then `middle` (may be NULL), then patient, study and rows. */
static inline void dataset(struct buf *out, enum form form, const struct buf *middle)
{
    text(out, form, TAG(0x0008, 0x0005), VR_CS, "ISO_IR 100");
    bytes(out, form, TAG(0x0008, 0x0016), VR_UI, "1.2.840.10008.5.1.4.1.1.2", 26);
    text(out, form, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(out, form, TAG(0x0008, 0x0060), VR_CS, "CT");
    if (middle)
        buf_add(out, middle->data, middle->length);
    text(out, form, TAG(0x0010, 0x0010), VR_PN, "Doe^John");
    text(out, form, TAG(0x0010, 0x0020), VR_LO, "PAT1");
    text(out, form, TAG(0x0020, 0x000d), VR_UI, "1.2.3.4.");
    us(out, form, TAG(0x0028, 0x0010), 512);
}

static inline void meta(struct buf *out, const char *syntax)
{
    struct buf rest = {0};

    bytes(&rest, EXPLICIT, TAG(0x0002, 0x0001), VR_OB, "\0\1", 2);
    bytes(&rest, EXPLICIT, TAG(0x0002, 0x0002), VR_UI, "1.2.840.10008.5.1.4.1.1.2", 26);
    if (syntax)
        bytes(&rest, EXPLICIT, TAG(0x0002, 0x0010), VR_UI, syntax, (strlen(syntax) + 1) & ~1UL);
    head(out, EXPLICIT, TAG(0x0002, 0x0000), VR_UL, 4);
    number(out, rest.length, 4, false);
    buf_add(out, rest.data, rest.length);
    buf_free(&rest);
}

static inline void preamble(struct buf *out)
{
    static const char zeros[128];

    buf_add(out, zeros, sizeof zeros);
    buf_adds(out, "DICM");
}

static inline void deflated(struct buf *out, const struct buf *plain, int bits)
{
    z_stream stream = {0};

    if (deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    stream.next_in = (Bytef *)plain->data;
    stream.avail_in = (uInt)plain->length;
    stream.avail_out = (uInt)deflateBound(&stream, plain->length);
    stream.next_out = (Bytef *)buf_reserve(out, stream.avail_out);
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        abort();
    out->length += stream.total_out;
    deflateEnd(&stream);
}

/* ---- scanning ---- */

static const tag_t wanted[] = {
    TAG(0x0002, 0x0010), TAG(0x0008, 0x0016), TAG(0x0008, 0x0018), TAG(0x0008, 0x0060),
    TAG(0x0010, 0x0010), TAG(0x0010, 0x0020), TAG(0x0020, 0x000d), TAG(0x0028, 0x0010),
};
#define WANTED (sizeof wanted / sizeof wanted[0])

static struct err scan_err;

static inline enum scan_result scan_bytes(struct scanner *scanner, const struct buf *file)
{
    memset(&scan_err, 0, sizeof scan_err);
    /* Of exactly the right size, so that a sanitizer sees the first byte read too far; it stays
     * until the next scan, for the values. */
    static char *last;

    free(last);
    last = malloc(file->length ? file->length : 1);
    if (file->length)
        memcpy(last, file->data, file->length);
    return scan_memory(scanner, last, file->length, NULL, "object", &scan_err);
}

static inline enum scan_result scan_as_file(struct scanner *scanner, const struct buf *file)
{
    char path[] = "/tmp/pacs-scan-XXXXXX";
    int fd = mkstemp(path);
    enum scan_result result;

    memset(&scan_err, 0, sizeof scan_err);
    if (fd < 0 || unlink(path) < 0 || write_all(fd, file->data, file->length) < 0)
        abort();
    read_calls = 0;
    red = 0;
    result = scan_fd(scanner, fd, "object", &scan_err);
    close(fd);
    return result;
}

/* The value as text, or "-" when there is none. Good until the next but one call. */
static inline const char *value(const struct scanner *scanner, tag_t tag)
{
    static struct buf kept[2];
    static int turn;
    struct buf *out = &kept[turn ^= 1];

    buf_clear(out);
    return scan_text(scanner, tag, out) ? buf_text(out) : "-";
}

#endif

/*
 * See scan.h. Here: the doors, and the way from the first byte to the data set.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dicom/scan_internal.h"

#define PREAMBLE      128
#define LOOK_SIZE     64 /* bytes to judge an encoding by, at least */
#define TAG_CHARSET   TAG(0x0008, 0x0005)
#define BARE_ELEMENTS 2 /* that many must make sense at the start of a bare data set */

static int by_tag(const void *a, const void *b)
{
    tag_t left = *(const tag_t *)a, right = *(const tag_t *)b;

    return (left > right) - (left < right);
}

/* See slot_find. */
static void make_table(struct scanner *scanner)
{
    unsigned bits = 2;

    while ((size_t)1 << bits < 4 * scanner->count)
        bits++;
    scanner->shift = 32 - bits;
    scanner->table = xcalloc((size_t)1 << bits, sizeof *scanner->table);
    scanner->tags = xreallocarray(NULL, scanner->count + 1, sizeof *scanner->tags);
    scanner->tags[scanner->count] = UINT32_MAX;
    for (size_t i = 0; i < scanner->count; i++) {
        tag_t tag = scanner->tags[i] = scanner->slots[i].value.tag;
        uint32_t place = tag * UINT32_C(2654435769) >> scanner->shift;

        while (scanner->table[place])
            place = (place + 1) & (UINT32_MAX >> scanner->shift);
        scanner->table[place] = (uint32_t)i + 1;
    }
}

struct scanner *scanner_new(const tag_t *tags, size_t count)
{
    struct scanner *scanner = xcalloc(1, sizeof *scanner);
    tag_t *sorted = xreallocarray(NULL, count + 1, sizeof *sorted);

    if (count)
        memcpy(sorted, tags, count * sizeof *sorted);
    sorted[count] = TAG_CHARSET;
    qsort(sorted, count + 1, sizeof *sorted, by_tag);
    scanner->slots = xcalloc(count + 1, sizeof *scanner->slots);
    for (size_t i = 0; i <= count; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            scanner->slots[scanner->count++].value.tag = sorted[i];
    scanner->last = sorted[count];
    free(sorted);
    make_table(scanner);
    scanner->charset = slot_find(scanner, TAG_CHARSET);
    scanner->filled = xreallocarray(NULL, scanner->count, sizeof(struct slot *));
    return scanner;
}

void scanner_free(struct scanner *scanner)
{
    if (!scanner)
        return;
    for (size_t i = 0; i < scanner->count; i++)
        buf_free(&scanner->slots[i].own);
    source_free(&scanner->source);
    free(scanner->slots);
    free(scanner->tags);
    free(scanner->table);
    free(scanner->filled);
    free(scanner);
}

const struct scan_info *scan_info(const struct scanner *scanner)
{
    return &scanner->info;
}

const struct scan_value *scan_value(const struct scanner *scanner, tag_t tag)
{
    const struct slot *slot = slot_find(scanner, tag);

    return slot && slot->value.present ? &slot->value : NULL;
}

static enum scan_result not_dicom(const struct scanner *scanner, const char *why)
{
    err_set(scanner->err, ERR_INPUT, "%s: not DICOM: %s", scanner->name, why);
    return SCAN_NOT_DICOM;
}

/* ---- the data set ---- */

static const char *syntax_of(struct encoding encoding)
{
    return !encoding.explicit_vr ? UID_IMPLICIT_LE
           : encoding.big_endian ? UID_EXPLICIT_BE
                                 : UID_EXPLICIT_LE;
}

/* One that is too long is no UID. */
static void set_syntax(struct scan_info *info, const char *uid)
{
    size_t length = strlen(uid);

    if (length <= UID_MAX)
        memcpy(info->transfer_syntax, uid, length + 1);
}

/* What is there to judge by, without reading once more for it. */
static const unsigned char *look(struct scanner *scanner, size_t *length)
{
    struct source *source = &scanner->source;

    if (source_left(source) < LOOK_SIZE)
        source_need(scanner, LOOK_SIZE);
    *length = source_left(source);
    return source->window + source->at;
}

/* Plain bytes are told from deflated ones with certainty: a known tag, a VR and a length. */
static bool is_plain(struct scanner *scanner, struct encoding *encoding)
{
    size_t length;
    const unsigned char *p = look(scanner, &length);
    int elements;

    *encoding = look_at_dataset(p, length, *encoding, true, &elements);
    return elements >= BARE_ELEMENTS;
}

/* The data set begins at `at`; `uid` is what is said of its transfer syntax, or "". */
static enum scan_result scan_dataset(struct scanner *scanner, const char *uid)
{
    struct scan_info *info = &scanner->info;
    bool known, deflated = false, said = *uid != '\0';
    bool bare = !said && !info->has_meta && !info->has_preamble;
    struct transfer_syntax syntax = transfer_syntax_of(said ? uid : UID_EXPLICIT_LE, &known);
    struct encoding expected = {syntax.explicit_vr, syntax.big_endian}, encoding = expected;
    const unsigned char *p;
    size_t length;
    int elements;

    info->dataset_offset = source_position(&scanner->source);
    if (syntax.deflated && !is_plain(scanner, &encoding)) {
        deflated = true;
        encoding = expected;
        source_inflate(scanner);
    }
    p = look(scanner, &length);
    if (length < 8) {
        if (scanner->source.error || scanner->source.broken)
            return walk_broken(scanner, ""), SCAN_ERROR;
        if (bare)
            return not_dicom(scanner, "too short");
        err_set(scanner->err, ERR_INPUT, "%s: no data set in it", scanner->name);
        return SCAN_ERROR;
    }
    encoding = look_at_dataset(p, length, encoding, bare, &elements);
    if (bare && elements < BARE_ELEMENTS)
        return not_dicom(scanner, "neither a header nor a data set");
    info->explicit_vr = encoding.explicit_vr;
    info->big_endian = encoding.big_endian;
    info->deflated = deflated;
    info->meta_disagrees =
        said && (encoding.explicit_vr != expected.explicit_vr ||
                 encoding.big_endian != expected.big_endian || deflated != syntax.deflated);
    if (!said)
        set_syntax(info, syntax_of(encoding));
    return walk_dataset(scanner, encoding) < 0 ? SCAN_ERROR : SCAN_OK;
}

/* ---- the file ---- */

/* A meta header follows: its first element, in whatever encoding. */
static bool meta_at(struct scanner *scanner)
{
    const unsigned char *p = source_need(scanner, 8);

    return p && (get_tag(p, false) >> 16 == 2 || get_tag(p, true) >> 16 == 2) &&
           (get16(p + 2, false) <= 0x0102 || get16(p + 2, true) <= 0x0102);
}

static enum scan_result scan_file(struct scanner *scanner)
{
    struct source *source = &scanner->source;
    struct scan_info *info = &scanner->info;
    const unsigned char *p = source_need(scanner, PREAMBLE + 4);

    if (p && memcmp(p + PREAMBLE, "DICM", 4) == 0) {
        info->has_preamble = true;
        source->at += PREAMBLE + 4;
    } else if (source->error) {
        walk_broken(scanner, "");
        return SCAN_ERROR;
    } else if (source_left(source) == 0) {
        return not_dicom(scanner, "an empty file");
    } else if ((p = source_need(scanner, 4)) && memcmp(p, "DICM", 4) == 0) {
        source->at += 4; /* without its preamble */
    }
    if (meta_at(scanner)) {
        info->has_meta = true;
        if (walk_meta(scanner) < 0)
            return SCAN_ERROR;
    }
    return scan_dataset(scanner, info->transfer_syntax);
}

static void start(struct scanner *scanner, const char *name, struct err *err)
{
    scanner->name = name;
    scanner->err = err;
    scanner->info = (struct scan_info){0};
    for (size_t i = 0; i < scanner->filled_count; i++) {
        scanner->filled[i]->value.present = false;
        scanner->filled[i]->borrowed = false;
    }
    scanner->filled_count = 0;
    scanner->borrowing = false;
}

enum scan_result scan_memory(struct scanner *scanner, const void *bytes, size_t length,
                             const char *transfer_syntax, const char *name, struct err *err)
{
    start(scanner, name, err);
    source_open_memory(&scanner->source, bytes, length);
    if (!transfer_syntax)
        return scan_file(scanner);
    set_syntax(&scanner->info, transfer_syntax);
    return scan_dataset(scanner, scanner->info.transfer_syntax);
}

enum scan_result scan_fd(struct scanner *scanner, int fd, const char *name, struct err *err)
{
    start(scanner, name, err);
    source_open_fd(&scanner->source, fd);
    return scan_file(scanner);
}

/* What can be opened without blocking and is no file. Most of it cannot be read at an offset, which the
 * first read tells; a device that can is asked for only when a whole window came or no object, because
 * fstat would cost a small file a quarter more. */
static bool is_file(const char *path, int fd, struct err *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0) {
        err_sys(err, "%s", path);
        return false;
    }
    if (S_ISREG(info.st_mode))
        return true;
    err_set(err, ERR_INPUT, "%s: %s", path,
            S_ISDIR(info.st_mode) ? "a folder, not a file" : "not a regular file");
    return false;
}

enum scan_result scan_path(struct scanner *scanner, int dirfd, const char *path, struct err *err)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum scan_result result;

    start(scanner, path, err);
    if (fd < 0) {
        if (errno == ENXIO) /* a socket, or a device without a driver */
            err_set(err, ERR_INPUT, "%s: not a regular file", path);
        else
            err_sys(err, "%s", path);
        return SCAN_ERROR;
    }
    source_open_fd(&scanner->source, fd);
    source_need(scanner, 1);
    if (scanner->source.have >= SOURCE_READ_SIZE && !is_file(path, fd, err))
        result = SCAN_ERROR;
    else
        result = scan_file(scanner);
    if (result != SCAN_OK && !is_file(path, fd, err))
        result = SCAN_ERROR;
    close(fd);
    return result;
}

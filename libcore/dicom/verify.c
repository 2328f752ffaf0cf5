/*
 * See verify.h. A stack of open sequences and items, and a cursor; the bytes come from verify_source.c.
 */
#include <stdlib.h>
#include <string.h>

#include "dicom/dict.h"
#include "dicom/verify.h"
#include "dicom/verify_internal.h"

#define PIXEL_DATA     TAG(0x7fe0, 0x0010)
#define ITEM           TAG(0xfffe, 0xe000)
#define ITEM_DELIMITER TAG(0xfffe, 0xe00d)
#define SEQ_DELIMITER  TAG(0xfffe, 0xe0dd)
#define META_ELEMENTS  256
#define NO_END         UINT64_MAX

enum kind { DATA_SET, SEQUENCE, SEQUENCE_ITEM, FRAGMENTS };

/* One open container. `end` is its own, NO_END when a delimiter ends it; `limit` is where the innermost
 * container of defined length ends, itself included. */
struct level {
    enum kind kind;
    bool explicit_vr, big_endian;
    uint64_t end, limit;
    tag_t tag; /* of the sequence */
};

struct walk {
    struct verify_source source;
    struct verify_layout *layout;
    const char *name;
    struct err *err;
    size_t count;   /* of levels */
    unsigned depth; /* of sequences */
    struct level levels[2 * VERIFY_DEPTH_MAX + 2];
};

struct element {
    tag_t tag;
    vr_t vr; /* by the dictionary in implicit VR */
    bool explicit_vr;
    uint32_t length;
    unsigned header; /* bytes of it */
    uint64_t at;     /* of the tag */
};

static uint16_t get16(const unsigned char *p, bool big)
{
    return big ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[1] << 8 | p[0]);
}

static uint32_t get32(const unsigned char *p, bool big)
{
    return big ? (uint32_t)get16(p, true) << 16 | get16(p + 2, true)
               : (uint32_t)get16(p + 2, false) << 16 | get16(p, false);
}

static tag_t get_tag(const unsigned char *p, bool big)
{
    return TAG(get16(p, big), get16(p + 2, big));
}

static int refuse(struct walk *walk, tag_t tag, uint64_t at, const char *why)
{
    return err_set(walk->err, ERR_INPUT, "%s: (%04x,%04x) at byte %llu%s: %s", walk->name,
                   TAG_GROUP(tag), TAG_ELEMENT(tag), (unsigned long long)at,
                   walk->layout->syntax.deflated && walk->count ? " inflated" : "", why);
}

/* The `n` bytes at the cursor; NULL and err when they are not there. */
static const unsigned char *bytes_at(struct walk *walk, size_t n)
{
    struct verify_source *source = &walk->source;
    const unsigned char *p = verify_source_need(source, n);

    if (p)
        return p;
    if (source->error)
        err_set(walk->err, ERR_FAILED, "%s: %s", walk->name, strerror(source->error));
    else if (source->broken)
        err_set(walk->err, ERR_INPUT, "%s: %s", walk->name, source->broken);
    else
        err_set(walk->err, ERR_INPUT, "%s: ends at byte %llu, inside an element's header",
                walk->name, (unsigned long long)source->position);
    return NULL;
}

/* PS3.5 7.1.2. A VR of two other capital letters is one to come, with a length of 32 bits. */
static bool length_is_16_bits(vr_t vr)
{
    static const vr_t list[] = {VR_AE, VR_AS, VR_AT, VR_CS, VR_DA, VR_DS, VR_DT,
                                VR_FD, VR_FL, VR_IS, VR_LO, VR_LT, VR_PN, VR_SH,
                                VR_SL, VR_SS, VR_ST, VR_TM, VR_UI, VR_UL, VR_US};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        if (list[i] == vr)
            return true;
    }
    return false;
}

static bool is_letter(unsigned c)
{
    return c >= 'A' && c <= 'Z';
}

/* The header at the cursor, and steps behind it. `limit`: where the container ends. */
static int read_header(struct walk *walk, bool explicit_vr, bool big, uint64_t limit,
                       struct element *element)
{
    struct verify_source *source = &walk->source;
    const unsigned char *p;

    element->at = source->position;
    if (limit == source->position)
        return err_set(walk->err, ERR_INPUT, "%s: ends at byte %llu, a delimiter missing",
                       walk->name, (unsigned long long)limit);
    if (limit - source->position < 8)
        return err_set(walk->err, ERR_INPUT, "%s: %llu bytes at byte %llu are no element",
                       walk->name, (unsigned long long)(limit - source->position),
                       (unsigned long long)source->position);
    p = bytes_at(walk, 8);
    if (!p)
        return -1;
    element->tag = get_tag(p, big);
    element->explicit_vr = explicit_vr && TAG_GROUP(element->tag) != 0xfffe;
    element->header = 8;
    if (!element->explicit_vr) {
        element->vr = dict_vr(element->tag);
        element->length = get32(p + 4, big);
    } else {
        element->vr = VR(p[4], p[5]);
        if (!is_letter(p[4]) || !is_letter(p[5]))
            return refuse(walk, element->tag, element->at, "its VR is none");
        element->length = get16(p + 6, big);
        if (!length_is_16_bits(element->vr)) {
            element->header = 12;
            if (limit - source->position < 12)
                return refuse(walk, element->tag, element->at, "its header does not fit");
            p = bytes_at(walk, 12);
            if (!p)
                return -1;
            element->length = get32(p + 8, big);
        }
    }
    source->position += element->header;
    return 0;
}

/* Steps over a value. */
static int skip(struct walk *walk, const struct element *element, uint64_t limit)
{
    struct verify_source *source = &walk->source;

    if (element->length > limit - source->position)
        return refuse(walk, element->tag, element->at, "it is longer than what it is in");
    source->position += element->length;
    return 0;
}

static int count_element(struct walk *walk, const struct element *element)
{
    if (++walk->layout->elements > VERIFY_ELEMENTS_MAX)
        return refuse(walk, element->tag, element->at, "too many elements");
    return 0;
}

/* ---- meta header ---- */

static int keep_syntax(struct walk *walk, const struct element *element)
{
    struct verify_layout *layout = walk->layout;
    const unsigned char *p;
    size_t length = element->length;
    bool known;

    if (layout->transfer_syntax[0])
        return refuse(walk, element->tag, element->at, "a second transfer syntax");
    if (length == 0 || length > UID_MAX + 1)
        return refuse(walk, element->tag, element->at, "the transfer syntax is no UID");
    p = bytes_at(walk, length);
    if (!p)
        return -1;
    while (length > 0 && (p[length - 1] == 0 || p[length - 1] == ' '))
        length--;
    if (!uid_valid((const char *)p, length))
        return refuse(walk, element->tag, element->at, "the transfer syntax is no UID");
    memcpy(layout->transfer_syntax, p, length);
    layout->syntax = transfer_syntax_of(layout->transfer_syntax, &known);
    layout->syntax.uid = layout->transfer_syntax;
    if (!known)
        return err_set(walk->err, ERR_INPUT, "%s: transfer syntax %s is not known", walk->name,
                       layout->transfer_syntax);
    return 0;
}

/* Group 0002, always explicit VR little endian, to the first element of another group. */
static int walk_meta(struct walk *walk)
{
    struct verify_source *source = &walk->source;
    uint64_t size = source->size, claimed = 0;
    struct element element = {0};
    const unsigned char *p;

    source->position = 128;
    if (size < 132 || !(p = bytes_at(walk, 4)) || memcmp(p, "DICM", 4) != 0)
        return err_set(walk->err, ERR_INPUT, "%s: not a DICOM file (no DICM at byte 128)",
                       walk->name);
    source->position = 132;
    for (unsigned n = 0;; n++) {
        if (size - source->position < 8)
            break;
        p = bytes_at(walk, 8);
        if (!p)
            return -1;
        if (get16(p, false) != 0x0002)
            break;
        if (read_header(walk, true, false, size, &element) < 0)
            return -1;
        if (n >= META_ELEMENTS)
            return refuse(walk, element.tag, element.at, "too many elements");
        if (element.vr == VR_SQ || element.length == VERIFY_UNDEFINED)
            return refuse(walk, element.tag, element.at, "a sequence in the meta header");
        if (element.tag == TAG(2, 0)) {
            if (n > 0 || element.vr != VR_UL || element.length != 4)
                return refuse(walk, element.tag, element.at, "no group length");
            p = bytes_at(walk, 4);
            if (!p)
                return -1;
            claimed = source->position + 4 + get32(p, false);
        }
        if (element.tag == TAG(2, 0x10) && keep_syntax(walk, &element) < 0)
            return -1;
        if (skip(walk, &element, size) < 0)
            return -1;
    }
    if (claimed && claimed != source->position)
        return err_set(walk->err, ERR_INPUT, "%s: the meta header's length is wrong", walk->name);
    if (!walk->layout->transfer_syntax[0])
        return err_set(walk->err, ERR_INPUT, "%s: the meta header names no transfer syntax",
                       walk->name);
    if (size - source->position == 0)
        return err_set(walk->err, ERR_INPUT, "%s: there is no data set", walk->name);
    return 0;
}

/* ---- data set ---- */

/* Opens a container whose first byte is at the cursor. */
static int open_level(struct walk *walk, enum kind kind, const struct element *element,
                      const struct level *like)
{
    const struct level *parent = &walk->levels[walk->count - 1];
    struct level *level = &walk->levels[walk->count];
    uint64_t position = walk->source.position;

    if (kind != SEQUENCE_ITEM) {
        if (walk->depth >= VERIFY_DEPTH_MAX)
            return refuse(walk, element->tag, element->at, "sequences are nested too deep");
        walk->depth++;
        if (walk->depth > walk->layout->depth)
            walk->layout->depth = walk->depth;
    }
    *level = *like;
    level->kind = kind;
    level->tag = element->tag;
    level->limit = parent->limit;
    level->end = NO_END;
    if (element->length != VERIFY_UNDEFINED) {
        if (element->length > parent->limit - position)
            return refuse(walk, element->tag, element->at, "it is longer than what it is in");
        level->end = level->limit = position + element->length;
    }
    walk->count++;
    return 0;
}

static void close_level(struct walk *walk)
{
    const struct level *level = &walk->levels[--walk->count];

    if (level->kind != SEQUENCE_ITEM)
        walk->depth--;
    if (walk->count == 1 && level->kind == FRAGMENTS)
        walk->layout->pixel_end = walk->source.position;
}

/* In implicit VR the dictionary tells sequences, but DCMTK's knows private ones too: what begins with an
 * item is taken for a sequence, so that it holds as one. */
static int begins_with_item(struct walk *walk, const struct element *element, bool big, bool *item)
{
    const unsigned char *p;

    *item = false;
    if (element->explicit_vr || element->vr != VR_UN || element->length < 8)
        return 0;
    p = bytes_at(walk, 8);
    if (!p)
        return -1;
    *item = get_tag(p, big) == ITEM;
    return 0;
}

static int note_pixels(struct walk *walk, const struct element *element)
{
    struct verify_layout *layout = walk->layout;

    if (layout->pixel_tag)
        return refuse(walk, element->tag, element->at, "pixel data a second time");
    layout->pixel_tag = element->tag;
    layout->pixel_vr = element->explicit_vr ? element->vr : VR_NONE;
    layout->pixel_length = element->length;
    layout->pixel_start = element->at;
    layout->pixel_value = walk->source.position;
    layout->pixel_end =
        element->length == VERIFY_UNDEFINED ? 0 : walk->source.position + element->length;
    if (element->tag == PIXEL_DATA && element->length != VERIFY_UNDEFINED &&
        layout->syntax.encapsulated)
        return refuse(walk, element->tag, element->at,
                      "uncompressed pixels under a transfer syntax of compressed ones");
    return 0;
}

static int open_undefined(struct walk *walk, const struct element *element,
                          const struct level *level)
{
    struct level like = *level;

    if (element->tag == PIXEL_DATA) {
        if (!walk->layout->syntax.encapsulated)
            return refuse(walk, element->tag, element->at,
                          "fragments under a transfer syntax of uncompressed pixels");
        if (!element->explicit_vr || (element->vr != VR_OB && element->vr != VR_OW))
            return refuse(walk, element->tag, element->at, "fragments without VR OB");
        return open_level(walk, FRAGMENTS, element, level);
    }
    if (element->vr == VR_UN) /* PS3.5 6.2.2: implicit little endian within */
        like.explicit_vr = like.big_endian = false;
    else if (element->vr != VR_SQ)
        return refuse(walk, element->tag, element->at, "undefined length, and no sequence");
    return open_level(walk, SEQUENCE, element, &like);
}

static int walk_element(struct walk *walk, const struct level *level, const struct element *element)
{
    bool item;

    if (TAG_GROUP(element->tag) == 0xfffe) {
        if (element->tag == ITEM_DELIMITER && level->kind == SEQUENCE_ITEM &&
            level->end == NO_END && element->length == 0) {
            close_level(walk);
            return 0;
        }
        return refuse(walk, element->tag, element->at, "a delimiter or an item out of place");
    }
    if (TAG_GROUP(element->tag) == 0x0002)
        return refuse(walk, element->tag, element->at, "an element of the meta header");
    if (level->kind == DATA_SET &&
        (element->tag == PIXEL_DATA || element->tag == TAG(0x7fe0, 8) ||
         element->tag == TAG(0x7fe0, 9)) &&
        note_pixels(walk, element) < 0)
        return -1;
    if (element->length == VERIFY_UNDEFINED)
        return open_undefined(walk, element, level);
    if (element->length > level->limit - walk->source.position)
        return refuse(walk, element->tag, element->at, "it is longer than what it is in");
    if (begins_with_item(walk, element, level->big_endian, &item) < 0)
        return -1;
    if (element->vr == VR_SQ || item)
        return open_level(walk, SEQUENCE, element, level);
    return skip(walk, element, level->limit);
}

static int walk_sequence(struct walk *walk, const struct level *level,
                         const struct element *element)
{
    if (element->tag == SEQ_DELIMITER && level->end == NO_END && element->length == 0) {
        close_level(walk);
        return 0;
    }
    if (element->tag != ITEM)
        return refuse(walk, element->tag, element->at, "neither item nor delimiter in a sequence");
    if (level->kind == SEQUENCE)
        return open_level(walk, SEQUENCE_ITEM, element, level);
    if (element->length == VERIFY_UNDEFINED)
        return refuse(walk, element->tag, element->at, "a fragment of undefined length");
    if (walk->count == 2)
        walk->layout->fragments++;
    return skip(walk, element, level->limit);
}

/* The end of a data set whose length is not known before: deflated. */
static int at_end(struct walk *walk, bool *ended)
{
    struct verify_source *source = &walk->source;

    *ended = false;
    if (verify_source_need(source, 1))
        return 0;
    if (source->error || source->broken)
        return bytes_at(walk, 1) ? 0 : -1;
    if (source->position > source->size)
        return err_set(walk->err, ERR_INPUT, "%s: ends inside a value", walk->name);
    *ended = true;
    return 0;
}

static int walk_dataset(struct walk *walk)
{
    struct verify_source *source = &walk->source;
    const struct transfer_syntax *syntax = &walk->layout->syntax;
    bool ended;

    walk->levels[0] = (struct level){.kind = DATA_SET,
                                     .explicit_vr = syntax->explicit_vr,
                                     .big_endian = syntax->big_endian,
                                     .end = syntax->deflated ? NO_END : source->size,
                                     .limit = syntax->deflated ? NO_END : source->size};
    walk->count = 1;
    for (;;) {
        /* A copy: what is opened writes beside it. */
        const struct level level = walk->levels[walk->count - 1];
        struct element element = {0};

        if (source->position == level.end) {
            if (walk->count == 1)
                return 0;
            close_level(walk);
            continue;
        }
        if (walk->count == 1 && level.end == NO_END) {
            if (at_end(walk, &ended) < 0)
                return -1;
            if (ended)
                return 0;
        }
        if (read_header(walk, level.explicit_vr, level.big_endian, level.limit, &element) < 0 ||
            count_element(walk, &element) < 0)
            return -1;
        if ((level.kind == SEQUENCE || level.kind == FRAGMENTS
                 ? walk_sequence(walk, &level, &element)
                 : walk_element(walk, &level, &element)) < 0)
            return -1;
    }
}

int verify_fd(int fd, const char *name, struct verify_layout *layout, struct err *err)
{
    struct walk *walk = xcalloc(1, sizeof *walk);
    struct verify_layout own;
    int result = -1;

    walk->layout = layout ? layout : &own;
    memset(walk->layout, 0, sizeof own);
    walk->name = name;
    walk->err = err;
    if (verify_source_open(&walk->source, fd, name, err) < 0 || walk_meta(walk) < 0)
        goto out;
    walk->layout->dataset_offset = walk->source.position;
    if (walk->layout->syntax.deflated &&
        verify_source_inflate(&walk->source, VERIFY_INFLATE_MAX) < 0) {
        err_set(err, ERR_FAILED, "%s: zlib does not start", name);
        goto out;
    }
    if (walk_dataset(walk) < 0)
        goto out;
    walk->layout->dataset_end = walk->source.position;
    result = 0;
out:
    verify_source_close(&walk->source);
    free(walk);
    return result;
}

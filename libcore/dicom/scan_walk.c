/*
 * Elements, one after the other: the meta header and the data set itself. See scan_internal.h.
 *
 * The walk ends at the first tag beyond the last wanted one. That is sound while tags come in ascending
 * order, as PS3.5 7.1 demands. If they did not so far, or if the data set does not begin in group 0008
 * or before, the rest may hold wanted elements too, and the walk goes on to the end (skipping what is
 * large, pixel data included); what is broken there, behind the regular end, is not complained about.
 *
 * Values of defined length are skipped without a look. Those of undefined length are walked item by
 * item; a delimiter that is missing is taken as read where the next tag allows no doubt.
 */
#include <errno.h>
#include <string.h>

#include "dicom/dict.h"
#include "dicom/scan_internal.h"

#define TAG_ITEM               TAG(0xfffe, 0xe000)
#define TAG_ITEM_DELIMITER     TAG(0xfffe, 0xe00d)
#define TAG_SEQUENCE_DELIMITER TAG(0xfffe, 0xe0dd)
#define TAG_TRANSFER_SYNTAX    TAG(0x0002, 0x0010)
#define UNDEFINED              UINT32_MAX

struct element {
    tag_t tag;
    vr_t vr; /* as written; VR_NONE when implicit */
    uint32_t length;
    unsigned header; /* bytes before the value */
};

int walk_broken(struct scanner *scanner, const char *where)
{
    struct source *source = &scanner->source;
    unsigned long long position = source_position(source);

    if (source->error) {
        errno = source->error;
        return err_sys(scanner->err, "%s", scanner->name);
    }
    if (source->broken)
        return err_set(scanner->err, ERR_INPUT, "%s: %s", scanner->name, source->broken);
    return err_set(scanner->err, ERR_INPUT, "%s: broken at byte %llu: %s", scanner->name, position,
                   where);
}

/* VRs to come will have a length of 32 bits (PS3.5 7.1.2), after two bytes of zero; VRs that never were
 * are written either way, and what stands in those two bytes tells. */
static __attribute__((noinline)) bool unknown_is_long(vr_t vr, const unsigned char *p)
{
    int first = vr >> 8, second = vr & 0xff;

    return first >= 'A' && first <= 'Z' && second >= 'A' && second <= 'Z' &&
           get16(p + 6, false) == 0;
}

/* Whether the length has 32 bits. */
static inline bool is_long(vr_t vr, const unsigned char *p)
{
    const struct vr_letters *letters = vr_first(vr);
    uint32_t second = UINT32_C(1) << ((vr & 0xff) - 'A') % 32U;

    if (letters->known & second)
        return letters->is_long & second;
    return unknown_is_long(vr, p);
}

/* A header of which twelve bytes are at `p`, or eight where those tell its length. */
static inline void parse_header(const unsigned char *p, struct encoding encoding,
                                struct element *element)
{
    bool big = encoding.big_endian;

    element->tag = get_tag(p, big);
    element->vr = VR_NONE;
    element->header = 8;
    if (!encoding.explicit_vr || TAG_GROUP(element->tag) == 0xfffe) {
        element->length = get32(p + 4, big);
        return;
    }
    element->vr = (vr_t)(p[4] << 8 | p[5]);
    if (!is_long(element->vr, p)) {
        element->length = get16(p + 6, big);
        return;
    }
    element->length = get32(p + 8, big);
    element->header = 12;
}

/* The header at `at`, which stays there. False when it is not all there. */
static inline bool read_header(struct scanner *scanner, struct encoding encoding,
                               struct element *element)
{
    const unsigned char *p = source_need(scanner, 8);

    if (!p)
        return false;
    if (encoding.explicit_vr && TAG_GROUP(get_tag(p, encoding.big_endian)) != 0xfffe &&
        is_long((vr_t)(p[4] << 8 | p[5]), p) && !(p = source_need(scanner, 12)))
        return false;
    parse_header(p, encoding, element);
    return true;
}

static bool is_pixel_data(tag_t tag)
{
    return tag >= TAG(0x7fe0, 0x0008) && tag <= TAG(0x7fe0, 0x0010);
}

/* `vr`: as written. */
static inline void fill_slot(struct scanner *scanner, struct slot *slot, vr_t vr, uint32_t length,
                             const unsigned char *bytes, size_t size)
{
    struct scan_value *value = &slot->value;

    value->present = true;
    value->length = length;
    value->vr = vr_is_known(vr) && vr != VR_UN ? vr : dict_vr(value->tag);
    value->data = bytes ? (const char *)bytes : "";
    value->size = size;
    value->cut = size < length;
    slot->little = vr == VR_UN;
    slot->borrowed = size && scanner->source.window == scanner->source.buffer;
    scanner->borrowing |= slot->borrowed;
    scanner->filled[scanner->filled_count++] = slot;
}

/* `at` is at the value. */
static int keep_value(struct scanner *scanner, struct slot *slot, const struct element *element)
{
    size_t size = element->length < SCAN_VALUE_MAX ? element->length : SCAN_VALUE_MAX;
    const unsigned char *bytes = NULL;

    /* Pixel data is never read, items are not kept. */
    if (element->length == UNDEFINED || is_pixel_data(element->tag))
        size = 0;
    if (size && !(bytes = source_need(scanner, size)))
        return walk_broken(scanner, "a value goes on behind the end");
    fill_slot(scanner, slot, element->vr, element->length, bytes, size);
    return 0;
}

/* ---- undefined lengths ---- */

/* Where the walk is inside a value of undefined length. Sequences and items of undefined length
 * alternate, so their number tells all. */
struct nest {
    struct encoding outside,
        inside;        /* the latter within UN: implicit little endian (PS3.5 6.2.2) */
    unsigned depth;    /* sequences open; 0: done */
    unsigned un_depth; /* the one that is UN, or 0 */
    bool in_item;
};

static void close_sequence(struct nest *nest)
{
    if (nest->depth == nest->un_depth) {
        nest->un_depth = 0;
        nest->inside = nest->outside;
    }
    nest->depth--;
    nest->in_item = true;
}

static void open_sequence(struct nest *nest, vr_t vr)
{
    nest->depth++;
    nest->in_item = false;
    if (vr == VR_UN && !nest->un_depth) {
        nest->un_depth = nest->depth;
        nest->inside = (struct encoding){false, false};
    }
}

/* One step; what it does not consume the next step sees with one level less open. */
static void step(struct source *source, struct nest *nest, const struct element *element)
{
    switch (element->tag) {
    case TAG_ITEM:
        if (nest->in_item) { /* its delimiter is missing */
            nest->in_item = false;
            return;
        }
        source->at += element->header;
        if (element->length == UNDEFINED)
            nest->in_item = true;
        else
            source->at += element->length;
        return;
    case TAG_ITEM_DELIMITER:
        source->at += element->header;
        nest->in_item = false;
        return;
    case TAG_SEQUENCE_DELIMITER:
        source->at += element->header;
        close_sequence(nest);
        return;
    default:
        if (!nest->in_item) { /* the sequence's delimiter is missing */
            close_sequence(nest);
            return;
        }
        source->at += element->header;
        if (element->length == UNDEFINED)
            open_sequence(nest, element->vr);
        else
            source->at += element->length;
    }
}

/* `at` is behind the header of an element of undefined length. */
static int skip_undefined(struct scanner *scanner, struct encoding encoding, vr_t vr)
{
    struct nest nest = {encoding, encoding, 0, 0, false};
    struct element element;

    open_sequence(&nest, vr);
    while (nest.depth) {
        if (!read_header(scanner, nest.inside, &element))
            return walk_broken(scanner, "it ends inside a sequence");
        step(&scanner->source, &nest, &element);
        if (nest.depth > SCAN_DEPTH_MAX)
            return walk_broken(scanner, "sequences are nested too deep");
    }
    return 0;
}

/* ---- the data set ---- */

struct walk {
    struct encoding encoding;
    tag_t previous;
    bool ordered, begun;
    size_t next;     /* no slot before this one can match while tags ascend */
    bool seen, past; /* a tag up to the last wanted one, and then one beyond it */
};

static struct slot *find_slot(struct scanner *scanner, struct walk *walk, tag_t tag)
{
    if (!walk->ordered)
        return slot_find(scanner, tag);
    while (scanner->tags[walk->next] < tag)
        walk->next++;
    return walk->next < scanner->count && scanner->tags[walk->next] == tag
               ? &scanner->slots[walk->next]
               : NULL;
}

static int one_element(struct scanner *scanner, struct walk *walk, const struct element *element)
{
    struct source *source = &scanner->source;
    struct slot *slot = NULL;

    source->at += element->header;
    if (element->tag == TAG_ITEM_DELIMITER || element->tag == TAG_SEQUENCE_DELIMITER)
        return 0; /* left over from a sequence; has no value */
    if (element->tag == TAG_ITEM)
        return walk_broken(scanner, "an item outside a sequence");
    if (TAG_GROUP(element->tag) != 2) /* meta elements count in the meta header only */
        slot = find_slot(scanner, walk, element->tag);
    if (slot && !slot->value.present && keep_value(scanner, slot, element) < 0)
        return -1;
    if (element->length == UNDEFINED)
        return skip_undefined(scanner, walk->encoding, element->vr);
    source->at += element->length;
    return 0;
}

/* What walk_dataset would do, without its questions, for as long as elements are explicit little endian, of
 * known VRs and short, in the window, in order, and wanted or before the last wanted one: most of most
 * headers. Leaves `at` at the first element that is otherwise. */
static void walk_ordinary(struct scanner *scanner, struct walk *walk)
{
    struct source *source = &scanner->source;
    const unsigned char *p = source->window + source->at, *end = source->window + source->have;
    tag_t previous = walk->previous, last = scanner->last;
    const tag_t *wanted = scanner->tags + walk->next;

    /* Then a tag between `previous` and `last` is neither an item nor one of the meta header. */
    if (TAG_GROUP(previous) < 3 || last >= TAG(0x7fe0, 0))
        return;
    while (end - p >= 8) {
        uint64_t word = get64(p, false);
        tag_t tag = (tag_t)(word << 16 | (word >> 16 & 0xffff));
        vr_t vr = (vr_t)((word >> 24 & 0xff00) | (word >> 40 & 0xff));
        size_t length = word >> 48;
        const struct vr_letters *letters = vr_first(vr);

        if (tag < previous || tag > last ||
            !((letters->known & ~letters->is_long) >> ((vr & 0xff) - 'A') % 32U & 1) ||
            length > (size_t)(end - p) - 8)
            break;
        while (*wanted < tag)
            wanted++;
        if (*wanted == tag && !scanner->slots[wanted - scanner->tags].value.present)
            fill_slot(scanner, &scanner->slots[wanted - scanner->tags], vr, (uint32_t)length,
                      length ? p + 8 : NULL, length);
        previous = tag;
        p += 8 + length;
    }
    source->at = (uint64_t)(p - source->window);
    walk->previous = previous;
    walk->next = (size_t)(wanted - scanner->tags);
}

/* Behind the last wanted tag nothing is judged. */
static int end_of_walk(const struct walk *walk, int status)
{
    return walk->past ? 0 : status;
}

int walk_dataset(struct scanner *scanner, struct encoding encoding)
{
    struct walk walk = {.encoding = encoding, .ordered = true};
    struct source *source = &scanner->source;
    struct element element;

    for (;;) {
        if (walk.seen && walk.ordered && encoding.explicit_vr && !encoding.big_endian &&
            source->at < source->have)
            walk_ordinary(scanner, &walk);
        if (!read_header(scanner, encoding, &element)) {
            if (!source->error && !source->broken && !source->beyond && source_left(source) == 0)
                return 0;
            return end_of_walk(&walk, walk_broken(scanner, source->beyond
                                                               ? "a value goes on behind the end"
                                                               : "it ends inside an element"));
        }
        if (TAG_GROUP(element.tag) != 0xfffe) {
            if (walk.begun ? element.tag < walk.previous : TAG_GROUP(element.tag) > 8)
                walk.ordered = false;
            if (element.tag > scanner->last) {
                if (walk.ordered)
                    return 0;
                walk.past = walk.seen;
            } else {
                walk.seen = true;
            }
            walk.begun = true;
            walk.previous = element.tag;
        }
        if (one_element(scanner, &walk, &element) < 0)
            return end_of_walk(&walk, -1);
    }
}

/* ---- the meta header ---- */

static void keep_transfer_syntax(struct scanner *scanner, const struct element *element)
{
    char *uid = scanner->info.transfer_syntax;
    const unsigned char *p;
    size_t length = element->length;

    if (length > UID_MAX + 8 || *uid || !(p = source_need(scanner, length)))
        return;
    while (length && (p[length - 1] == '\0' || p[length - 1] == ' '))
        length--;
    if (length > UID_MAX)
        return;
    memcpy(uid, p, length);
    uid[length] = '\0';
}

/* Explicit little endian by the standard; what else writers made of it shows in its first element. */
static struct encoding meta_encoding(const unsigned char *p)
{
    return (struct encoding){.explicit_vr = vr_is_known((vr_t)(p[4] << 8 | p[5])),
                             .big_endian = get_tag(p, false) >> 16 != 2};
}

/* From the first element of group 0002 to behind the last. The group number tells where it ends: group
 * lengths are often wrong. Only before deflated bytes, which can look like anything, the length decides
 * if it names the end of an element. */
int walk_meta(struct scanner *scanner)
{
    struct source *source = &scanner->source;
    struct encoding encoding = {true, false};
    struct walk walk = {.ordered = false};
    struct element element;
    uint64_t end = 0;
    bool first = true;

    for (;;) {
        const unsigned char *p;
        struct slot *slot;
        bool known;

        if (source_position(source) == end &&
            transfer_syntax_of(scanner->info.transfer_syntax, &known).deflated)
            return 0;
        p = source_need(scanner, 8);
        if (!p && !source->error && !source->beyond && source_left(source) == 0)
            return 0;
        if (!p)
            return walk_broken(scanner, "it ends inside the meta header");
        if (first)
            encoding = meta_encoding(p);
        if (TAG_GROUP(get_tag(p, encoding.big_endian)) != 2)
            return 0;
        if (!read_header(scanner, encoding, &element) || element.length == UNDEFINED)
            return walk_broken(scanner, "the meta header");
        source->at += element.header;
        if (first && element.tag == TAG(2, 0) && element.length == 4 &&
            (p = source_need(scanner, 4)))
            end = source_position(source) + 4 + get32(p, encoding.big_endian);
        first = false;
        if (element.tag == TAG_TRANSFER_SYNTAX)
            keep_transfer_syntax(scanner, &element);
        slot = find_slot(scanner, &walk, element.tag);
        if (slot && !slot->value.present && keep_value(scanner, slot, &element) < 0)
            return -1;
        source->at += element.length;
    }
}

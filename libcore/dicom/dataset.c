/*
 * Small data sets: see dataset.h. Values that were parsed point into one copy of the bytes; values that
 * were put are owned one by one.
 */
#include "dicom/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/bytes.h"
#include "dicom/charset.h"
#include "dicom/dict.h"
#include "dicom/uid.h"
#include "dicom/value.h"

#define TAG_CHARSET  TAG(0x0008, 0x0005)
#define TAG_ITEM     TAG(0xfffe, 0xe000)
#define TAG_ITEM_END TAG(0xfffe, 0xe00d)
#define TAG_SEQ_END  TAG(0xfffe, 0xe0dd)
#define UNDEFINED    0xffffffffu

struct element {
    tag_t tag;
    vr_t vr;
    bool owned; /* `data` is to be freed; it is UTF-8 text until dataset_write for text VRs */
    char *data;
    size_t size;
    struct dataset **item;
    size_t items;
};

struct dataset {
    const struct dataset *parent;
    char *bytes; /* of the root that was parsed */
    struct element *element;
    size_t count, capacity;
};

struct dataset *dataset_new(void)
{
    return xcalloc(1, sizeof(struct dataset));
}

static void clear_element(struct element *element)
{
    if (element->owned)
        free(element->data);
    for (size_t i = 0; i < element->items; i++)
        dataset_free(element->item[i]);
    free(element->item);
    *element = (struct element){.tag = element->tag};
}

void dataset_free(struct dataset *dataset)
{
    if (!dataset)
        return;
    for (size_t i = 0; i < dataset->count; i++)
        clear_element(&dataset->element[i]);
    free(dataset->element);
    free(dataset->bytes);
    free(dataset);
}

/* Where the tag stands, or would. */
static size_t place_of(const struct dataset *dataset, tag_t tag)
{
    size_t low = 0, high = dataset->count;

    /* Data sets come in order: the end is the usual place. */
    if (high && dataset->element[high - 1].tag < tag)
        return high;
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (dataset->element[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct element *find(const struct dataset *dataset, tag_t tag)
{
    size_t at = place_of(dataset, tag);

    return at < dataset->count && dataset->element[at].tag == tag ? &dataset->element[at] : NULL;
}

/* An empty element of that tag: a new one, or what was there without its value. */
static struct element *make(struct dataset *dataset, tag_t tag)
{
    size_t at = place_of(dataset, tag);

    if (at < dataset->count && dataset->element[at].tag == tag) {
        clear_element(&dataset->element[at]);
        return &dataset->element[at];
    }
    if (dataset->count == dataset->capacity) {
        dataset->capacity = dataset->capacity ? 2 * dataset->capacity : 16;
        dataset->element =
            xreallocarray(dataset->element, dataset->capacity, sizeof *dataset->element);
    }
    memmove(dataset->element + at + 1, dataset->element + at,
            (dataset->count - at) * sizeof *dataset->element);
    dataset->count++;
    dataset->element[at] = (struct element){.tag = tag};
    return &dataset->element[at];
}

static struct dataset *append_item(struct dataset *dataset, struct element *element)
{
    struct dataset *item = dataset_new();

    item->parent = dataset;
    element->item = xreallocarray(element->item, element->items + 1, sizeof *element->item);
    element->item[element->items++] = item;
    return item;
}

/* ---- parsing ---- */

struct parser {
    char *bytes;
    size_t length;
    bool explicit_vr;
    size_t elements;
    struct err *err;
};

struct head {
    tag_t tag;
    vr_t vr;
    uint32_t length;
};

/* Moves `*at` behind the head. */
static int read_head(struct parser *parser, size_t *at, size_t end, bool explicit_vr,
                     struct head *head)
{
    const unsigned char *bytes = (const unsigned char *)parser->bytes + *at;
    size_t size = 8;

    if (end - *at < 8)
        return err_set(parser->err, ERR_INPUT, "data set ends inside an element's header");
    head->tag = get_tag(bytes, false);
    head->vr = VR_NONE;
    if (!explicit_vr || TAG_GROUP(head->tag) == 0xfffe) {
        head->length = get32(bytes + 4, false);
    } else {
        head->vr = VR(bytes[4], bytes[5]);
        head->length = get16(bytes + 6, false);
        if (vr_is_long(head->vr)) {
            size = 12;
            if (end - *at < size)
                return err_set(parser->err, ERR_INPUT, "data set ends inside an element's header");
            head->length = get32(bytes + 8, false);
        }
    }
    *at += size;
    if (head->length != UNDEFINED && head->length > end - *at)
        return err_set(parser->err, ERR_INPUT, "(%04x,%04x) claims %u bytes, %zu are there",
                       TAG_GROUP(head->tag), TAG_ELEMENT(head->tag), head->length, end - *at);
    return 0;
}

static int parse_elements(struct parser *parser, struct dataset *dataset, size_t *at, size_t end,
                          bool until_delimiter, bool explicit_vr, int depth);

/* The items from `*at`, to `end` or to the sequence's delimiter. */
static int parse_items(struct parser *parser, struct dataset *dataset, tag_t tag, size_t *at,
                       size_t end, bool until_delimiter, bool explicit_vr, int depth)
{
    struct head head;

    if (depth >= DATASET_DEPTH_MAX)
        return err_set(parser->err, ERR_INPUT, "sequences nested more than %d deep",
                       DATASET_DEPTH_MAX);
    while (*at < end) {
        struct dataset *item;
        size_t stop = end;

        if (read_head(parser, at, end, false, &head) < 0)
            return -1;
        if (head.tag == TAG_SEQ_END && until_delimiter)
            return 0;
        if (head.tag != TAG_ITEM)
            return err_set(parser->err, ERR_INPUT, "(%04x,%04x) holds something that is no item",
                           TAG_GROUP(tag), TAG_ELEMENT(tag));
        if (++parser->elements > DATASET_ELEMENTS_MAX)
            return err_set(parser->err, ERR_INPUT, "more than %d elements", DATASET_ELEMENTS_MAX);
        /* By tag: the element moves when its neighbours are added, but not while its items are read. */
        item = append_item(dataset, find(dataset, tag));
        if (head.length != UNDEFINED)
            stop = *at + head.length;
        if (parse_elements(parser, item, at, stop, head.length == UNDEFINED, explicit_vr,
                           depth + 1) < 0)
            return -1;
    }
    if (until_delimiter)
        return err_set(parser->err, ERR_INPUT, "(%04x,%04x) has no end", TAG_GROUP(tag),
                       TAG_ELEMENT(tag));
    return 0;
}

/* Passes over what is not kept. */
static int skip(struct parser *parser, size_t *at, size_t end, const struct head *head, int depth)
{
    struct dataset *nothing;
    int status;

    if (head->length != UNDEFINED) {
        *at += head->length;
        return 0;
    }
    nothing = dataset_new();
    make(nothing, head->tag);
    status = parse_items(parser, nothing, head->tag, at, end, true,
                         parser->explicit_vr && head->vr != VR_UN, depth);
    dataset_free(nothing);
    return status;
}

static int parse_element(struct parser *parser, struct dataset *dataset, size_t *at, size_t end,
                         const struct head *head, bool explicit_vr, int depth)
{
    struct element *element;
    vr_t vr = head->vr;
    bool undefined = head->length == UNDEFINED;

    if (++parser->elements > DATASET_ELEMENTS_MAX)
        return err_set(parser->err, ERR_INPUT, "more than %d elements", DATASET_ELEMENTS_MAX);
    if (TAG_ELEMENT(head->tag) == 0 || TAG_GROUP(head->tag) <= 2 || find(dataset, head->tag))
        return skip(parser, at, end, head, depth);
    if (vr == VR_NONE || vr == VR_UN)
        vr = dict_vr(head->tag);
    element = make(dataset, head->tag);
    element->vr = undefined ? VR_SQ : vr;
    if (element->vr == VR_SQ) {
        size_t stop = undefined ? end : *at + head->length;

        /* Inside UN all is implicit: PS3.5 6.2.2. */
        return parse_items(parser, dataset, head->tag, at, stop, undefined,
                           explicit_vr && head->vr != VR_UN, depth);
    }
    element->data = parser->bytes + *at;
    element->size = head->length;
    *at += head->length;
    return 0;
}

static int parse_elements(struct parser *parser, struct dataset *dataset, size_t *at, size_t end,
                          bool until_delimiter, bool explicit_vr, int depth)
{
    struct head head;

    while (*at < end) {
        if (read_head(parser, at, end, explicit_vr, &head) < 0)
            return -1;
        if (head.tag == TAG_ITEM_END && until_delimiter)
            return 0;
        if (TAG_GROUP(head.tag) == 0xfffe)
            return err_set(parser->err, ERR_INPUT, "a delimiter where an element should be");
        if (parse_element(parser, dataset, at, end, &head, explicit_vr, depth) < 0)
            return -1;
    }
    return until_delimiter ? err_set(parser->err, ERR_INPUT, "an item has no end") : 0;
}

struct dataset *dataset_parse(const void *bytes, size_t length, const char *transfer_syntax,
                              struct err *err)
{
    struct parser parser = {.length = length, .err = err};
    struct dataset *dataset;
    size_t at = 0;

    parser.explicit_vr = strcmp(transfer_syntax, UID_EXPLICIT_LE) == 0;
    if (!parser.explicit_vr && strcmp(transfer_syntax, UID_IMPLICIT_LE) != 0) {
        err_set(err, ERR_INPUT, "data set in transfer syntax %s", transfer_syntax);
        return NULL;
    }
    if (length > DATASET_BYTES_MAX) {
        err_set(err, ERR_INPUT, "data set of %zu bytes (at most %d)", length, DATASET_BYTES_MAX);
        return NULL;
    }
    dataset = dataset_new();
    parser.bytes = dataset->bytes = xmalloc(length + 1);
    memcpy(parser.bytes, bytes, length);
    if (parse_elements(&parser, dataset, &at, length, false, parser.explicit_vr, 0) < 0) {
        dataset_free(dataset);
        return NULL;
    }
    return dataset;
}

/* ---- reading ---- */

size_t dataset_count(const struct dataset *dataset)
{
    return dataset->count;
}

tag_t dataset_tag(const struct dataset *dataset, size_t at)
{
    return dataset->element[at].tag;
}

vr_t dataset_vr(const struct dataset *dataset, tag_t tag)
{
    const struct element *element = find(dataset, tag);

    return element ? element->vr : VR_NONE;
}

bool dataset_has(const struct dataset *dataset, tag_t tag)
{
    return find(dataset, tag) != NULL;
}

const char *dataset_bytes(const struct dataset *dataset, tag_t tag, size_t *size)
{
    const struct element *element = find(dataset, tag);

    *size = element ? element->size : 0;
    return element && element->size ? element->data : NULL;
}

/* Its own Specific Character Set, or that of what it is an item of: PS3.5 7.5.3. */
static const struct element *charset_of(const struct dataset *dataset)
{
    for (; dataset; dataset = dataset->parent) {
        const struct element *element = find(dataset, TAG_CHARSET);

        if (element)
            return element;
    }
    return NULL;
}

bool dataset_text(const struct dataset *dataset, tag_t tag, struct buf *out)
{
    const struct element *element = find(dataset, tag), *charset;

    if (!element || !element->size)
        return false;
    if (element->owned && value_is_text(element->vr)) {
        buf_add(out, element->data, element->size);
        return true;
    }
    charset = charset_of(dataset);
    value_to_text(element->vr, false, element->data, element->size, charset ? charset->data : NULL,
                  charset ? charset->size : 0, out);
    return true;
}

size_t dataset_items(const struct dataset *dataset, tag_t tag)
{
    const struct element *element = find(dataset, tag);

    return element ? element->items : 0;
}

struct dataset *dataset_item(const struct dataset *dataset, tag_t tag, size_t at)
{
    const struct element *element = find(dataset, tag);

    return element && at < element->items ? element->item[at] : NULL;
}

/* ---- making ---- */

void dataset_put_vr(struct dataset *dataset, tag_t tag, vr_t vr, const char *text)
{
    struct element *element = make(dataset, tag);
    struct buf value = {0};

    element->vr = vr;
    if (!text || !*text)
        return;
    if (value_is_text(vr))
        buf_adds(&value, text);
    else
        value_from_text(vr, text, &value);
    element->size = value.length;
    element->data = buf_take(&value);
    element->owned = true;
}

void dataset_put(struct dataset *dataset, tag_t tag, const char *text)
{
    dataset_put_vr(dataset, tag, dict_vr(tag), text);
}

void dataset_put_sequence(struct dataset *dataset, tag_t tag)
{
    make(dataset, tag)->vr = VR_SQ;
}

struct dataset *dataset_add_item(struct dataset *dataset, tag_t tag)
{
    struct element *element = find(dataset, tag);

    if (!element || element->vr != VR_SQ) {
        element = make(dataset, tag);
        element->vr = VR_SQ;
    }
    return append_item(dataset, element);
}

void dataset_remove(struct dataset *dataset, tag_t tag)
{
    size_t at = place_of(dataset, tag);

    if (at == dataset->count || dataset->element[at].tag != tag)
        return;
    clear_element(&dataset->element[at]);
    dataset->count--;
    memmove(dataset->element + at, dataset->element + at + 1,
            (dataset->count - at) * sizeof *dataset->element);
}

/* ---- the character set of an answer ---- */

static bool follows_charset(const struct element *element)
{
    return element->owned && value_has_charset(element->vr);
}

static bool is_ascii(const struct dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        const struct element *element = &dataset->element[i];

        if (follows_charset(element))
            for (size_t n = 0; n < element->size; n++)
                if ((unsigned char)element->data[n] >= 0x80)
                    return false;
        for (size_t n = 0; n < element->items; n++)
            if (!is_ascii(element->item[n]))
                return false;
    }
    return true;
}

/* Encodes every text, or with `apply` false only tries. */
static bool encode(struct dataset *dataset, const char *charset, bool apply)
{
    bool whole = true;

    for (size_t i = 0; i < dataset->count && whole; i++) {
        struct element *element = &dataset->element[i];
        struct buf value = {0};

        for (size_t n = 0; n < element->items && whole; n++)
            whole = encode(element->item[n], charset, apply);
        if (!follows_charset(element))
            continue;
        whole = charset_from_utf8(charset, element->data, element->size, &value);
        if (whole && apply && value.length) {
            free(element->data);
            element->size = value.length;
            element->data = buf_take(&value);
        }
        buf_free(&value);
    }
    return whole;
}

void dataset_choose_charset(struct dataset *dataset, const char *wanted)
{
    if (is_ascii(dataset)) {
        dataset_remove(dataset, TAG_CHARSET);
        return;
    }
    if (wanted && *wanted && encode(dataset, wanted, false)) {
        encode(dataset, wanted, true);
        dataset_put_vr(dataset, TAG_CHARSET, VR_CS, wanted);
    } else {
        dataset_put_vr(dataset, TAG_CHARSET, VR_CS, "ISO_IR 192");
    }
}

/* ---- writing ---- */

static void put16(struct buf *out, uint32_t value)
{
    char byte[2] = {(char)(value & 0xff), (char)(value >> 8 & 0xff)};

    buf_add(out, byte, 2);
}

static void put32(struct buf *out, uint32_t value)
{
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static void put_tag(struct buf *out, tag_t tag)
{
    put16(out, TAG_GROUP(tag));
    put16(out, TAG_ELEMENT(tag));
}

/* Room for a length that is known later. */
static size_t open_length(struct buf *out)
{
    put32(out, 0);
    return out->length;
}

static void close_length(struct buf *out, size_t start)
{
    size_t length = out->length - start;

    for (int i = 0; i < 4; i++)
        out->data[start - 4 + (size_t)i] = (char)(length >> 8 * i & 0xff);
}

static void write_elements(const struct dataset *dataset, bool explicit_vr, struct buf *out);

static void write_items(const struct element *element, bool explicit_vr, struct buf *out)
{
    for (size_t i = 0; i < element->items; i++) {
        size_t start;

        put_tag(out, TAG_ITEM);
        start = open_length(out);
        write_elements(element->item[i], explicit_vr, out);
        close_length(out, start);
    }
}

static void write_element(const struct element *element, bool explicit_vr, struct buf *out)
{
    size_t padding = element->size & 1, size = element->size + padding, start;
    vr_t vr = element->vr;

    put_tag(out, element->tag);
    if (explicit_vr) {
        /* What a length of 16 bits cannot say goes as UN: PS3.5 6.2.2, note 2. */
        if (size > 0xfffe && !vr_is_long(vr))
            vr = VR_UN;
        buf_addc(out, (char)(vr >> 8));
        buf_addc(out, (char)(vr & 0xff));
        if (!vr_is_long(vr)) {
            put16(out, (uint32_t)size);
        } else {
            put16(out, 0);
            start = open_length(out);
        }
    } else {
        start = open_length(out);
    }
    start = out->length;
    if (element->vr == VR_SQ)
        write_items(element, explicit_vr, out);
    else
        buf_add(out, element->data, element->size);
    if (padding)
        buf_addc(out, value_is_text(element->vr) && element->vr != VR_UI ? ' ' : '\0');
    if (!explicit_vr || vr_is_long(vr))
        close_length(out, start);
}

static void write_elements(const struct dataset *dataset, bool explicit_vr, struct buf *out)
{
    for (size_t i = 0; i < dataset->count; i++)
        write_element(&dataset->element[i], explicit_vr, out);
}

void dataset_write(const struct dataset *dataset, const char *transfer_syntax, struct buf *out)
{
    write_elements(dataset, strcmp(transfer_syntax, UID_EXPLICIT_LE) == 0, out);
}

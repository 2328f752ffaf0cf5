/*
 * Small data sets from and to their encoding: see dataset.h. PS3.5 section 7.
 */
#include "dicom/dataset_internal.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/bytes.h"
#include "dicom/dict.h"
#include "dicom/uid.h"
#include "dicom/value.h"

#define TAG_ITEM     TAG(0xfffe, 0xe000)
#define TAG_ITEM_END TAG(0xfffe, 0xe00d)
#define TAG_SEQ_END  TAG(0xfffe, 0xe0dd)
#define UNDEFINED    0xffffffffu

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

static int count_one(struct parser *parser)
{
    if (++parser->elements > DATASET_ELEMENTS_MAX)
        return err_set(parser->err, ERR_INPUT, "more than %d elements", DATASET_ELEMENTS_MAX);
    return 0;
}

/* The items from `*at`, to `end` or to the sequence's delimiter. */
static int parse_items(struct parser *parser, struct dataset *dataset, struct element *element,
                       size_t *at, size_t end, bool until_delimiter, bool explicit_vr, int depth)
{
    struct head head = {0};

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
                           TAG_GROUP(element->tag), TAG_ELEMENT(element->tag));
        if (count_one(parser) < 0)
            return -1;
        item = dataset_append_item(dataset, element);
        if (head.length != UNDEFINED)
            stop = *at + head.length;
        if (parse_elements(parser, item, at, stop, head.length == UNDEFINED, explicit_vr,
                           depth + 1) < 0)
            return -1;
    }
    if (until_delimiter)
        return err_set(parser->err, ERR_INPUT, "(%04x,%04x) has no end", TAG_GROUP(element->tag),
                       TAG_ELEMENT(element->tag));
    return 0;
}

static vr_t vr_of(const struct head *head)
{
    if (head->length == UNDEFINED)
        return VR_SQ;
    return head->vr != VR_UN && vr_is_known(head->vr) ? head->vr : dict_vr(head->tag);
}

static int parse_element(struct parser *parser, struct dataset *dataset, size_t *at, size_t end,
                         const struct head *head, bool explicit_vr, int depth)
{
    struct element nothing = {.tag = head->tag}, *element = &nothing;
    int status = 0;

    if (count_one(parser) < 0)
        return -1;
    if (TAG_ELEMENT(head->tag) != 0 && TAG_GROUP(head->tag) > 2) {
        /* At the end, in order of coming: settle() looks after the order of tags. No element of this
         * data set is added while the items are read: the pointer stays good. */
        dataset_make_room(dataset);
        element = &dataset->element[dataset->count++];
        *element = (struct element){.tag = head->tag, .number = (uint32_t)dataset->count};
    }
    element->vr = vr_of(head);
    if (element->vr == VR_SQ) {
        bool undefined = head->length == UNDEFINED;

        /* Inside UN all is implicit: PS3.5 6.2.2. */
        status = parse_items(parser, dataset, element, at, undefined ? end : *at + head->length,
                             undefined, explicit_vr && head->vr != VR_UN, depth);
    } else {
        element->data = parser->bytes + *at;
        element->size = head->length;
        *at += head->length;
    }
    dataset_clear_element(&nothing);
    return status;
}

static int by_tag(const void *a, const void *b)
{
    const struct element *x = a, *y = b;

    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* In order of tag, of each the first that came. */
static void settle(struct dataset *dataset)
{
    size_t kept = 1, at = 1;

    while (at < dataset->count && dataset->element[at - 1].tag < dataset->element[at].tag)
        at++;
    if (at >= dataset->count)
        return;
    qsort(dataset->element, dataset->count, sizeof *dataset->element, by_tag);
    for (at = 1; at < dataset->count; at++) {
        if (dataset->element[at].tag == dataset->element[kept - 1].tag)
            dataset_clear_element(&dataset->element[at]);
        else
            dataset->element[kept++] = dataset->element[at];
    }
    dataset->count = kept;
}

static int parse_elements(struct parser *parser, struct dataset *dataset, size_t *at, size_t end,
                          bool until_delimiter, bool explicit_vr, int depth)
{
    struct head head = {0};
    bool ended = !until_delimiter;

    while (*at < end) {
        if (read_head(parser, at, end, explicit_vr, &head) < 0)
            return -1;
        if (head.tag == TAG_ITEM_END && until_delimiter) {
            ended = true;
            break;
        }
        if (TAG_GROUP(head.tag) == 0xfffe)
            return err_set(parser->err, ERR_INPUT, "a delimiter where an element should be");
        if (parse_element(parser, dataset, at, end, &head, explicit_vr, depth) < 0)
            return -1;
    }
    if (!ended)
        return err_set(parser->err, ERR_INPUT, "an item has no end");
    settle(dataset);
    return 0;
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
            open_length(out);
        }
    } else {
        open_length(out);
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

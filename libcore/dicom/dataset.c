/*
 * Small data sets: see dataset.h. Values that were parsed point into one copy of the bytes; values that
 * were put are owned one by one.
 */
#include "dicom/dataset_internal.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"
#include "dicom/dict.h"
#include "dicom/value.h"

#define TAG_CHARSET TAG(0x0008, 0x0005)

struct dataset *dataset_new(void)
{
    return xcalloc(1, sizeof(struct dataset));
}

void dataset_clear_element(struct element *element)
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
        dataset_clear_element(&dataset->element[i]);
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

void dataset_make_room(struct dataset *dataset)
{
    if (dataset->count == dataset->capacity) {
        dataset->capacity = dataset->capacity ? 2 * dataset->capacity : 4;
        dataset->element =
            xreallocarray(dataset->element, dataset->capacity, sizeof *dataset->element);
    }
}

/* An empty element of that tag: a new one, or what was there without its value. */
static struct element *make(struct dataset *dataset, tag_t tag)
{
    size_t at = place_of(dataset, tag);

    if (at < dataset->count && dataset->element[at].tag == tag) {
        dataset_clear_element(&dataset->element[at]);
        return &dataset->element[at];
    }
    dataset_make_room(dataset);
    memmove(dataset->element + at + 1, dataset->element + at,
            (dataset->count - at) * sizeof *dataset->element);
    dataset->count++;
    dataset->element[at] = (struct element){.tag = tag};
    return &dataset->element[at];
}

struct dataset *dataset_append_item(struct dataset *dataset, struct element *element)
{
    struct dataset *item = dataset_new();

    item->parent = dataset;
    element->item = xreallocarray(element->item, element->items + 1, sizeof(void *));
    element->item[element->items++] = item;
    return item;
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
    if (element->utf8) {
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
    element->utf8 = value_is_text(vr);
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
    return dataset_append_item(dataset, element);
}

void dataset_remove(struct dataset *dataset, tag_t tag)
{
    size_t at = place_of(dataset, tag);

    if (at == dataset->count || dataset->element[at].tag != tag)
        return;
    dataset_clear_element(&dataset->element[at]);
    dataset->count--;
    memmove(dataset->element + at, dataset->element + at + 1,
            (dataset->count - at) * sizeof *dataset->element);
}

/* ---- the character set of an answer ---- */

static bool follows_charset(const struct element *element)
{
    return element->utf8 && value_has_charset(element->vr);
}

static void replace(struct element *element, struct buf *value)
{
    if (element->owned)
        free(element->data);
    element->owned = true;
    element->size = value->length;
    element->data = buf_take(value);
}

/* What was parsed is in the set of its own data set, which is about to be another. */
static void to_utf8(struct dataset *dataset)
{
    for (size_t i = 0; i < dataset->count; i++) {
        struct element *element = &dataset->element[i];
        struct buf value = {0};

        for (size_t n = 0; n < element->items; n++)
            to_utf8(element->item[n]);
        if (!value_has_charset(element->vr) || element->utf8 || !element->size)
            continue;
        dataset_text(dataset, element->tag, &value);
        replace(element, &value);
        element->utf8 = true;
    }
    if (dataset->parent)
        dataset_remove(dataset, TAG_CHARSET);
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
        if (!whole || !follows_charset(element) || !element->size)
            continue;
        whole = charset_from_utf8(charset, element->vr, element->data, element->size, &value);
        if (whole && apply) {
            replace(element, &value);
            element->utf8 = false;
        }
        buf_free(&value);
    }
    return whole;
}

void dataset_choose_charset(struct dataset *dataset, const char *wanted)
{
    to_utf8(dataset);
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

/*
 * A scanned value as UTF-8 text, see scan.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"
#include "dicom/scan_internal.h"

enum shape {
    SHAPE_BULK = 0, /* not for reading */
    SHAPE_TEXT,
    SHAPE_NUMBER, /* binary */
    SHAPE_KIND = 0x0f,
    SHAPE_SINGLE = 16, /* a backslash is a letter like others */
    SHAPE_LEFT = 32,   /* spaces before it are padding too */
};

static unsigned shape_of(vr_t vr)
{
    switch (vr) {
    case VR_PN:
    case VR_UC:
        return SHAPE_TEXT;
    case VR_LO:
    case VR_SH:
        return SHAPE_TEXT | SHAPE_LEFT;
    case VR_LT:
    case VR_ST:
    case VR_UT:
        return SHAPE_TEXT | SHAPE_SINGLE;
    case VR_UR:
        return SHAPE_TEXT | SHAPE_SINGLE;
    case VR_AS:
    case VR_DA:
    case VR_DT:
    case VR_TM:
    case VR_UI:
        return SHAPE_TEXT;
    case VR_AE:
    case VR_CS:
    case VR_DS:
    case VR_IS:
        return SHAPE_TEXT | SHAPE_LEFT;
    case VR_US:
    case VR_SS:
    case VR_UL:
    case VR_SL:
    case VR_UV:
    case VR_SV:
    case VR_FL:
    case VR_FD:
    case VR_AT:
        return SHAPE_NUMBER;
    default:
        return SHAPE_BULK;
    }
}

/* ---- text ---- */

static bool is_padding(char c)
{
    return c == ' ' || c == '\0';
}

/* Pads of each value go, from `start` to the end of the buffer. */
static void trim_values(struct buf *out, size_t start, unsigned shape)
{
    char *text = out->data;
    size_t to = start, from = start, end = out->length;

    while (from <= end) {
        size_t stop = from, next;

        while (stop < end && (text[stop] != '\\' || shape & SHAPE_SINGLE))
            stop++;
        next = stop + 1;
        if (shape & SHAPE_LEFT)
            while (from < stop && text[from] == ' ')
                from++;
        while (stop > from && is_padding(text[stop - 1]))
            stop--;
        memmove(text + to, text + from, stop - from);
        to += stop - from;
        if (next <= end)
            text[to++] = '\\';
        from = next;
    }
    text[to] = '\0';
    out->length = to;
}

/* NUL would end what others read from this. */
static void replace_nul(struct buf *out, size_t start)
{
    struct buf rest = {0};
    const char *nul;

    if (!memchr(out->data + start, '\0', out->length - start))
        return;
    buf_add(&rest, out->data + start, out->length - start);
    out->length = start;
    for (const char *p = rest.data; p < rest.data + rest.length; p = nul + 1) {
        nul = memchr(p, '\0', (size_t)(rest.data + rest.length - p));
        if (!nul)
            nul = rest.data + rest.length;
        buf_add(out, p, (size_t)(nul - p));
        if (nul < rest.data + rest.length)
            buf_adds(out, "\xef\xbf\xbd");
    }
    buf_free(&rest);
}

static void add_text(const struct scanner *scanner, const struct scan_value *value, unsigned shape,
                     struct buf *out)
{
    const struct scan_value *charset = scan_value(scanner, TAG(0x0008, 0x0005));
    size_t start = out->length, size = value->size;

    while (size && is_padding(value->data[size - 1]))
        size--;
    charset_to_utf8(charset ? charset->data : "", charset ? charset->size : 0, value->vr,
                    value->data, size, out);
    if (out->length > start)
        trim_values(out, start, shape);
    if (out->length > start)
        replace_nul(out, start);
}

/* ---- numbers ---- */

/* As few digits as give the number back. */
static void add_float(struct buf *out, double number, bool is_single)
{
    char text[40];
    int most = is_single ? 9 : 17;

    for (int digits = is_single ? 6 : 15; digits <= most; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (is_single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
            break;
    }
    buf_adds(out, text);
}

static void add_number(struct buf *out, vr_t vr, const unsigned char *p, bool big)
{
    uint32_t word;
    uint64_t wide;
    float single;
    double number;

    switch (vr) {
    case VR_US:
        buf_addf(out, "%u", get16(p, big));
        break;
    case VR_SS:
        buf_addf(out, "%d", (int16_t)get16(p, big));
        break;
    case VR_UL:
        buf_addf(out, "%lu", (unsigned long)get32(p, big));
        break;
    case VR_SL:
        buf_addf(out, "%ld", (long)(int32_t)get32(p, big));
        break;
    case VR_UV:
        buf_addf(out, "%llu", (unsigned long long)get64(p, big));
        break;
    case VR_SV:
        buf_addf(out, "%lld", (long long)(int64_t)get64(p, big));
        break;
    case VR_AT:
        buf_addf(out, "%04x,%04x", get16(p, big), get16(p + 2, big));
        break;
    case VR_FL:
        word = get32(p, big);
        memcpy(&single, &word, sizeof single);
        add_float(out, single, true);
        break;
    default: /* FD */
        wide = get64(p, big);
        memcpy(&number, &wide, sizeof number);
        add_float(out, number, false);
    }
}

static size_t width_of(vr_t vr)
{
    switch (vr) {
    case VR_US:
    case VR_SS:
        return 2;
    case VR_UV:
    case VR_SV:
    case VR_FD:
        return 8;
    default:
        return 4;
    }
}

static const struct slot *slot_of(const struct scan_value *value)
{
    return (const struct slot *)((const char *)value - offsetof(struct slot, value));
}

bool scan_text(const struct scanner *scanner, tag_t tag, struct buf *out)
{
    const struct scan_value *value = scan_value(scanner, tag);
    unsigned shape;

    if (!value)
        return false;
    shape = shape_of(value->vr);
    switch (shape & SHAPE_KIND) {
    case SHAPE_TEXT:
        add_text(scanner, value, shape, out);
        break;
    case SHAPE_NUMBER: {
        bool meta = TAG_GROUP(tag) == 2;
        bool big = !meta && scanner->info.big_endian && !slot_of(value)->little;
        size_t width = width_of(value->vr);

        for (size_t at = 0; at + width <= value->size; at += width) {
            if (at)
                buf_addc(out, '\\');
            add_number(out, value->vr, (const unsigned char *)value->data + at, big);
        }
        break;
    }
    default:
        break;
    }
    return true;
}

/*
 * See value.h.
 */
#include "dicom/value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/bytes.h"
#include "dicom/charset.h"

enum shape {
    SHAPE_BULK = 0, /* not for reading */
    SHAPE_TEXT,
    SHAPE_NUMBER, /* binary */
    SHAPE_KIND = 0x0f,
    SHAPE_SINGLE = 16, /* a backslash is a letter like others */
    SHAPE_LEFT = 32,   /* spaces before it are padding too */
};

#define LETTERS(vr) [((vr) >> 8) - 'A'][((vr)&0xff) - 'A']
static const unsigned char shapes[26][26] = {
    LETTERS(VR_PN) = SHAPE_TEXT,
    LETTERS(VR_UC) = SHAPE_TEXT,
    LETTERS(VR_LO) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_SH) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_LT) = SHAPE_TEXT | SHAPE_SINGLE,
    LETTERS(VR_ST) = SHAPE_TEXT | SHAPE_SINGLE,
    LETTERS(VR_UT) = SHAPE_TEXT | SHAPE_SINGLE,
    LETTERS(VR_UR) = SHAPE_TEXT | SHAPE_SINGLE,
    LETTERS(VR_AS) = SHAPE_TEXT,
    LETTERS(VR_DA) = SHAPE_TEXT,
    LETTERS(VR_DT) = SHAPE_TEXT,
    LETTERS(VR_TM) = SHAPE_TEXT,
    LETTERS(VR_UI) = SHAPE_TEXT,
    LETTERS(VR_AE) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_CS) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_DS) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_IS) = SHAPE_TEXT | SHAPE_LEFT,
    LETTERS(VR_US) = SHAPE_NUMBER,
    LETTERS(VR_SS) = SHAPE_NUMBER,
    LETTERS(VR_UL) = SHAPE_NUMBER,
    LETTERS(VR_SL) = SHAPE_NUMBER,
    LETTERS(VR_UV) = SHAPE_NUMBER,
    LETTERS(VR_SV) = SHAPE_NUMBER,
    LETTERS(VR_FL) = SHAPE_NUMBER,
    LETTERS(VR_FD) = SHAPE_NUMBER,
    LETTERS(VR_AT) = SHAPE_NUMBER,
};

static inline unsigned shape_of(vr_t vr)
{
    unsigned first = (vr >> 8) - 'A', second = (vr & 0xff) - 'A';

    return first < 26 && second < 26 ? shapes[first][second] : SHAPE_BULK;
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

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether among eight bytes is one above 0x7f, a control character, a backslash or a tilde. */
static bool has_special(uint64_t word)
{
    uint64_t found = word | (word - EACH_BYTE(0x20)) | ((word ^ EACH_BYTE('\\')) - EACH_BYTE(1)) |
                     ((word ^ EACH_BYTE('~')) - EACH_BYTE(1));

    return found & EACH_BYTE(0x80);
}

/* Up to seven bytes; some of them twice. */
static uint64_t short_word(const char *bytes, size_t size)
{
    uint32_t first, last;

    if (size < 4)
        return EACH_BYTE(' ') << 24 | (uint64_t)(unsigned char)bytes[size - 1] << 16 |
               (uint64_t)(unsigned char)bytes[size / 2] << 8 | (unsigned char)bytes[0];
    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + size - sizeof last, sizeof last);
    return (uint64_t)last << 32 | first;
}

/* Nearly every value of nearly every header: ASCII that is the same in all character sets (JIS X 0201 has
 * another backslash and tilde), one value, nothing to replace. */
static bool is_ordinary(const char *bytes, size_t size)
{
    uint64_t word;

    if (size < sizeof word)
        return size == 0 || !has_special(short_word(bytes, size));
    for (size_t i = 0; i + sizeof word < size; i += sizeof word) {
        memcpy(&word, bytes + i, sizeof word);
        if (has_special(word))
            return false;
    }
    memcpy(&word, bytes + size - sizeof word, sizeof word);
    return !has_special(word);
}

/* What is not ordinary, without padding at its end. */
static __attribute__((noinline)) void add_odd_text(vr_t vr, const char *bytes, size_t size,
                                                   const char *specific, size_t specific_size,
                                                   struct buf *out)
{
    size_t start = out->length;

    charset_to_utf8(specific ? specific : "", specific_size, vr, bytes, size, out);
    if (out->length > start)
        trim_values(out, start, shape_of(vr));
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

static void add_unsigned(struct buf *out, uint64_t number)
{
    char text[20], *at = text + sizeof text;

    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    buf_add(out, at, (size_t)(text + sizeof text - at));
}

static void add_signed(struct buf *out, int64_t number)
{
    if (number < 0)
        buf_addc(out, '-');
    add_unsigned(out, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void add_number(struct buf *out, vr_t vr, const unsigned char *p, bool big)
{
    uint32_t word;
    uint64_t wide;
    float single;
    double number;

    switch (vr) {
    case VR_US:
        add_unsigned(out, get16(p, big));
        break;
    case VR_SS:
        add_signed(out, (int16_t)get16(p, big));
        break;
    case VR_UL:
        add_unsigned(out, get32(p, big));
        break;
    case VR_SL:
        add_signed(out, (int32_t)get32(p, big));
        break;
    case VR_UV:
        add_unsigned(out, get64(p, big));
        break;
    case VR_SV:
        add_signed(out, (int64_t)get64(p, big));
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

static __attribute__((noinline)) void add_numbers(vr_t vr, bool big_endian, const char *bytes,
                                                  size_t size, struct buf *out)
{
    size_t width = width_of(vr);

    for (size_t at = 0; at + width <= size; at += width) {
        if (at)
            buf_addc(out, '\\');
        add_number(out, vr, (const unsigned char *)bytes + at, big_endian);
    }
}

void value_to_text(vr_t vr, bool big_endian, const char *bytes, size_t size, const char *specific,
                   size_t specific_size, struct buf *out)
{
    unsigned shape = shape_of(vr);

    if ((shape & SHAPE_KIND) != SHAPE_TEXT) {
        if (shape == SHAPE_NUMBER)
            add_numbers(vr, big_endian, bytes, size, out);
        return;
    }
    while (size && is_padding(bytes[size - 1]))
        size--;
    if (!is_ordinary(bytes, size)) {
        add_odd_text(vr, bytes, size, specific, specific_size, out);
        return;
    }
    for (; shape & SHAPE_LEFT && size && *bytes == ' '; size--)
        bytes++;
    buf_add(out, bytes, size);
}

bool value_is_text(vr_t vr)
{
    return (shape_of(vr) & SHAPE_KIND) == SHAPE_TEXT;
}

bool value_is_number(vr_t vr)
{
    return (shape_of(vr) & SHAPE_KIND) == SHAPE_NUMBER;
}

bool value_has_charset(vr_t vr)
{
    return vr == VR_LO || vr == VR_LT || vr == VR_PN || vr == VR_SH || vr == VR_ST || vr == VR_UC ||
           vr == VR_UT;
}

/* ---- from text ---- */

static void add_bits(struct buf *out, uint64_t bits, size_t width)
{
    for (size_t i = 0; i < width; i++)
        buf_addc(out, (char)(bits >> 8 * i & 0xff));
}

/* What the VR cannot hold is no number of its. */
static void add_real(vr_t vr, const char *text, struct buf *out)
{
    float single;
    double number;
    uint32_t word;
    uint64_t wide;
    char *end;

    /* The library reads hexadecimal too. */
    if (strpbrk(text, "xX"))
        return;
    errno = 0;
    if (vr == VR_FL) {
        single = strtof(text, &end);
        if (end == text || *end || (errno && fabsf(single) > 1))
            return;
        memcpy(&word, &single, sizeof word);
        add_bits(out, word, 4);
    } else {
        number = strtod(text, &end);
        if (end == text || *end || (errno && fabs(number) > 1))
            return;
        memcpy(&wide, &number, sizeof wide);
        add_bits(out, wide, 8);
    }
}

/* The bits of a whole number, where the VR can hold it. */
static bool whole_number(vr_t vr, const char *text, uint64_t *bits)
{
    size_t width = width_of(vr);
    bool is_signed = vr == VR_SS || vr == VR_SL || vr == VR_SV;
    char *end;

    errno = 0;
    if (is_signed || *text == '-') {
        long long number = strtoll(text, &end, 10);
        long long most = (long long)(INT64_MAX >> (64 - 8 * width));

        if (number < (is_signed ? -1 - most : 0) || number > most)
            return false;
        *bits = (uint64_t)number;
    } else {
        *bits = strtoull(text, &end, 10);
        if (width < 8 && *bits >> 8 * width)
            return false;
    }
    return !errno && end != text && !*end;
}

/* gggg,eeee */
static void add_tag(const char *text, struct buf *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    if (strlen(text) != 9 || text[4] != ',' || strspn(text, digits) != 4 ||
        strspn(text + 5, digits) != 4)
        return;
    add_bits(out, strtoul(text, NULL, 16), 2);
    add_bits(out, strtoul(text + 5, NULL, 16), 2);
}

static void add_one(vr_t vr, char *text, struct buf *out)
{
    size_t length = strlen(text);
    uint64_t bits;

    while (length && text[length - 1] == ' ')
        text[--length] = '\0';
    text += strspn(text, " ");
    if (vr == VR_FL || vr == VR_FD)
        add_real(vr, text, out);
    else if (vr == VR_AT)
        add_tag(text, out);
    else if (whole_number(vr, text, &bits))
        add_bits(out, bits, width_of(vr));
}

void value_from_text(vr_t vr, const char *text, struct buf *out)
{
    char one[64];

    if ((shape_of(vr) & SHAPE_KIND) != SHAPE_NUMBER)
        return;
    for (;;) {
        size_t length = strcspn(text, "\\");

        if (length && length < sizeof one) {
            memcpy(one, text, length);
            one[length] = '\0';
            add_one(vr, one, out);
        }
        if (!text[length])
            return;
        text += length + 1;
    }
}

/*
 * UTF-8 to the character sets of (0008,0005), for answers in the set that was asked in. PS3.5 section 6.1.
 *
 * Stricter than reading is: what the standard does not define is not written, and what was written is
 * read again before it counts.
 */
#include <iconv.h>
#include <string.h>

#include "dicom/charset_internal.h"

/* ---- what may be written ---- */

/* The defined terms, PS3.3 tables C.12-2 to C.12-5: alone, or as one of several with code extensions. */
static const struct term {
    const char *alone, *extended;
    enum repertoire set;
} terms[] = {
    {"ISO_IR 6", "ISO 2022 IR 6", SET_ASCII},
    {"ISO_IR 13", "ISO 2022 IR 13", SET_KATAKANA},
    {"ISO_IR 100", "ISO 2022 IR 100", SET_LATIN1},
    {"ISO_IR 101", "ISO 2022 IR 101", SET_LATIN2},
    {"ISO_IR 109", "ISO 2022 IR 109", SET_LATIN3},
    {"ISO_IR 110", "ISO 2022 IR 110", SET_LATIN4},
    {"ISO_IR 126", "ISO 2022 IR 126", SET_GREEK},
    {"ISO_IR 127", "ISO 2022 IR 127", SET_ARABIC},
    {"ISO_IR 138", "ISO 2022 IR 138", SET_HEBREW},
    {"ISO_IR 144", "ISO 2022 IR 144", SET_CYRILLIC},
    {"ISO_IR 148", "ISO 2022 IR 148", SET_LATIN5},
    {"ISO_IR 166", "ISO 2022 IR 166", SET_THAI},
    {"ISO_IR 203", "ISO 2022 IR 203", SET_LATIN9},
    {NULL, "ISO 2022 IR 58", SET_HANZI},
    {NULL, "ISO 2022 IR 87", SET_KANJI},
    {NULL, "ISO 2022 IR 149", SET_HANGUL},
    {NULL, "ISO 2022 IR 159", SET_KANJI_MORE},
    {"ISO_IR 192", NULL, SET_UTF8},
    {"GB18030", NULL, SET_GB18030},
    {"GBK", NULL, SET_GBK},
};

static bool is_two_bytes(enum repertoire set)
{
    return set >= SET_KANJI && set <= SET_HANZI;
}

static bool same(const char *name, const char *term, size_t length)
{
    return name && strlen(name) == length && memcmp(name, term, length) == 0;
}

static const struct term *term_of(const char *term, size_t length)
{
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        if (same(terms[i].alone, term, length) || same(terms[i].extended, term, length))
            return &terms[i];
    return NULL;
}

/* One value alone or several with code extensions; `extended`: there may be escape sequences. Sets of two
 * bytes are never the first: there is nothing for a name's '^' to be in. An empty first value is
 * ASCII. */
static bool may_be_written(const char *specific, bool *extended)
{
    *extended = strchr(specific, '\\') != NULL;
    for (const char *at = specific;; at++) {
        size_t length = strcspn(at, "\\");
        const struct term *term = term_of(at, length);

        if (length == 0 ? at != specific : !term)
            return false;
        if (term && same(term->extended, at, length)) {
            if (at == specific && is_two_bytes(term->set))
                return false;
            *extended = true;
        } else if (term && *extended) {
            return false;
        }
        at += length;
        if (!*at)
            return true;
    }
}

/* ---- code extensions ---- */

struct encoder {
    const struct charset *charset;
    bool extended;
    enum repertoire set[2]; /* in use */
    struct buf *out;
};

/* Brings the set into use. False when no escape sequence does. */
static bool designate(struct encoder *encoder, int half, enum repertoire set)
{
    if (encoder->set[half] == set)
        return true;
    if (!encoder->extended)
        return false;
    for (size_t i = 0; i < charset_escapes_count; i++)
        if (charset_escapes[i].set == set && charset_escapes[i].half == half) {
            buf_addc(encoder->out, 0x1b);
            buf_adds(encoder->out, charset_escapes[i].bytes);
            encoder->set[half] = set;
            return true;
        }
    return false;
}

static void put_place(struct encoder *encoder, int half, enum repertoire set, int place)
{
    int high = half == RIGHT ? 0x80 : 0;

    if (is_two_bytes(set)) {
        buf_addc(encoder->out, (char)(place / 94 + 0x21 + high));
        buf_addc(encoder->out, (char)(place % 94 + 0x21 + high));
    } else {
        buf_addc(encoder->out, (char)(place | high));
    }
}

static int half_of(enum repertoire set)
{
    if (set == SET_ASCII || set == SET_ROMAJI)
        return LEFT;
    for (size_t i = 0; i < charset_escapes_count; i++)
        if (charset_escapes[i].set == set)
            return charset_escapes[i].half;
    return RIGHT;
}

/* What separates values, lines and parts of a name, where the sets of the first value are to be in use: PS3.5
 * 6.1.2.5.3. */
static bool is_delimiter(uint32_t character)
{
    return character < 0x20 || character == '^' || character == '=' || character == '\\';
}

/* Back to the sets of the first value. Some readers do this by themselves after a delimiter, others not:
 * where it has no set for the right half, the next character says again which it wants. */
static bool reset(struct encoder *encoder)
{
    const enum repertoire *start = encoder->charset->start;

    if (!designate(encoder, LEFT, start[LEFT]) ||
        (start[RIGHT] != SET_NONE && !designate(encoder, RIGHT, start[RIGHT])))
        return false;
    encoder->set[RIGHT] = start[RIGHT];
    return true;
}

/* In the sets that are in use if they have it, else in the first declared one that does. */
static bool put_character(struct encoder *encoder, uint32_t character)
{
    int place;

    for (int half = LEFT; half <= RIGHT; half++) {
        place = repertoire_place(encoder->set[half], character);
        if (place >= 0) {
            put_place(encoder, half, encoder->set[half], place);
            return true;
        }
    }
    for (enum repertoire set = SET_ASCII; set <= SET_HANZI; set++) {
        if (!(encoder->charset->declared >> set & 1))
            continue;
        place = repertoire_place(set, character);
        if (place < 0 || !designate(encoder, half_of(set), set))
            continue;
        put_place(encoder, half_of(set), set, place);
        return true;
    }
    return false;
}

static bool encode_2022(const struct charset *charset, bool extended, const char *text,
                        size_t length, struct buf *out)
{
    struct encoder encoder = {.charset = charset, .extended = extended, .out = out};
    size_t bad;

    memcpy(encoder.set, charset->start, sizeof encoder.set);
    while (length > 0) {
        uint32_t character;
        size_t used = utf8_decode(text, length, &character, &bad);

        if (!used || character == 0x1b)
            return false;
        if (is_delimiter(character)) {
            if (!reset(&encoder))
                return false;
            buf_addc(out, (char)character);
        } else if (!put_character(&encoder, character)) {
            return false;
        }
        text += used;
        length -= used;
    }
    return reset(&encoder);
}

static bool encode_whole(const char *encoding, const char *text, size_t length, struct buf *out)
{
    iconv_t converter = iconv_open(encoding, "UTF-8");
    char *from = (char *)text, *to;
    size_t room = 4 * length + 8, left = room;
    bool whole;

    if (converter == (iconv_t)-1)
        return false;
    to = buf_reserve(out, room);
    whole = iconv(converter, &from, &length, &to, &left) == 0;
    iconv_close(converter);
    if (whole) {
        out->length += room - left;
        out->data[out->length] = '\0';
    }
    return whole;
}

static bool encode(const struct charset *charset, bool extended, const char *text, size_t length,
                   struct buf *out)
{
    switch (charset->whole) {
    case SET_UTF8:
        if (!utf8_valid(text, length))
            return false;
        buf_add(out, text, length);
        return true;
    case SET_GBK:
        return encode_whole("GBK", text, length, out);
    case SET_GB18030:
        return encode_whole("GB18030", text, length, out);
    default:
        return encode_2022(charset, extended, text, length, out);
    }
}

/* Tables differ between systems, a backslash is a yen sign in Japan, and '^' is a delimiter in names alone:
 * only what is read as it was meant is written. */
static bool reads_the_same(const char *specific, vr_t vr, const char *bytes, size_t size,
                           const char *text, size_t length)
{
    struct buf back = {0};
    bool same_text = charset_to_utf8(specific, strlen(specific), vr, bytes, size, &back) &&
                     back.length == length && memcmp(buf_text(&back), text, length) == 0;

    buf_free(&back);
    return same_text;
}

bool charset_from_utf8(const char *specific, vr_t vr, const char *text, size_t length,
                       struct buf *out)
{
    struct charset charset;
    size_t start = out->length;
    bool whole, extended;

    if (!may_be_written(specific, &extended))
        return false;
    charset_read(&charset, specific, strlen(specific));
    whole = encode(&charset, extended, text, length, out) &&
            reads_the_same(specific, vr, out->data ? out->data + start : "", out->length - start,
                           text, length);
    if (!whole && out->data) {
        out->length = start;
        out->data[start] = '\0';
    }
    return whole;
}

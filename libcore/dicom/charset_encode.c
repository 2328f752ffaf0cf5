/*
 * UTF-8 to the character sets of (0008,0005), for answers in the set that was asked in. PS3.5 section 6.1.
 */
#include <iconv.h>
#include <string.h>

#include "dicom/charset_internal.h"

struct encoder {
    const struct charset *charset;
    enum repertoire set[2]; /* in use */
    struct buf *out;
};

static bool is_two_bytes(enum repertoire set)
{
    return set >= SET_KANJI && set <= SET_HANZI;
}

/* Brings the set into use. False when no escape sequence does. */
static bool designate(struct encoder *encoder, int half, enum repertoire set)
{
    if (encoder->set[half] == set)
        return true;
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

/* What separates values, lines and parts of a name: all sets are those of the start again after it, and
 * the left one must be before it (PS3.5 6.1.2.5.3). */
static bool is_delimiter(uint32_t character)
{
    return character < 0x20 || character == '^' || character == '=' || character == '\\';
}

static bool put_delimiter(struct encoder *encoder, uint32_t character)
{
    if (!designate(encoder, LEFT, encoder->charset->start[LEFT]))
        return false;
    buf_addc(encoder->out, (char)character);
    encoder->set[RIGHT] = encoder->charset->start[RIGHT];
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

static bool encode_2022(const struct charset *charset, const char *text, size_t length,
                        struct buf *out)
{
    struct encoder encoder = {.charset = charset, .out = out};
    size_t bad;

    memcpy(encoder.set, charset->start, sizeof encoder.set);
    while (length > 0) {
        uint32_t character;
        size_t used = utf8_decode(text, length, &character, &bad);

        if (!used || character == 0x1b ||
            !(is_delimiter(character) ? put_delimiter(&encoder, character)
                                      : put_character(&encoder, character)))
            return false;
        text += used;
        length -= used;
    }
    return designate(&encoder, LEFT, charset->start[LEFT]);
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

bool charset_from_utf8(const char *specific, const char *text, size_t length, struct buf *out)
{
    struct charset charset;
    size_t start = out->length;
    bool whole;

    charset_read(&charset, specific, strlen(specific));
    if (charset.guessed)
        return false;
    switch (charset.whole) {
    case SET_UTF8:
        whole = utf8_valid(text, length);
        if (whole)
            buf_add(out, text, length);
        break;
    case SET_GBK:
        whole = encode_whole("GBK", text, length, out);
        break;
    case SET_GB18030:
        whole = encode_whole("GB18030", text, length, out);
        break;
    default:
        whole = encode_2022(&charset, text, length, out);
    }
    if (!whole && out->data) {
        out->length = start;
        out->data[start] = '\0';
    }
    return whole;
}

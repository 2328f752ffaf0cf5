/*
 * What the files of charset.h share. Not for others.
 */
#ifndef PACS_DICOM_CHARSET_INTERNAL_H
#define PACS_DICOM_CHARSET_INTERNAL_H

#include <stdint.h>

#include "dicom/charset.h"

#define REPLACEMENT 0xfffd

/* Coded character sets. Single-byte ones are one half of a code table: seven bits choose the character. */
enum repertoire {
    SET_NONE,
    SET_ASCII,
    SET_ROMAJI,   /* JIS X 0201, left half: ISO-IR 14 */
    SET_KATAKANA, /* JIS X 0201, right half: ISO-IR 13 */
    SET_LATIN1,
    SET_LATIN2,
    SET_LATIN3,
    SET_LATIN4,
    SET_LATIN5,
    SET_LATIN9,
    SET_CYRILLIC,
    SET_ARABIC,
    SET_GREEK,
    SET_HEBREW,
    SET_THAI,
    SET_KANJI,        /* JIS X 0208: from here on two bytes of 94 values each */
    SET_KANJI_MORE,   /* JIS X 0212 */
    SET_HANGUL,       /* KS X 1001 */
    SET_HANZI,        /* GB 2312 */
    SET_GBK,          /* two bytes, 126 x 191 */
    SET_GB18030,      /* the same */
    SET_GB18030_FOUR, /* four bytes, those of the Basic Multilingual Plane in order */
    SET_UTF8,         /* not a table */
    SET_COUNT
};

#define TABLE_94      (94 * 94)
#define GBK_TRAILS    (0xff - 0x40)
#define TABLE_GBK     (126 * GBK_TRAILS)
#define TABLE_GB18030 39420

/* The character at a place of the set's table: the low seven bits of a byte; row * 94 + cell; (lead -
 * 0x81) * GBK_TRAILS + trail - 0x40; or the four-byte code's number. 0: there is none. */
uint32_t repertoire_char(enum repertoire set, unsigned place);

/* The character at `text`: returns its bytes, or 0 when they are not valid, and then in `bad` how many of them
 * to replace by one U+FFFD (Unicode 3.9, "maximal subparts"). `length` is at least 1. */
size_t utf8_decode(const char *text, size_t length, uint32_t *character, size_t *bad);
/* Writes up to four bytes and returns how many. */
size_t utf8_encode(uint32_t character, char *out);

/* ---- what (0008,0005) says: charset.c ---- */

enum { LEFT, RIGHT }; /* the halves of the code table: G0 in bytes below 0x80, G1 above */

struct charset {
    enum repertoire whole;    /* UTF-8, GB18030, GBK: no code extensions; else SET_NONE */
    enum repertoire start[2]; /* in use at the start and after each reset */
    enum repertoire spare;    /* for bytes above 0x7f where nothing is: a declared set that fits */
    uint32_t declared;        /* bit per set */
    bool guessed;             /* not what the standard allows */
};

void charset_read(struct charset *charset, const char *specific, size_t length);

/* An escape sequence after ESC: the set that comes into use, and in which half. The first for a set is the
 * one to write. */
struct escape {
    const char *bytes;
    int half;
    enum repertoire set;
};
extern const struct escape charset_escapes[];
extern const size_t charset_escapes_count;

/* The place of a character in a set's table of one or two bytes; -1 when it has none. */
int repertoire_place(enum repertoire set, uint32_t character);

#endif

/*
 * The tables of the character sets: taken from the C library's iconv, each when it is first needed,
 * and kept. A table has no state and no converter is held, so threads share them and no input can
 * bring one out of step; what switches between sets is charset.c's own code.
 */
#include "dicom/charset_internal.h"

#include <iconv.h>
#include <pthread.h>
#include <stdatomic.h>

/* How a place in a table is written in the encoding that iconv knows. */
enum shape { SHAPE_RIGHT, SHAPE_94, SHAPE_94_THIRD, SHAPE_GBK, SHAPE_FOUR };

/* One page per set; those of no use are never touched. */
static uint32_t right[SET_THAI - SET_LATIN2 + 1][128];
static uint32_t kanji[TABLE_94], kanji_more[TABLE_94], hangul[TABLE_94], hanzi[TABLE_94];
static uint32_t gbk[TABLE_GBK], gb18030[TABLE_GBK], gb18030_four[TABLE_GB18030];

static struct table {
    const char *encoding;
    const char *wider; /* the same with vendors' additions, for the places that are left */
    enum shape shape;
    uint32_t *characters;
    unsigned count;
    atomic_bool ready;
} tables[SET_COUNT] = {
    [SET_LATIN2] = {"ISO-8859-2", NULL, SHAPE_RIGHT, right[0], 128, false},
    [SET_LATIN3] = {"ISO-8859-3", NULL, SHAPE_RIGHT, right[1], 128, false},
    [SET_LATIN4] = {"ISO-8859-4", NULL, SHAPE_RIGHT, right[2], 128, false},
    [SET_LATIN5] = {"ISO-8859-9", NULL, SHAPE_RIGHT, right[3], 128, false},
    [SET_LATIN9] = {"ISO-8859-15", NULL, SHAPE_RIGHT, right[4], 128, false},
    [SET_CYRILLIC] = {"ISO-8859-5", NULL, SHAPE_RIGHT, right[5], 128, false},
    [SET_ARABIC] = {"ISO-8859-6", NULL, SHAPE_RIGHT, right[6], 128, false},
    [SET_GREEK] = {"ISO-8859-7", NULL, SHAPE_RIGHT, right[7], 128, false},
    [SET_HEBREW] = {"ISO-8859-8", NULL, SHAPE_RIGHT, right[8], 128, false},
    [SET_THAI] = {"TIS-620", NULL, SHAPE_RIGHT, right[9], 128, false},
    [SET_KANJI] = {"EUC-JP", "EUC-JP-MS", SHAPE_94, kanji, TABLE_94, false},
    [SET_KANJI_MORE] = {"EUC-JP", NULL, SHAPE_94_THIRD, kanji_more, TABLE_94, false},
    [SET_HANGUL] = {"EUC-KR", NULL, SHAPE_94, hangul, TABLE_94, false},
    [SET_HANZI] = {"EUC-CN", NULL, SHAPE_94, hanzi, TABLE_94, false},
    [SET_GBK] = {"GBK", NULL, SHAPE_GBK, gbk, TABLE_GBK, false},
    [SET_GB18030] = {"GB18030", NULL, SHAPE_GBK, gb18030, TABLE_GBK, false},
    [SET_GB18030_FOUR] = {"GB18030", NULL, SHAPE_FOUR, gb18030_four, TABLE_GB18030, false},
};

static size_t code(enum shape shape, unsigned place, unsigned char bytes[4])
{
    switch (shape) {
    case SHAPE_RIGHT:
        bytes[0] = (unsigned char)(0x80 | place);
        return 1;
    case SHAPE_94:
        bytes[0] = (unsigned char)(0xa1 + place / 94);
        bytes[1] = (unsigned char)(0xa1 + place % 94);
        return 2;
    case SHAPE_94_THIRD: /* EUC's code set 3 */
        bytes[0] = 0x8f;
        bytes[1] = (unsigned char)(0xa1 + place / 94);
        bytes[2] = (unsigned char)(0xa1 + place % 94);
        return 3;
    case SHAPE_GBK:
        bytes[0] = (unsigned char)(0x81 + place / GBK_TRAILS);
        bytes[1] = (unsigned char)(0x40 + place % GBK_TRAILS);
        return 2;
    default:
        bytes[0] = (unsigned char)(0x81 + place / 12600);
        bytes[1] = (unsigned char)(0x30 + place / 1260 % 10);
        bytes[2] = (unsigned char)(0x81 + place / 10 % 126);
        bytes[3] = (unsigned char)(0x30 + place % 10);
        return 4;
    }
}

/* Without the converter (a system with parts of its C library missing) the table stays empty and
 * its characters are replaced. */
static void fill(struct table *table, const char *encoding)
{
    iconv_t converter = iconv_open("WCHAR_T", encoding);

    if (converter == (iconv_t)-1)
        return;
    for (unsigned place = 0; place < table->count; place++) {
        unsigned char bytes[4];
        uint32_t found[2] = {0};
        char *from = (char *)bytes, *to = (char *)found;
        size_t left = code(table->shape, place, bytes), room = sizeof found;

        if (table->characters[place])
            continue;
        iconv(converter, NULL, NULL, NULL, NULL);
        /* One code is one character; and none of several bytes may become an ASCII one, which could
         * be a delimiter. */
        if (iconv(converter, &from, &left, &to, &room) != (size_t)-1 && left == 0 &&
            room == sizeof found - sizeof found[0] && found[0] >= 0x80 && found[0] < 0x110000 &&
            (found[0] & 0xfffff800) != 0xd800)
            table->characters[place] = found[0];
    }
    iconv_close(converter);
}

static const uint32_t *characters(struct table *table)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    if (!atomic_load_explicit(&table->ready, memory_order_acquire)) {
        pthread_mutex_lock(&lock);
        if (!atomic_load_explicit(&table->ready, memory_order_relaxed)) {
            fill(table, table->encoding);
            if (table->wider)
                fill(table, table->wider);
            atomic_store_explicit(&table->ready, true, memory_order_release);
        }
        pthread_mutex_unlock(&lock);
    }
    return table->characters;
}

uint32_t repertoire_char(enum repertoire set, unsigned place)
{
    switch (set) {
    case SET_ASCII:
        return place;
    case SET_ROMAJI:
        return place == 0x5c ? 0xa5 : place == 0x7e ? 0x203e : place;
    case SET_KATAKANA:
        return place > 0x20 && place < 0x60 ? 0xff61 + place - 0x21 : 0;
    case SET_LATIN1:
        return 0x80 | place;
    default:
        if (place >= tables[set].count)
            return 0;
        return characters(&tables[set])[place];
    }
}

/* The other way round, for the sets of two bytes: place + 1 of each character, made when first asked. */
static uint16_t places[SET_HANZI - SET_KANJI + 1][0x10000];

static const uint16_t *places_of(enum repertoire set)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static atomic_bool ready[SET_HANZI - SET_KANJI + 1];
    size_t which = (size_t)set - SET_KANJI;

    pthread_mutex_lock(&lock);
    if (!atomic_load_explicit(&ready[which], memory_order_relaxed)) {
        for (unsigned place = TABLE_94; place-- > 0;) {
            uint32_t character = repertoire_char(set, place);

            if (character && character < 0x10000)
                places[which][character] = (uint16_t)(place + 1);
        }
        atomic_store_explicit(&ready[which], true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return places[which];
}

int repertoire_place(enum repertoire set, uint32_t character)
{
    if (set >= SET_KANJI && set <= SET_HANZI)
        return character < 0x10000 ? places_of(set)[character] - 1 : -1;
    if (set == SET_NONE || set > SET_HANZI)
        return -1;
    for (unsigned place = 0x20; place < 0x80; place++)
        if (repertoire_char(set, place) == character)
            return (int)place;
    return -1;
}

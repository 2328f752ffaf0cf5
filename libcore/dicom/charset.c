/*
 * Character sets: what (0008,0005) says, and the state machine of ISO 2022 code extensions. The
 * tables are charset_tables.c's.
 *
 * Read more leniently than the standard writes: defined terms in other spelling, escape sequences to
 * sets that are not declared, and 8-bit bytes in a set that was declared but not switched to.
 */
#include "dicom/charset_internal.h"

#include <string.h>

/* ---- Specific Character Set ---- */

/* By the registration number in the term, "ISO_IR 100" and "ISO 2022 IR 100" alike. `start`: what is
 * in use before any escape sequence where this is the first value. Kanji are no set to start with. */
static const struct registration {
    unsigned number;
    enum repertoire set, start[2];
} registrations[] = {
    {6, SET_ASCII, {SET_ASCII, SET_NONE}},
    {13, SET_KATAKANA, {SET_ROMAJI, SET_KATAKANA}},
    {14, SET_ROMAJI, {SET_ROMAJI, SET_KATAKANA}},
    {58, SET_HANZI, {SET_ASCII, SET_HANZI}},
    {87, SET_KANJI, {SET_ASCII, SET_NONE}},
    {100, SET_LATIN1, {SET_ASCII, SET_LATIN1}},
    {101, SET_LATIN2, {SET_ASCII, SET_LATIN2}},
    {109, SET_LATIN3, {SET_ASCII, SET_LATIN3}},
    {110, SET_LATIN4, {SET_ASCII, SET_LATIN4}},
    {126, SET_GREEK, {SET_ASCII, SET_GREEK}},
    {127, SET_ARABIC, {SET_ASCII, SET_ARABIC}},
    {138, SET_HEBREW, {SET_ASCII, SET_HEBREW}},
    {144, SET_CYRILLIC, {SET_ASCII, SET_CYRILLIC}},
    {148, SET_LATIN5, {SET_ASCII, SET_LATIN5}},
    {149, SET_HANGUL, {SET_ASCII, SET_HANGUL}},
    {159, SET_KANJI_MORE, {SET_ASCII, SET_NONE}},
    {166, SET_THAI, {SET_ASCII, SET_THAI}},
    {192, SET_UTF8, {SET_ASCII, SET_NONE}},
    {203, SET_LATIN9, {SET_ASCII, SET_LATIN9}},
#define NUMBER_GBK     20000 /* more digits than a term may have */
#define NUMBER_GB18030 20001
    {NUMBER_GBK, SET_GBK, {SET_ASCII, SET_NONE}},
    {NUMBER_GB18030, SET_GB18030, {SET_ASCII, SET_NONE}},
};

/* Names without such a number, as spelt() leaves them. Two are the standard's, the others are met. */
static const struct {
    const char *name;
    unsigned number;
} names[] = {
    {"GB18030", NUMBER_GB18030},
    {"GBK", NUMBER_GBK},
    {"GB2312", NUMBER_GBK},
    {"UTF8", 192},
    {"ASCII", 6},
    {"USASCII", 6},
    {"LATIN1", 100},
    {"ISO88591", 100},
    {"ISO88592", 101},
    {"ISO88595", 144},
    {"ISO885915", 203},
};

/* Only letters and digits count, in upper case: ISO_IR 100, "iso-ir 100", "ISO IR_100 ". */
static size_t spelt(const char *term, size_t length, char name[32])
{
    size_t count = 0;

    for (size_t i = 0; i < length; i++) {
        char c = term[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - ('a' - 'A'));
        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9'))
            continue;
        if (count == 31)
            break;
        name[count++] = c;
    }
    name[count] = '\0';
    return count;
}

static const struct registration *registration(const char *name)
{
    static const char *const prefixes[] = {"ISO2022IR", "ISO2022", "ISOIR", "IR", ""};
    unsigned number = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i].name, name) == 0)
            number = names[i].number;
    if (number == 0) {
        const char *const *prefix = prefixes;

        while (strncmp(name, *prefix, strlen(*prefix)) != 0)
            prefix++;
        name += strlen(*prefix);
        for (size_t i = 0; name[i]; i++) {
            if (i == 4 || name[i] < '0' || name[i] > '9')
                return NULL;
            number = number * 10 + (unsigned)(name[i] - '0');
        }
    }
    for (size_t i = 0; i < sizeof registrations / sizeof registrations[0]; i++)
        if (registrations[i].number == number)
            return &registrations[i];
    return NULL;
}

static void read_term(struct charset *charset, const char *term, size_t length, bool first)
{
    char name[32];
    const struct registration *found;

    if (spelt(term, length, name) == 0)
        return;
    found = registration(name);
    if (!found) {
        charset->guessed |= first;
        return;
    }
    if (found->set >= SET_GBK) { /* there is no switching to or from these */
        charset->guessed |= !first;
        if (charset->whole == SET_NONE)
            charset->whole = found->set;
        return;
    }
    charset->declared |= UINT32_C(1) << found->set;
    if (found->set == SET_KATAKANA)
        charset->declared |= UINT32_C(1) << SET_ROMAJI;
    if (first)
        memcpy(charset->start, found->start, sizeof charset->start);
    else if (charset->spare == SET_NONE)
        charset->spare = found->start[RIGHT];
}

void charset_read(struct charset *charset, const char *specific, size_t length)
{
    *charset =
        (struct charset){.start = {SET_ASCII, SET_NONE}, .declared = UINT32_C(1) << SET_ASCII};
    for (size_t i = 0, start = 0; i <= length; i++) {
        if (i < length && specific[i] != '\\')
            continue;
        read_term(charset, specific + start, i - start, start == 0);
        start = i + 1;
        /* Terms without end are no more than noise; each set is named by then. */
        if (i >= 1024)
            break;
    }
}

/* ---- decoding ---- */

struct decoder {
    const struct charset *charset;
    enum repertoire set[2]; /* in use */
    enum repertoire spare;
    bool several; /* '\' separates values */
    bool name;    /* '^' and '=' separate parts of a name */
    bool sure;    /* nothing replaced or guessed so far */
    char *out;
};

static void put(struct decoder *decoder, uint32_t character)
{
    decoder->out += utf8_encode(character, decoder->out);
}

static void replace(struct decoder *decoder)
{
    decoder->sure = false;
    put(decoder, REPLACEMENT);
}

/* What a table holds: 0 for nothing. */
static void put_found(struct decoder *decoder, uint32_t character)
{
    if (character)
        put(decoder, character);
    else
        replace(decoder);
}

/* PS3.3 tables C.12-3 and C.12-4; the last three are what other users of ISO 2022 write. */
const struct escape charset_escapes[] = {
    {"(B", LEFT, SET_ASCII},       {"(J", LEFT, SET_ROMAJI},    {")I", RIGHT, SET_KATAKANA},
    {"-A", RIGHT, SET_LATIN1},     {"-B", RIGHT, SET_LATIN2},   {"-C", RIGHT, SET_LATIN3},
    {"-D", RIGHT, SET_LATIN4},     {"-L", RIGHT, SET_CYRILLIC}, {"-G", RIGHT, SET_ARABIC},
    {"-F", RIGHT, SET_GREEK},      {"-H", RIGHT, SET_HEBREW},   {"-M", RIGHT, SET_LATIN5},
    {"-b", RIGHT, SET_LATIN9},     {"-T", RIGHT, SET_THAI},     {"$B", LEFT, SET_KANJI},
    {"$(D", LEFT, SET_KANJI_MORE}, {"$)C", RIGHT, SET_HANGUL},  {"$)A", RIGHT, SET_HANZI},
    {"$@", LEFT, SET_KANJI},       {"(I", LEFT, SET_KATAKANA},  {"$(B", LEFT, SET_KANJI},
};
const size_t charset_escapes_count = sizeof charset_escapes / sizeof charset_escapes[0];

/* The escape sequence after ESC: how many bytes it has, 0 when it is none that is known. */
static size_t designate(struct decoder *decoder, const char *text, size_t length)
{
    for (size_t i = 0; i < charset_escapes_count; i++) {
        const struct escape *escape = &charset_escapes[i];
        size_t size = strlen(escape->bytes);

        if (size > length || memcmp(text, escape->bytes, size) != 0)
            continue;
        decoder->set[escape->half] = escape->set;
        if (escape->half == RIGHT)
            decoder->spare = escape->set;
        if (!(decoder->charset->declared >> escape->set & 1))
            decoder->sure = false;
        return size;
    }
    return 0;
}

static void reset(struct decoder *decoder)
{
    decoder->set[LEFT] = decoder->charset->start[LEFT];
    decoder->set[RIGHT] = decoder->charset->start[RIGHT];
}

static bool two_bytes(enum repertoire set)
{
    return set >= SET_KANJI && set <= SET_HANZI;
}

/* Kanji and kana may look like delimiters; control characters are never part of them. */
static bool delimits(const struct decoder *decoder, enum repertoire set, unsigned char byte)
{
    if (byte < 0x20)
        return true;
    if (two_bytes(set) || set == SET_KATAKANA)
        return false;
    return (byte == '\\' && decoder->several) || ((byte == '^' || byte == '=') && decoder->name);
}

/* A character of two bytes, both in the half of the first. Returns the bytes used up. */
static size_t put_pair(struct decoder *decoder, enum repertoire set, const char *text,
                       size_t length)
{
    unsigned char lead = (unsigned char)text[0];
    unsigned row = (lead & 0x7f) - 0x21U, cell;

    if (length < 2 || ((unsigned char)text[1] ^ lead) & 0x80 || row > 93) {
        replace(decoder);
        return 1;
    }
    cell = ((unsigned char)text[1] & 0x7f) - 0x21U;
    if (cell > 93) {
        replace(decoder);
        return 1;
    }
    put_found(decoder, repertoire_char(set, row * 94 + cell));
    return 2;
}

static size_t put_2022(struct decoder *decoder, const char *text, size_t length)
{
    unsigned char byte = (unsigned char)text[0];
    enum repertoire set = decoder->set[byte >> 7];

    if (byte == 0x1b) {
        size_t used = designate(decoder, text + 1, length - 1);

        if (used == 0)
            replace(decoder);
        return 1 + used;
    }
    if (delimits(decoder, set, byte)) {
        reset(decoder);
        put(decoder, byte);
        return 1;
    }
    if (byte == ' ' || byte == 0x7f) {
        put(decoder, byte);
        return 1;
    }
    if (set == SET_NONE) {
        set = decoder->spare;
        decoder->sure = false;
    }
    if (two_bytes(set))
        return put_pair(decoder, set, text, length);
    put_found(decoder, set == SET_NONE ? 0 : repertoire_char(set, byte & 0x7f));
    return 1;
}

/* GBK and GB18030. An ASCII byte after a lead byte that it does not fit stays what it is. */
static size_t put_gb(struct decoder *decoder, enum repertoire set, const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned lead = at[0], trail = length > 1 ? at[1] : 0;
    uint32_t found = 0;
    size_t used = 1;

    if (lead < 0x80) {
        put(decoder, lead);
        return 1;
    }
    if (lead == 0x80 || lead == 0xff) {
        found = 0;
    } else if (trail >= 0x40 && trail < 0xff) {
        found = repertoire_char(set, (lead - 0x81) * GBK_TRAILS + trail - 0x40);
        used = found || trail >= 0x80 ? 2 : 1;
    } else if (set == SET_GB18030 && length >= 4 && trail >= 0x30 && trail <= 0x39 &&
               at[2] >= 0x81 && at[2] <= 0xfe && at[3] >= 0x30 && at[3] <= 0x39) {
        unsigned number =
            (((lead - 0x81) * 10 + trail - 0x30) * 126 + at[2] - 0x81) * 10 + at[3] - 0x30;
        unsigned beyond = number - 189000; /* U+10000 and up, in order */

        found = number < TABLE_GB18030 ? repertoire_char(SET_GB18030_FOUR, number)
                : beyond < 0x100000    ? 0x10000 + beyond
                                       : 0;
        used = found ? 4 : 1;
    }
    put_found(decoder, found);
    return used;
}

static size_t put_utf8(struct decoder *decoder, const char *text, size_t length)
{
    uint32_t character;
    size_t bad, used = utf8_decode(text, length, &character, &bad);

    if (!used) {
        replace(decoder);
        return bad;
    }
    put(decoder, character);
    return used;
}

/* Text without ESC and bytes above 0x7f is the same in every set but JIS X 0201. */
static bool plain(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    size_t i = 0;

    for (uint64_t word; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        if ((word | ((word ^ ones * 0x1b) - ones)) & highs)
            break; /* perhaps: the bytes themselves decide below */
    }
    for (; i < length; i++)
        if ((unsigned char)text[i] >= 0x80 || text[i] == 0x1b)
            return false;
    return true;
}

static bool eight_bit(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] >= 0x80)
            return true;
    return false;
}

/* Values of these VRs are of the default repertoire whatever (0008,0005) says. */
static bool always_ascii(vr_t vr)
{
    switch (vr) {
    case VR_AE:
    case VR_AS:
    case VR_CS:
    case VR_DA:
    case VR_DS:
    case VR_DT:
    case VR_IS:
    case VR_TM:
    case VR_UI:
    case VR_UR:
        return true;
    default:
        return false;
    }
}

static bool romaji(const char *specific, size_t length)
{
    return specific && length >= 2 && memmem(specific, length, "13", 2);
}

bool charset_to_utf8(const char *specific, size_t specific_length, vr_t vr, const char *bytes,
                     size_t length, struct buf *out)
{
    struct charset charset;
    struct decoder decoder = {.charset = &charset, .sure = true};

    if (plain(bytes, length) && (always_ascii(vr) || !romaji(specific, specific_length))) {
        buf_add(out, bytes, length);
        return true;
    }
    charset_read(&charset, specific, specific ? specific_length : 0);
    if (always_ascii(vr))
        charset.start[LEFT] = SET_ASCII;
    if (charset.whole == SET_NONE && charset.start[RIGHT] == SET_NONE &&
        charset.spare == SET_NONE) { /* nothing said of bytes above 0x7f */
        if (eight_bit(bytes, length) && utf8_valid(bytes, length)) {
            charset.whole = SET_UTF8;
            charset.guessed = true;
        } else {
            charset.spare = SET_LATIN1;
        }
    }
    decoder.sure = !charset.guessed;
    if (charset.whole == SET_UTF8 && utf8_valid(bytes, length)) {
        buf_add(out, bytes, length);
        return decoder.sure;
    }
    decoder.several = vr != VR_LT && vr != VR_ST && vr != VR_UT;
    decoder.name = vr == VR_PN;
    decoder.spare = charset.spare;
    reset(&decoder);
    /* Of a byte come at most the three of U+FFFD, or of a kana. */
    decoder.out = buf_reserve(out, 3 * length + 1);
    for (size_t i = 0; i < length;) {
        if (charset.whole == SET_NONE)
            i += put_2022(&decoder, bytes + i, length - i);
        else if (charset.whole == SET_UTF8)
            i += put_utf8(&decoder, bytes + i, length - i);
        else
            i += put_gb(&decoder, charset.whole, bytes + i, length - i);
    }
    *decoder.out = '\0';
    out->length = (size_t)(decoder.out - out->data);
    return decoder.sure;
}

/*
 * See text.h.
 */
#include "base/text.h"

#include <string.h>

size_t text_next(const char *at, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)at;
    size_t length = byte[0] < 0x80   ? 1
                    : byte[0] < 0xc2 ? 0
                    : byte[0] < 0xe0 ? 2
                    : byte[0] < 0xf0 ? 3
                    : byte[0] < 0xf5 ? 4
                                     : 0;
    uint32_t value = byte[0] & (0x7fu >> length);

    *code = TEXT_INVALID;
    if (length == 1)
        *code = byte[0];
    if (length < 2)
        return 1;
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80) /* the terminating NUL too */
            return 1;
        value = value << 6 | (byte[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 1;
    *code = value;
    return length;
}

bool text_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool text_is_directional(uint32_t code)
{
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

struct range {
    uint32_t first, last;
};

static bool among(uint32_t code, const struct range *range, size_t count)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (code > range[middle].last)
            low = middle + 1;
        else if (code < range[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

/* wcwidth would follow the locale, which may be C, and loading another takes longer than a query: so
 * the ranges themselves. Marks of the scripts in which people's names are written; East Asian wide. */
int text_code_width(uint32_t code)
{
    static const struct range marks[] = {
        {0x300, 0x36f},     {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},   {0x5c1, 0x5c2},
        {0x5c4, 0x5c5},     {0x5c7, 0x5c7},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x670, 0x670},
        {0x6d6, 0x6dc},     {0x6df, 0x6e4},   {0x6e7, 0x6e8},   {0x6ea, 0x6ed},   {0x900, 0x902},
        {0x93a, 0x93a},     {0x93c, 0x93c},   {0x941, 0x948},   {0x94d, 0x94d},   {0x951, 0x957},
        {0x962, 0x963},     {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1160, 0x11ff},
        {0x200b, 0x200f},   {0x202a, 0x202e}, {0x2060, 0x2064}, {0x2066, 0x206f}, {0x20d0, 0x20f0},
        {0x302a, 0x302d},   {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
        {0xe0100, 0xe01ef},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
        {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x2fffd}, {0x30000, 0x3fffd},
    };

    if (code < 0x300)
        return 1;
    if (among(code, marks, sizeof marks / sizeof *marks))
        return 0;
    return among(code, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

int text_width(const char *text)
{
    int width = 0;
    uint32_t code;

    while (*text) {
        text += text_next(text, &code);
        width += code == TEXT_INVALID ? 1 : text_code_width(code);
    }
    return width;
}

void text_make_printable(char *text)
{
    char *to = text;
    uint32_t code;

    while (*text) {
        size_t length = text_next(text, &code);

        if (code != TEXT_INVALID && text_is_control(code)) {
            *to++ = '?';
        } else {
            memmove(to, text, length);
            to += length;
        }
        text += length;
    }
    *to = '\0';
}

/*
 * How a data set is written: judged by its first elements, see scan_internal.h. Needed for bare data
 * sets, and because meta headers lie.
 */
#include "dicom/dict.h"
#include "dicom/scan_internal.h"

#define LOOK_ELEMENTS 4

#define BIT(letter) (UINT32_C(1) << ((letter) - 'A'))
const struct vr_letters vr_letters[26] = {
    ['A' - 'A'] = {BIT('E') | BIT('S') | BIT('T'), 0},
    ['C' - 'A'] = {BIT('S'), 0},
    ['D' - 'A'] = {BIT('A') | BIT('S') | BIT('T'), 0},
    ['F' - 'A'] = {BIT('D') | BIT('L'), 0},
    ['I' - 'A'] = {BIT('S'), 0},
    ['L' - 'A'] = {BIT('O') | BIT('T'), 0},
    ['O' - 'A'] = {BIT('B') | BIT('D') | BIT('F') | BIT('L') | BIT('V') | BIT('W'),
                   BIT('B') | BIT('D') | BIT('F') | BIT('L') | BIT('V') | BIT('W')},
    ['P' - 'A'] = {BIT('N'), 0},
    ['S' - 'A'] = {BIT('H') | BIT('L') | BIT('Q') | BIT('S') | BIT('T') | BIT('V'),
                   BIT('Q') | BIT('V')},
    ['T' - 'A'] = {BIT('M'), 0},
    ['U' - 'A'] = {BIT('C') | BIT('I') | BIT('L') | BIT('N') | BIT('R') | BIT('S') | BIT('T') |
                       BIT('V'),
                   BIT('C') | BIT('N') | BIT('R') | BIT('T') | BIT('V')},
};

/* The length in an element's header, and whether the header makes sense. */
static bool fit_length(const unsigned char *p, size_t n, struct encoding encoding, size_t *header,
                       uint32_t *length)
{
    bool big = encoding.big_endian;
    vr_t vr = (vr_t)(p[4] << 8 | p[5]);

    *header = 8;
    if (!encoding.explicit_vr) {
        *length = get32(p + 4, big);
        return get16(p + 2, big) != 0 || *length == 4; /* a group length is UL */
    }
    if (!vr_is_known(vr))
        return false;
    if (!vr_is_long(vr)) {
        *length = get16(p + 6, big);
        return true;
    }
    *header = 12;
    *length = n >= 12 ? get32(p + 8, big) : 0;
    return n >= 12;
}

/* How many elements at the start make sense in an encoding: a possible VR and length, tags ascending,
 * the first one known to the standard (else it does not count, and in a bare data set ends the look).
 * What lies behind the window or inside a sequence of undefined length is not looked at. */
static int fit(const unsigned char *p, size_t n, struct encoding encoding, bool bare)
{
    bool big = encoding.big_endian;
    tag_t previous = 0;
    int good = 0;

    for (int i = 0; i < LOOK_ELEMENTS && n >= 8; i++) {
        tag_t tag = get_tag(p, big);
        bool known = i > 0 || TAG_ELEMENT(tag) == 0 || dict_by_tag(tag);
        size_t header;
        uint32_t length;

        if (TAG_GROUP(tag) == 0xfffe || (i > 0 && tag <= previous) || (bare && !known) ||
            !fit_length(p, n, encoding, &header, &length))
            return good;
        if (length == UINT32_MAX) {
            tag_t inner = n >= header + 4 ? get_tag(p + header, big) : 0;

            return good + (inner == TAG(0xfffe, 0xe000) || inner == TAG(0xfffe, 0xe0dd));
        }
        if (length > n - header)
            return good;
        good += known;
        previous = tag;
        p += header + length;
        n -= header + length;
    }
    return good;
}

struct encoding look_at_dataset(const unsigned char *bytes, size_t length, struct encoding expected,
                                bool bare, int *elements)
{
    static const struct encoding all[] = {{true, false}, {false, false}, {true, true}};
    struct encoding best = expected;

    *elements = fit(bytes, length, expected, bare);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int good = *elements < LOOK_ELEMENTS ? fit(bytes, length, all[i], bare) : 0;

        if (good > *elements) {
            *elements = good;
            best = all[i];
        }
    }
    return best;
}

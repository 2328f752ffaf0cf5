/*
 * Elements, values and sequences by chance, for dicomgen.c.
 */
#ifndef PACS_TESTS_DICOMGEN_RANDOM_H
#define PACS_TESTS_DICOMGEN_RANDOM_H

#include <string.h>

#include "base/mem.h"
#include "dicom/tag.h"

#define DEPTH       5
#define UNDEFINED   UINT32_MAX
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

struct encoding {
    bool explicit_vr, big_endian;
};

/* ---- chance ---- */

/* splitmix64: every instance begins with a state of its own, so the order of writing is free. */
static uint64_t state;

static uint64_t chance(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(chance() % n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

static void start_chance(uint64_t seed, const unsigned place[4])
{
    state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    for (int i = 0; i < 4; i++)
        state = chance() ^ place[i];
}

/* ---- bytes ---- */

static void put(struct buf *out, uint64_t value, int width, bool big)
{
    for (int i = 0; i < width; i++)
        buf_addc(out, (char)(value >> 8 * (big ? width - 1 - i : i)));
}

static bool is_long_vr(vr_t vr)
{
    static const vr_t list[] = {VR_OB, VR_OD, VR_OF, VR_OL, VR_OV, VR_OW, VR_SQ,
                                VR_SV, VR_UC, VR_UN, VR_UR, VR_UT, VR_UV};

    for (size_t i = 0; i < COUNT(list); i++)
        if (list[i] == vr)
            return true;
    return false;
}

static void put_header(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr,
                       uint32_t length)
{
    put(out, TAG_GROUP(tag), 2, encoding.big_endian);
    put(out, TAG_ELEMENT(tag), 2, encoding.big_endian);
    if (!encoding.explicit_vr || TAG_GROUP(tag) == 0xfffe) {
        put(out, length, 4, encoding.big_endian);
        return;
    }
    put(out, vr, 2, true);
    if (is_long_vr(vr)) {
        put(out, 0, 2, true);
        put(out, length, 4, encoding.big_endian);
    } else {
        put(out, length, 2, encoding.big_endian);
    }
}

static void put_bytes(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr,
                      const char *bytes, size_t length)
{
    put_header(out, encoding, tag, vr, (uint32_t)(length + length % 2));
    buf_add(out, bytes, length);
    if (length % 2)
        buf_addc(out, vr == VR_UI || vr == VR_OB || vr == VR_UN ? '\0' : ' ');
}

static void put_text(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr,
                     const char *text)
{
    put_bytes(out, encoding, tag, vr, text, strlen(text));
}

/* ---- values by chance ---- */

static void random_uid(struct buf *out)
{
    unsigned __int128 number = chance(); /* one call a statement: C leaves the order open */
    char digits[40];
    int at = sizeof digits;

    number = number << 64 | chance();
    do
        digits[--at] = (char)('0' + (int)(number % 10));
    while ((number /= 10) != 0);
    buf_adds(out, "2.25.");
    buf_add(out, digits + at, sizeof digits - (size_t)at);
}

static void random_words(struct buf *out, size_t most, const char *letters)
{
    size_t length = 1 + below((unsigned)most), count = strlen(letters);

    for (size_t i = 0; i < length; i++) {
        char c = letters[below((unsigned)count)];

        buf_addc(out, c == ' ' && (i == 0 || i + 1 == length) ? 'x' : c);
    }
}

static void random_one(struct buf *out, vr_t vr, size_t longest)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .-_";
    static const char text[] = "the quick brown fox: 0123456789, jumps (over) ^ = \\ / the dog";

    switch (vr) {
    case VR_UI:
        random_uid(out);
        break;
    case VR_DA:
    case VR_DT:
        buf_addf(out, "%04u", 1900 + below(130));
        buf_addf(out, "%02u", 1 + below(12));
        buf_addf(out, "%02u", 1 + below(28));
        if (vr == VR_DA)
            break;
        /* fallthrough */
    case VR_TM:
        buf_addf(out, "%02u", below(24));
        buf_addf(out, "%02u", below(60));
        buf_addf(out, "%02u", below(60));
        if (one_in(2))
            buf_addf(out, ".%06u", below(1000000));
        break;
    case VR_AS:
        buf_addf(out, "%03u", below(1000));
        buf_addc(out, "DWMY"[below(4)]);
        break;
    case VR_IS:
        buf_addf(out, "%d", (int)below(2000000) - 1000000);
        break;
    case VR_DS:
        buf_addf(out, "%d.", (int)below(2000) - 1000);
        buf_addf(out, "%u", below(10000));
        break;
    case VR_CS:
        random_words(out, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
        break;
    case VR_AE:
    case VR_SH:
        random_words(out, 16, letters);
        break;
    case VR_LO:
        random_words(out, 64, letters);
        break;
    case VR_PN:
        random_words(out, 12, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        buf_addc(out, '^');
        random_words(out, 12, "abcdefghijklmnopqrstuvwxyz");
        break;
    case VR_ST:
    case VR_LT:
        random_words(out, longest > 300 ? 1024 : longest, text);
        break;
    case VR_UT:
    case VR_UC:
        random_words(out, longest, letters);
        break;
    default: /* UR */
        buf_adds(out, "http://example.org/");
        random_words(out, 60, "abcdefghijklmnopqrstuvwxyz0123456789/?=&");
    }
}

static int width_of(vr_t vr)
{
    switch (vr) {
    case VR_US:
    case VR_SS:
    case VR_OW:
        return 2;
    case VR_UL:
    case VR_SL:
    case VR_FL:
    case VR_OL:
    case VR_OF:
        return 4;
    case VR_FD:
    case VR_UV:
    case VR_SV:
    case VR_OD:
    case VR_OV:
        return 8;
    default:
        return 0;
    }
}

static void random_number(struct buf *out, vr_t vr, bool big)
{
    union {
        float single;
        uint32_t word;
    } f = {.single = (float)((int)below(20001) - 10000) / 8};
    union {
        double number;
        uint64_t wide;
    } d = {.number = (double)((int)below(2000001) - 1000000) / 16};

    if (vr == VR_AT) {
        put(out, 0x0008 + 2 * below(16), 2, big);
        put(out, below(0x1000), 2, big);
    } else if (vr == VR_FL || vr == VR_OF) {
        put(out, f.word, 4, big);
    } else if (vr == VR_FD || vr == VR_OD) {
        put(out, d.wide, 8, big);
    } else {
        /* US may be "US or SS": small enough for both. */
        put(out, vr == VR_US ? below(32768) : chance(), width_of(vr), big);
    }
}

static bool is_text(vr_t vr)
{
    return width_of(vr) == 0 && vr != VR_AT && vr != VR_OB && vr != VR_UN && vr != VR_SQ;
}

static bool may_repeat(vr_t vr)
{
    return vr != VR_ST && vr != VR_LT && vr != VR_UT && vr != VR_UR;
}

static void put_sequence(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr, int depth);

static void put_random(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr, int depth)
{
    struct buf value = {0};
    unsigned times = one_in(4) ? 1 + below(4) : 1;
    unsigned longest = depth == 0 && one_in(40) ? 100000 : depth == 0 ? 300 : 60;

    if (vr == VR_SQ) {
        put_sequence(out, encoding, tag, VR_SQ, depth);
        return;
    }
    if (!one_in(8)) { /* else empty */
        for (unsigned i = 0; i < times && is_text(vr); i++) {
            if (i && !may_repeat(vr))
                break;
            if (i)
                buf_addc(&value, '\\');
            random_one(&value, vr, longest);
        }
        if (vr == VR_OB || vr == VR_UN)
            for (unsigned left = 1 + below(longest); left; left--)
                buf_addc(&value, (char)chance());
        else if (!is_text(vr))
            for (unsigned i = 0; i < times; i++)
                random_number(&value, vr, encoding.big_endian);
    }
    if (value.length > 0xfffe && !is_long_vr(vr) && encoding.explicit_vr)
        value.length = 0xfffe;
    put_bytes(out, encoding, tag, vr, buf_text(&value), value.length);
    buf_free(&value);
}

/* Tags that also stand outside: a reader must not mix them up. In ascending order. */
static void put_item(struct buf *out, struct encoding encoding, int depth)
{
    static const struct {
        tag_t tag;
        vr_t vr;
    } inner[] = {
        {0x00080005, VR_CS}, {0x00080018, VR_UI}, {0x00080060, VR_CS}, {0x00080100, VR_SH},
        {0x00080104, VR_LO}, {0x00081140, VR_SQ}, {0x00081199, VR_SQ}, {0x00091001, VR_UN},
        {0x00100010, VR_PN}, {0x00100020, VR_LO}, {0x0020000d, VR_UI}, {0x00280010, VR_US},
        {0x0040a160, VR_UT}, {0x0040a168, VR_SQ}, {0x0040a730, VR_SQ}, {0x60003000, VR_OW},
    };

    for (size_t i = 0; i < COUNT(inner); i++) {
        if (!one_in(inner[i].vr == VR_SQ ? 8 : 4))
            continue;
        if (inner[i].tag == 0x00080005) /* one that is sure to be known */
            put_text(out, encoding, inner[i].tag, VR_CS, "ISO_IR 100");
        else if (inner[i].vr != VR_SQ || depth < DEPTH)
            put_random(out, encoding, inner[i].tag, inner[i].vr, depth + 1);
    }
}

static void put_sequence(struct buf *out, struct encoding encoding, tag_t tag, vr_t vr, int depth)
{
    struct encoding inside = vr == VR_UN ? (struct encoding){false, false} : encoding;
    unsigned items = one_in(5) ? 0 : 1 + below(3);
    bool undefined = vr == VR_UN || one_in(2);
    struct buf all = {0};

    for (unsigned i = 0; i < items; i++) {
        bool open = one_in(2);
        struct buf item = {0};

        put_item(&item, inside, depth);
        put_header(&all, inside, 0xfffee000, 0, open ? UNDEFINED : (uint32_t)item.length);
        buf_add(&all, buf_text(&item), item.length);
        if (open)
            put_header(&all, inside, 0xfffee00d, 0, 0);
        buf_free(&item);
    }
    put_header(out, encoding, tag, vr, undefined ? UNDEFINED : (uint32_t)all.length);
    buf_add(out, buf_text(&all), all.length);
    if (undefined)
        put_header(out, inside, 0xfffee0dd, 0, 0);
    buf_free(&all);
}

#endif

/*
 * A compiled key as values of a C-FIND identifier: what DICOM can say of it (PS3.4 C.2.2.2), and nothing
 * that would leave out what the key lets in. The answers are tested with the key itself.
 */
#include "dicom/match_internal.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "base/text.h"

#define UIDS_PER_VALUE 500 /* with 65 characters each well below the 64 KB of an explicit length */
/* Scripts from here on have no letter case, and stand in the second or third group of a name. */
#define FIRST_UNCASED 0x0590

/* ---- dates and times ---- */

/* "HHMMSS.FFFFFF", rounded outwards: peers compare as texts, and may store HHMM. */
static void add_clock(const struct item *item, struct buf *value)
{
    bool low = item->text && strncmp(item->text, "0000", 4) != 0;
    bool high = item->high && strcmp(item->high, "235959.999999") < 0;

    if (low)
        buf_add(value, item->text, 4);
    if (low || high)
        buf_addc(value, '-');
    if (high)
        buf_addf(value, "%.6s.999999", item->high);
}

static void add_date(const struct item *item, struct buf *value)
{
    bool one = item->text && item->high && strcmp(item->text, item->high) == 0;

    buf_adds(value, item->text ? item->text : "");
    if (!one)
        buf_addf(value, "-%s", item->high ? item->high : "");
}

/* ---- texts ---- */

/* Characters that a value of the VR has at most: a longer key would be refused. */
static size_t longest(vr_t vr)
{
    switch (vr) {
    case VR_AE:
    case VR_CS:
    case VR_SH:
        return 16;
    case VR_AS:
        return 4;
    case VR_LO:
        return 64;
    default:
        return 1024;
    }
}

static void add_cut(const char *text, size_t limit, struct buf *value)
{
    size_t count = 0, cut = 0, length = strlen(text);

    for (size_t at = 0; at < length; count++) {
        uint32_t code;

        if (count + 1 == limit)
            cut = at;
        at += text_next(text + at, &code);
    }
    if (count <= limit)
        buf_adds(value, text);
    else
        buf_addf(value, "%.*s*", (int)cut, text);
}

/* ---- names ---- */

enum spelling { AS_TYPED, UPPER, CAPITALS, LOWER, SPELLINGS };

static void put_code(uint32_t code, struct buf *out)
{
    if (code < 0x80) {
        buf_addc(out, (char)code);
    } else if (code < 0x800) {
        buf_addc(out, (char)(0xc0 | code >> 6));
        buf_addc(out, (char)(0x80 | (code & 0x3f)));
    } else {
        if (code < 0x10000) {
            buf_addc(out, (char)(0xe0 | code >> 12));
        } else {
            buf_addc(out, (char)(0xf0 | code >> 18));
            buf_addc(out, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_addc(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* A peer may or may not compare names without regard to letter case: PS3.4 C.2.2.2.1 leaves it open. */
static void spell(const char *name, enum spelling spelling, locale_t locale, struct buf *out)
{
    bool begins = true;

    while (*name) {
        uint32_t code;
        size_t length = text_next(name, &code);

        if (code == TEXT_INVALID || spelling == AS_TYPED) {
            buf_add(out, name, length);
        } else {
            bool upper = spelling == UPPER || (spelling == CAPITALS && begins);

            /* A '?' stands for a letter, a '*' for any number of them. */
            if (code != '*')
                begins = code != '?' && !iswalpha_l((wint_t)code, locale);
            put_code((uint32_t)(upper ? towupper_l((wint_t)code, locale)
                                      : towlower_l((wint_t)code, locale)),
                     out);
        }
        name += length;
    }
}

static bool is_alphabetic(const char *name)
{
    while (*name) {
        uint32_t code;

        name += text_next(name, &code);
        if (code >= FIRST_UNCASED)
            return false;
    }
    return true;
}

/* The value as it is matched against the whole of a name, all its groups and components. */
static void add_pattern(const struct item *item, const char *name, struct buf *out)
{
    bool before = item->any_group ? !is_alphabetic(name) : *name == '=';
    size_t length;

    while (*name == ' ')
        name++;
    length = strlen(name);
    while (length && (name[length - 1] == ' ' || name[length - 1] == '^'))
        length--;
    if (before && *name != '*')
        buf_addc(out, '*');
    buf_add(out, name, length);
    if (!length || name[length - 1] != '*')
        buf_addc(out, '*');
}

static size_t add_name(const struct item *item, struct buf *values)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    size_t start[SPELLINGS], count = 0;
    struct buf spelled = {0}, pattern = {0};

    for (int spelling = 0; spelling < SPELLINGS && (locale || spelling == AS_TYPED); spelling++) {
        bool known = false;

        buf_clear(&spelled);
        buf_clear(&pattern);
        spell(item->text, (enum spelling)spelling, locale, &spelled);
        add_pattern(item, buf_text(&spelled), &pattern);
        for (size_t i = 0; i < count; i++)
            known = known || strcmp(values->data + start[i], buf_text(&pattern)) == 0;
        if (known)
            continue;
        start[count++] = values->length;
        buf_add(values, buf_text(&pattern), pattern.length + 1);
    }
    buf_free(&spelled);
    buf_free(&pattern);
    if (locale)
        freelocale(locale);
    return count;
}

/* ---- the whole key ---- */

/* As many in one value as go into it. */
static size_t add_uids(const struct match *match, struct buf *values)
{
    for (size_t i = 0; i < match->count; i++) {
        if (i)
            buf_addc(values, i % UIDS_PER_VALUE ? '\\' : '\0');
        buf_adds(values, match->item[i].text);
    }
    buf_addc(values, '\0');
    return (match->count + UIDS_PER_VALUE - 1) / UIDS_PER_VALUE;
}

static size_t add_item(const struct match *match, const struct item *item, struct buf *values)
{
    size_t start = values->length;

    switch (match->family) {
    case FAMILY_NAME:
        return add_name(item, values);
    case FAMILY_TEXT:
        add_cut(item->text, longest(match->vr), values);
        break;
    default:
        if (match->vr == VR_DA)
            add_date(item, values);
        else
            add_clock(item, values);
    }
    /* Nothing said of one is nothing said of all. */
    if (values->length == start)
        return 0;
    buf_addc(values, '\0');
    return 1;
}

size_t match_ask(const struct match *match, struct buf *values)
{
    size_t start = values->length, count = 0;

    if (match->negated || match->count == 0 || match->kind == MATCH_EMPTY ||
        match->kind == MATCH_UNIVERSAL || match->family == FAMILY_NUMBER || match->vr == VR_DT)
        return 0;
    if (match->family == FAMILY_UID)
        return add_uids(match, values);
    for (size_t i = 0; i < match->count; i++) {
        size_t more = add_item(match, &match->item[i], values);

        count += more;
        if (more == 0 || count > MATCH_ASK_MAX) {
            values->length = start;
            return 0;
        }
    }
    return count;
}

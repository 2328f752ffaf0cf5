/*
 * Testing values against a compiled key: see match.h. Nothing here recurses, and a wild card costs about
 * the length of the text; only where '?' is about, at most pattern times text.
 */
#include "dicom/match_internal.h"

#include <stdlib.h>
#include <string.h>

#include "dicom/charset.h"

enum family family_of(vr_t vr)
{
    switch (vr) {
    case VR_UI:
        return FAMILY_UID;
    case VR_PN:
        return FAMILY_NAME;
    case VR_DA:
    case VR_TM:
    case VR_DT:
        return FAMILY_TIME;
    case VR_IS:
    case VR_DS:
    case VR_US:
    case VR_SS:
    case VR_UL:
    case VR_SL:
    case VR_UV:
    case VR_SV:
    case VR_FL:
    case VR_FD:
        return FAMILY_NUMBER;
    default:
        return FAMILY_TEXT;
    }
}

/* ---- names ---- */

const char *name_key(const char *name, struct buf *key)
{
    const char *end = name + strcspn(name, "=\\");
    size_t start = key->length;

    for (const char *at = name; at <= end;) {
        const char *stop = at + strcspn(at, "^=\\");
        const char *last = stop;

        while (at < last && *at == ' ')
            at++;
        while (last > at && last[-1] == ' ')
            last--;
        utf8_fold(at, (size_t)(last - at), key);
        if (stop == end)
            break;
        buf_addc(key, '^');
        at = stop + 1;
    }
    while (key->length > start && key->data[key->length - 1] == '^')
        key->data[--key->length] = '\0';
    return *end ? end + 1 : end;
}

/* ---- wild cards ---- */

static const char *next(const char *text, const char *end)
{
    do
        text++;
    while (text < end && ((unsigned char)*text & 0xc0) == 0x80);
    return text;
}

/* Pieces of a pattern between its '*': characters and '?'. Where the piece ends in the text when it
 * stands at its start; NULL when it does not. */
static const char *piece_at(const char *piece, size_t size, const char *text, const char *end)
{
    for (size_t i = 0; i < size; i++) {
        if (text == end || (piece[i] != '?' && piece[i] != *text))
            return NULL;
        text = piece[i] == '?' ? next(text, end) : text + 1;
    }
    return text;
}

/* The same for the first place where it stands. */
static const char *piece_in(const char *piece, size_t size, const char *text, const char *end)
{
    const char *found;

    if (!memchr(piece, '?', size)) {
        found = memmem(text, (size_t)(end - text), piece, size);
        return found ? found + size : NULL;
    }
    for (; text < end; text = next(text, end)) {
        found = piece_at(piece, size, text, end);
        if (found)
            return found;
    }
    return NULL;
}

/* The same at the text's end, as many characters before it as the piece has. */
static bool piece_ends(const char *piece, size_t size, const char *text, const char *end)
{
    const char *at = end;

    for (size_t i = 0; i < size; i++) {
        if (((unsigned char)piece[i] & 0xc0) == 0x80)
            continue;
        if (at == text)
            return false;
        do
            at--;
        while (at > text && ((unsigned char)*at & 0xc0) == 0x80);
    }
    return piece_at(piece, size, at, end) == end;
}

/* '*' any run, '?' one character. The first place for each piece is the best one: what is left of the
 * text is longest. */
static bool wild(const char *pattern, const char *text, size_t length)
{
    const char *end = text + length;
    size_t size = strcspn(pattern, "*");

    text = piece_at(pattern, size, text, end);
    while (text && pattern[size] == '*') {
        pattern += size + 1;
        size = strcspn(pattern, "*");
        if (!pattern[size])
            return piece_ends(pattern, size, text, end);
        if (size)
            text = piece_in(pattern, size, text, end);
    }
    return text == end;
}

static bool same(const char *pattern, const char *text, size_t length)
{
    return strlen(pattern) == length && memcmp(pattern, text, length) == 0;
}

static bool fits(const struct item *item, const char *pattern, const char *text, size_t length)
{
    return item->kind == MATCH_WILD ? wild(pattern, text, length) : same(pattern, text, length);
}

/* One name against one item; the folded groups of the name stand in the scratch buffer. */
static bool name_fits(const struct item *item, const char *const group[NAME_GROUPS])
{
    for (size_t i = 0; i < NAME_GROUPS; i++) {
        const char *pattern = item->group[item->any_group ? 0 : i];

        if (!pattern)
            continue;
        bool fit = fits(item, pattern, group[i], strlen(group[i])) ||
                   (item->component && fits(item, pattern, group[i], strcspn(group[i], "^")));
        if (fit == item->any_group)
            return fit;
    }
    return !item->any_group;
}

static bool test_name(const struct match *match, const char *text, size_t length)
{
    struct buf *folded = (struct buf *)&match->scratch;
    const char *group[NAME_GROUPS] = {"", "", ""};
    size_t start[NAME_GROUPS], count = 0;
    char *name = xstrndup(text, length);

    buf_clear(folded);
    for (const char *at = name; *at && count < NAME_GROUPS; count++) {
        start[count] = folded->length;
        at = name_key(at, folded);
        buf_addc(folded, '\0');
    }
    free(name);
    for (size_t i = 0; i < count; i++)
        group[i] = folded->data + start[i];
    for (size_t i = 0; i < match->count; i++)
        if (name_fits(&match->item[i], group))
            return true;
    return false;
}

/* ---- the others ---- */

static bool test_time(const struct match *match, const char *text, size_t length)
{
    char key[24];

    if (!time_key(match->vr, text, length, false, false, key))
        return false;
    for (size_t i = 0; i < match->count; i++) {
        const struct item *item = &match->item[i];

        int low = item->text ? strcmp(key, item->text) : 1;
        int high = item->high ? strcmp(key, item->high) : -1;

        if ((item->above ? low > 0 : low >= 0) && (item->below ? high < 0 : high <= 0))
            return true;
    }
    return false;
}

bool number_value(const char *text, size_t length, double *value)
{
    char plain[64], *end;

    while (length && *text == ' ')
        text++, length--;
    while (length && text[length - 1] == ' ')
        length--;
    if (length == 0 || length >= sizeof plain)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr("0123456789+-.eE", text[i]) || !text[i])
            return false;
    memcpy(plain, text, length);
    plain[length] = '\0';
    *value = strtod(plain, &end);
    return *end == '\0';
}

static bool test_number(const struct match *match, const char *text, size_t length)
{
    double value;

    if (!number_value(text, length, &value))
        return false;
    for (size_t i = 0; i < match->count; i++) {
        const struct item *item = &match->item[i];

        if ((item->above ? value > item->least : value >= item->least) &&
            (item->below ? value < item->most : value <= item->most))
            return true;
    }
    return false;
}

/* A UID list may have a hundred thousand entries. */
static bool among(const struct match *match, const char *text, size_t length)
{
    size_t low = 0, high = match->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *entry = match->exact[middle];
        size_t size = strlen(entry);
        int order = memcmp(entry, text, size < length ? size : length);

        if (order == 0)
            order = size < length ? -1 : size > length;
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool test_text(const struct match *match, const char *text, size_t length)
{
    if (match->several) { /* spaces at either end mean nothing: PS3.5 6.2 */
        while (length && *text == ' ')
            text++, length--;
        while (length && text[length - 1] == ' ')
            length--;
    }
    if (match->exact)
        return among(match, text, length);
    for (size_t i = 0; i < match->count; i++)
        if (fits(&match->item[i], match->item[i].text, text, length))
            return true;
    return false;
}

static bool test_one(const struct match *match, const char *text, size_t length)
{
    switch (match->family) {
    case FAMILY_NAME:
        return test_name(match, text, length);
    case FAMILY_TIME:
        return test_time(match, text, length);
    case FAMILY_NUMBER:
        return test_number(match, text, length);
    default:
        return test_text(match, text, length);
    }
}

static bool test_all(const struct match *match, const char *text, size_t length)
{
    const char *end;

    if (match->kind == MATCH_UNIVERSAL)
        return true;
    if (!text || length == 0)
        return match->kind == MATCH_EMPTY;
    if (match->kind == MATCH_EMPTY)
        return false;
    if (!match->several)
        return test_one(match, text, length);
    end = text + length;
    for (;;) {
        const char *stop = memchr(text, '\\', (size_t)(end - text));

        if (test_one(match, text, (size_t)((stop ? stop : end) - text)))
            return true;
        if (!stop)
            return false;
        text = stop + 1;
    }
}

bool match_test(const struct match *match, const char *text, size_t length)
{
    return test_all(match, text, length) != match->negated;
}

/* ---- what an index wants to know ---- */

tag_t match_tag(const struct match *match)
{
    return match->tag;
}

vr_t match_vr(const struct match *match)
{
    return match->vr;
}

enum match_kind match_kind(const struct match *match)
{
    return match->kind;
}

bool match_negated(const struct match *match)
{
    return match->negated;
}

size_t match_exact(const struct match *match, const char *const **values)
{
    *values = match->negated ? NULL : match->exact;
    return *values ? match->count : 0;
}

const char *match_prefix(const struct match *match)
{
    return match->negated ? NULL : match->prefix;
}

bool match_group(const struct match *match, const char *group, size_t length)
{
    const char *caret = memchr(group, '^', length);

    for (size_t i = 0; i < match->count; i++)
        for (size_t g = 0; g < NAME_GROUPS; g++) {
            const struct item *item = &match->item[i];

            if (item->group[g] && (fits(item, item->group[g], group, length) ||
                                   (item->component && caret &&
                                    fits(item, item->group[g], group, (size_t)(caret - group)))))
                return true;
        }
    return false;
}

const char *match_low(const struct match *match)
{
    return match->negated || match->family != FAMILY_TIME || match->count != 1
               ? NULL
               : match->item[0].text;
}

const char *match_high(const struct match *match)
{
    return match->negated || match->family != FAMILY_TIME || match->count != 1
               ? NULL
               : match->item[0].high;
}

void match_free(struct match *match)
{
    if (!match)
        return;
    for (size_t i = 0; i < match->count; i++) {
        free(match->item[i].text);
        free(match->item[i].high);
        for (size_t g = 0; g < NAME_GROUPS; g++)
            free(match->item[i].group[g]);
    }
    free(match->item);
    free(match->exact);
    free(match->prefix);
    buf_free(&match->scratch);
    free(match);
}

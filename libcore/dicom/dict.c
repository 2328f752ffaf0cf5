/*
 * See dict.h.
 */
#include "dicom/dict.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dicom/dict_table.h"

#define KEYWORD_MAX 128 /* longer than any keyword: nothing is near a longer text */
#define SUGGESTIONS 4   /* at most, in a message */

static bool range_holds(const struct dict_range *range, uint16_t group, uint16_t element)
{
    return group >= range->group_first && group <= range->group_last &&
           element >= range->element_first && element <= range->element_last &&
           ((group - range->group_first) & 1) == 0 && ((element - range->element_first) & 1) == 0;
}

const struct dict_entry *dict_by_tag(tag_t tag)
{
    size_t low = 0, high = dict_table_count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (dict_table[middle].tag == tag)
            return &dict_table[middle];
        if (dict_table[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    if (TAG_GROUP(tag) & 1)
        return NULL;
    for (size_t i = 0; i < dict_range_count; i++)
        if (range_holds(&dict_ranges[i], TAG_GROUP(tag), TAG_ELEMENT(tag)))
            return &dict_table[dict_ranges[i].place];
    return NULL;
}

/* In any letter case: no two keywords differ only by it. */
static const struct dict_entry *by_name(const char *keyword)
{
    size_t low = 0, high = dict_table_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct dict_entry *entry = &dict_table[dict_by_name[middle]];
        int order = strcasecmp(keyword, entry->keyword);

        if (order == 0)
            return entry;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct dict_entry *dict_by_keyword(const char *keyword)
{
    const struct dict_entry *entry = by_name(keyword);

    return entry && strcmp(entry->keyword, keyword) == 0 ? entry : NULL;
}

vr_t dict_vr(tag_t tag)
{
    uint16_t element = TAG_ELEMENT(tag);
    const struct dict_entry *entry;

    if (element == 0)
        return VR_UL;
    if (TAG_GROUP(tag) & 1)
        return element >= 0x10 && element <= 0xff ? VR_LO : VR_UN;
    entry = dict_by_tag(tag);
    return entry ? entry->vr : VR_UN;
}

const struct dict_entry *dict_all(size_t *count)
{
    *count = dict_table_count;
    return dict_table;
}

/* ---- what a user writes ---- */

static bool four_digits(const char *text, uint16_t *value)
{
    unsigned number = 0;

    for (int i = 0; i < 4; i++) {
        char c = (char)tolower((unsigned char)text[i]);

        if (!isxdigit((unsigned char)c))
            return false;
        number = number * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *value = (uint16_t)number;
    return true;
}

/* gggg,eeee, (gggg,eeee), ggggeeee */
static bool parse_tag(const char *text, tag_t *tag)
{
    size_t length = strlen(text);
    uint16_t group, element;

    if (length == 11 && text[0] == '(' && text[10] == ')') {
        text++;
        length -= 2;
    }
    if (length != 8 && !(length == 9 && text[4] == ','))
        return false;
    if (!four_digits(text, &group) || !four_digits(text + length - 4, &element))
        return false;
    *tag = TAG(group, element);
    return true;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How many letters to insert, drop, change or swap with their neighbour to make `b` of `a`, or, when
 * `inside`, any part of `b`; letter case is free. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length,
                         bool inside)
{
    unsigned char rows[3][KEYWORD_MAX + 1];
    unsigned char *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_length; j++)
        last[j] = inside ? 0 : (unsigned char)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned char *spare = before;

        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b_length; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            unsigned best = least(least(last[j] + 1U, row[j - 1] + 1U), last[j - 1] + !same);

            if (i > 1 && j > 1 &&
                tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 2]) &&
                tolower((unsigned char)a[i - 2]) == tolower((unsigned char)b[j - 1]))
                best = least(best, before[j - 2] + 1U);
            row[j] = (unsigned char)best;
        }
        before = last;
        last = row;
        row = spare;
    }
    for (size_t j = 0; inside && j < b_length; j++)
        if (last[j] < last[b_length])
            last[b_length] = last[j];
    return last[b_length];
}

/* How far a keyword is from what was written: a few slips of the hand, or one is a part of the other
 * (the nearer the less is added), or both. From NOT_NEAR on: not worth a suggestion. */
#define NOT_NEAR 1000
static unsigned farness(const char *text, size_t length, const char *keyword)
{
    size_t keyword_length = strlen(keyword);
    unsigned far;

    if (keyword_length > KEYWORD_MAX)
        return NOT_NEAR;
    far = distance(text, length, keyword, keyword_length, false);
    if (far <= 1 + length / 4)
        return far;
    if (length >= 3 && strcasestr(keyword, text))
        return 100 + (unsigned)(keyword_length - length);
    if (keyword_length >= 6 && strcasestr(text, keyword))
        return 200 + (unsigned)(length - keyword_length);
    far = length >= 6 ? distance(text, length, keyword, keyword_length, true) : length;
    return far <= length / 6 ? 300 + far * 100 + (unsigned)keyword_length : NOT_NEAR;
}

static void suggest(const char *text, struct buf *out)
{
    struct {
        const struct dict_entry *entry;
        unsigned far;
    } nearest[SUGGESTIONS];
    size_t length = strlen(text), count = 0;

    if (length == 0 || length > KEYWORD_MAX)
        return;
    for (size_t i = 0; i < dict_table_count; i++) {
        unsigned this_far = farness(text, length, dict_table[i].keyword);
        size_t place = count;

        if (this_far >= NOT_NEAR)
            continue;
        while (place > 0 && nearest[place - 1].far > this_far)
            place--;
        if (place == SUGGESTIONS)
            continue;
        if (count < SUGGESTIONS)
            count++;
        memmove(&nearest[place + 1], &nearest[place], (count - 1 - place) * sizeof nearest[0]);
        nearest[place].entry = &dict_table[i];
        nearest[place].far = this_far;
    }
    /* Those much farther than the best are noise. */
    while (count > 1 && nearest[count - 1].far > nearest[0].far + (nearest[0].far < 100 ? 1 : 99))
        count--;
    for (size_t i = 0; i < count; i++) {
        buf_adds(out, i == 0 ? "; did you mean " : i + 1 < count ? ", " : " or ");
        buf_adds(out, nearest[i].entry->keyword);
    }
    if (count)
        buf_addc(out, '?');
}

int dict_parse(const char *text, tag_t *tag, struct err *err)
{
    const struct dict_entry *entry = by_name(text);
    struct buf near = {0};

    if (entry) {
        *tag = entry->tag;
        return 0;
    }
    if (parse_tag(text, tag))
        return 0;
    if (!err) /* nobody reads suggestions, which take a while */
        return -1;
    suggest(text, &near);
    err_set(err, ERR_INPUT, "%.200s: no such keyword%s", text, buf_text(&near));
    buf_free(&near);
    return -1;
}

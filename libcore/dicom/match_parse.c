/*
 * From `Keyword=value` to a compiled key: see match.h.
 */
#include "dicom/match_internal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dicom/dict.h"

#define PATTERN_MAX 1024 /* with '?': these cost pattern times text */

enum comparison {
    COMPARE_EQUAL,
    COMPARE_LESS,
    COMPARE_LESS_EQUAL,
    COMPARE_MORE_EQUAL,
    COMPARE_MORE
};

/* How a value is read. */
struct reading {
    const char *name; /* of the key, for messages */
    bool friendly;    /* from a person: commas, relative dates, parts of dates, "" */
};

static struct item *add_item(struct match *match)
{
    /* Doubles at powers of two. */
    if ((match->count & (match->count - 1)) == 0)
        match->item =
            xreallocarray(match->item, match->count ? match->count * 2 : 1, sizeof *match->item);
    struct item *item = &match->item[match->count++];

    memset(item, 0, sizeof *item);
    return item;
}

static bool has_wild(const char *text, size_t length)
{
    return memchr(text, '*', length) || memchr(text, '?', length);
}

/* ---- dates and times ---- */

static const char *kind_name(vr_t vr)
{
    return vr == VR_DA ? "date" : vr == VR_TM ? "time" : "date and time";
}

static char *moment(const struct match *match, const struct reading *reading, const char *text,
                    size_t length, bool last, struct err *err)
{
    char key[24], date[9];

    if (reading->friendly && match->vr != VR_TM && relative_date(text, length, date)) {
        text = date;
        length = 8;
    }
    if (time_key(match->vr, text, length, last, reading->friendly, key))
        return xstrdup(key);
    err_set(err, ERR_INPUT, "%s: \"%.*s\" is no %s%s", reading->name,
            length > 40 ? 40 : (int)length, text, kind_name(match->vr),
            match->vr == VR_DA   ? " (20240131, 20240101-20240630, today, 30d-)"
            : match->vr == VR_TM ? " (1030, 103000, 0800-1200)"
                                 : " (20240131, 202401311030, today, 30d-)");
    return NULL;
}

static int add_time(struct match *match, const struct reading *reading, const char *text,
                    size_t length, struct err *err)
{
    const char *dash = time_dash(match->vr, text, length), *end = text + length;
    struct item *item = add_item(match);

    item->kind = MATCH_RANGE;
    if (!dash) {
        item->kind = MATCH_SINGLE;
        item->text = moment(match, reading, text, length, false, err);
        item->high = moment(match, reading, text, length, true, err);
        return item->text && item->high ? 0 : -1;
    }
    if (length == 1)
        return err_set(err, ERR_INPUT, "%s: \"-\" is a range without ends", reading->name);
    if (dash > text &&
        !(item->text = moment(match, reading, text, (size_t)(dash - text), false, err)))
        return -1;
    if (dash + 1 < end &&
        !(item->high = moment(match, reading, dash + 1, (size_t)(end - dash - 1), true, err)))
        return -1;
    if (item->text && item->high && strcmp(item->text, item->high) > 0)
        return err_set(err, ERR_INPUT, "%s: \"%.*s\" ends before it begins", reading->name,
                       length > 60 ? 60 : (int)length, text);
    return 0;
}

/* ---- numbers ---- */

static int bound(const struct match *match, const struct reading *reading, const char *text,
                 size_t length, double *value, struct err *err)
{
    static const char units[] = "KMGT";
    const char *unit = length ? strchr(units, text[length - 1]) : NULL;
    double factor = 1;

    if (match->tag == TAG_SIZE && reading->friendly && unit && *unit) {
        factor = pow(1024, (double)(unit - units + 1));
        length--;
    }
    if (!number_value(text, length, value))
        return err_set(err, ERR_INPUT, "%s: \"%.*s\" is no number", reading->name,
                       length > 40 ? 40 : (int)length, text);
    *value *= factor;
    return 0;
}

static int add_number(struct match *match, const struct reading *reading, const char *text,
                      size_t length, struct err *err)
{
    const char *dots = reading->friendly ? memmem(text, length, "..", 2) : NULL;
    struct item *item = add_item(match);

    item->kind = MATCH_NUMBER;
    item->least = -INFINITY;
    item->most = INFINITY;
    if (!dots) {
        if (bound(match, reading, text, length, &item->least, err) < 0)
            return -1;
        item->most = item->least;
        return 0;
    }
    if ((dots > text &&
         bound(match, reading, text, (size_t)(dots - text), &item->least, err) < 0) ||
        (dots + 2 < text + length &&
         bound(match, reading, dots + 2, (size_t)(text + length - dots - 2), &item->most, err) < 0))
        return -1;
    if (item->least > item->most)
        return err_set(err, ERR_INPUT, "%s: \"%.*s\" ends before it begins", reading->name,
                       length > 60 ? 60 : (int)length, text);
    return 0;
}

/* ---- text ---- */

static void add_name(struct match *match, const char *text, size_t length)
{
    struct item *item = add_item(match);
    char *copy = xstrndup(text, length);
    struct buf key = {0};

    item->kind = has_wild(text, length) ? MATCH_WILD : MATCH_SINGLE;
    item->text = xstrdup(copy);
    item->any_group = !memchr(text, '=', length);
    item->component = item->any_group && !memchr(text, '^', length);
    for (const char *at = copy; *at;) {
        size_t g = 0;

        while (g < NAME_GROUPS && item->group[g])
            g++;
        /* An empty group leaves its place open; that needs a pattern which everything meets. */
        buf_clear(&key);
        at = name_key(at, &key);
        if (g < NAME_GROUPS)
            item->group[g] = xstrdup(key.length ? key.data : "\001");
    }
    for (size_t g = 0; g < NAME_GROUPS; g++)
        if (item->group[g] && item->group[g][0] == '\001') {
            free(item->group[g]);
            item->group[g] = NULL;
        }
    buf_free(&key);
    free(copy);
}

static int add_text(struct match *match, const struct reading *reading, const char *text,
                    size_t length, struct err *err)
{
    struct item *item;

    while (match->several && length && *text == ' ')
        text++, length--;
    while (match->several && length && text[length - 1] == ' ')
        length--;
    if (match->family == FAMILY_UID && reading->friendly && has_wild(text, length))
        return err_set(err, ERR_INPUT, "%s: a UID is matched whole, without wild cards",
                       reading->name);
    item = add_item(match);
    item->kind = match->family == FAMILY_TEXT && has_wild(text, length) ? MATCH_WILD : MATCH_SINGLE;
    item->text = xstrndup(text, length);
    return 0;
}

static int add_value(struct match *match, const struct reading *reading, const char *text,
                     size_t length, struct err *err)
{
    switch (match->family) {
    case FAMILY_TIME:
        return add_time(match, reading, text, length, err);
    case FAMILY_NUMBER:
        return add_number(match, reading, text, length, err);
    case FAMILY_NAME:
        add_name(match, text, length);
        return 0;
    default:
        return add_text(match, reading, text, length, err);
    }
}

/* ---- the whole value ---- */

static bool comma_separates(vr_t vr)
{
    return vr != VR_LT && vr != VR_ST && vr != VR_UT && vr != VR_PN && vr != VR_LO && vr != VR_SH &&
           vr != VR_UC && vr != VR_UR;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What match_exact, match_prefix and match_kind answer. */
static void finish(struct match *match)
{
    bool single = match->family == FAMILY_TEXT || match->family == FAMILY_UID;

    match->kind = match->count == 1 ? match->item[0].kind : MATCH_LIST;
    for (size_t i = 0; i < match->count && single; i++)
        single = match->item[i].kind == MATCH_SINGLE;
    if (single) {
        match->exact = xcalloc(match->count, sizeof *match->exact);
        for (size_t i = 0; i < match->count; i++)
            match->exact[i] = match->item[i].text;
        qsort(match->exact, match->count, sizeof *match->exact, compare_texts);
    }
    if (match->count == 1 && match->family == FAMILY_TEXT && match->kind == MATCH_WILD)
        match->prefix = xstrndup(match->item[0].text, strcspn(match->item[0].text, "*?"));
    if (match->count == 1 && match->family == FAMILY_NAME)
        for (size_t g = 0; g < NAME_GROUPS && !match->prefix; g++)
            if (match->item[0].group[g])
                match->prefix =
                    xstrndup(match->item[0].group[g], strcspn(match->item[0].group[g], "*?"));
    if (match->prefix && !*match->prefix) {
        free(match->prefix);
        match->prefix = NULL;
    }
}

static int set_value(struct match *match, const struct reading *reading, const char *value,
                     size_t length, struct err *err)
{
    const char *separators = !match->several                                   ? ""
                             : reading->friendly && comma_separates(match->vr) ? "\\,"
                                                                               : "\\";
    const char *end = value + length;

    if (memchr(value, '\0', length))
        return err_set(err, ERR_INPUT, "%s: NUL in the value", reading->name);
    /* A name of nothing but delimiters is no name: clients send "^^^^" and "*^*". */
    if (strspn(value, match->family == FAMILY_NAME ? "* ^=" : "* ") == length) {
        match->kind = MATCH_UNIVERSAL;
        return 0;
    }
    if (reading->friendly && strcmp(value, "\"\"") == 0) {
        match->kind = MATCH_EMPTY;
        return 0;
    }
    while (value <= end) {
        size_t n = strcspn(value, separators);

        if (memchr(value, '?', n) && n > PATTERN_MAX)
            return err_set(err, ERR_INPUT, "%s: a pattern with '?' of more than %d bytes",
                           reading->name, PATTERN_MAX);
        /* Empty entries of a list ask for nothing. */
        if (n > 0 && add_value(match, reading, value, n, err) < 0)
            return -1;
        value += n + 1;
    }
    if (match->count == 0)
        match->kind = MATCH_UNIVERSAL;
    else
        finish(match);
    return 0;
}

static struct match *match_of(tag_t tag, vr_t vr)
{
    struct match *match = xcalloc(1, sizeof *match);

    match->tag = tag;
    match->vr = vr;
    match->family = family_of(vr);
    match->several = vr != VR_LT && vr != VR_ST && vr != VR_UT && vr != VR_UR;
    return match;
}

struct match *match_new(tag_t tag, vr_t vr, const char *value, size_t length, struct err *err)
{
    struct match *match = match_of(tag, vr);
    char name[10], *copy = xstrndup(value, length);
    struct reading reading = {.name = keyword_name(tag, name)};
    int status;

    while (length && (copy[length - 1] == ' ' || copy[length - 1] == '\0')) /* padding */
        copy[--length] = '\0';
    status = set_value(match, &reading, copy, length, err);
    free(copy);
    if (status == 0)
        return match;
    match_free(match);
    return NULL;
}

/* ---- Keyword, operator, value ---- */

static size_t operator_at(const char *at, enum comparison *which, bool *negated)
{
    *negated = false;
    *which = COMPARE_EQUAL;
    switch (*at) {
    case '=':
        return 1;
    case '!':
        *negated = true;
        return at[1] == '=' ? 2 : 0;
    case '<':
        *which = at[1] == '=' ? COMPARE_LESS_EQUAL : COMPARE_LESS;
        return at[1] == '=' ? 2 : 1;
    case '>':
        *which = at[1] == '=' ? COMPARE_MORE_EQUAL : COMPARE_MORE;
        return at[1] == '=' ? 2 : 1;
    default:
        return 0;
    }
}

/* From "X<=value": the value's item, one of its ends opened. */
static int compare(struct match *match, enum comparison which, const struct reading *reading,
                   const char *value, struct err *err)
{
    bool less = which == COMPARE_LESS || which == COMPARE_LESS_EQUAL;
    struct item *item;

    if (match->family != FAMILY_NUMBER && match->family != FAMILY_TIME)
        return err_set(err, ERR_INPUT,
                       "%s is no number, date or time: it takes = or !=", reading->name);
    if (add_value(match, reading, value, strlen(value), err) < 0)
        return -1;
    item = &match->item[0];
    match->kind = match->family == FAMILY_NUMBER ? MATCH_NUMBER : MATCH_RANGE;
    if ((match->family == FAMILY_NUMBER && item->least != item->most) ||
        (match->family == FAMILY_TIME && item->kind != MATCH_SINGLE))
        return err_set(err, ERR_INPUT, "%s: a comparison takes one value, not a range",
                       reading->name);
    item->kind = match->kind;
    if (match->family == FAMILY_NUMBER) {
        item->above = which == COMPARE_MORE;
        item->below = which == COMPARE_LESS;
        if (less)
            item->least = -INFINITY;
        else
            item->most = INFINITY;
        return 0;
    }
    item->above = which == COMPARE_MORE;
    item->below = which == COMPARE_LESS;
    /* Before the first moment of the day, after its last, from its first on, up to its last. */
    if (which == COMPARE_LESS || which == COMPARE_MORE) {
        char *swap = item->text;

        item->text = item->high;
        item->high = swap;
    }
    if (less) {
        free(item->text);
        item->text = NULL;
    } else {
        free(item->high);
        item->high = NULL;
    }
    return 0;
}

/* A word that is no expression: what might have been meant. */
static void explain_word(const char *word, struct err *err)
{
    size_t digits = strspn(word, "0123456789"),
           capitals = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    const char *likely = digits == 8 && !word[8]     ? "StudyDate"
                         : digits                    ? "PatientID"
                         : capitals == 2 && !word[2] ? "Modality"
                                                     : "PatientName";
    tag_t tag;

    /* A date before a tag: eight digits are both. */
    if (strcmp(likely, "StudyDate") != 0 && keyword_parse(word, &tag, NULL) == 0)
        err_set(err, ERR_INPUT, "%s: no value: did you mean %s=...?", word, word);
    else
        err_set(err, ERR_INPUT, "\"%.80s\" is no Keyword=value: did you mean %s=%.80s?", word,
                likely, word);
}

struct match *match_parse(const char *expression, struct err *err)
{
    size_t name_length = strcspn(expression, "=<>!"), operator_length;
    const char *value;
    struct match *match;
    struct reading reading = {.friendly = true};
    enum comparison which;
    char *name, space[10];
    bool negated;
    tag_t tag;
    int status;

    operator_length = operator_at(expression + name_length, &which, &negated);
    if (operator_length == 0 || name_length == 0) {
        explain_word(expression, err);
        return NULL;
    }
    name = xstrndup(expression, name_length);
    status = keyword_parse(name, &tag, err);
    free(name);
    if (status < 0)
        return NULL;
    match = match_of(tag, keyword_vr(tag));
    reading.name = keyword_name(tag, space);
    value = expression + name_length + operator_length;
    if (which != COMPARE_EQUAL)
        status = compare(match, which, &reading, value, err);
    else
        status = set_value(match, &reading, value, strlen(value), err);
    match->negated = negated;
    /* "X!=" asks for any value at all. */
    if (negated && match->kind == MATCH_UNIVERSAL && !*value)
        match->kind = MATCH_EMPTY;
    if (status == 0)
        return match;
    match_free(match);
    return NULL;
}

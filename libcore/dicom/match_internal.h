/*
 * What the files of the matching language share. Not for others.
 */
#ifndef PACS_DICOM_MATCH_INTERNAL_H
#define PACS_DICOM_MATCH_INTERNAL_H

#include "dicom/match.h"

#define NAME_GROUPS 3 /* alphabetic, ideographic, phonetic: PS3.5 6.2.1.2 */

enum family { FAMILY_TEXT, FAMILY_UID, FAMILY_NAME, FAMILY_NUMBER, FAMILY_TIME };

/* One of the values that a key allows. */
struct item {
    enum match_kind kind;
    char *text;               /* SINGLE, WILD, names as given; RANGE: the lower bound, NULL: open */
    char *high;               /* RANGE */
    char *group[NAME_GROUPS]; /* names: folded, NULL: any */
    bool any_group;           /* names: group[0] may be met by any group of the value */
    bool component;           /* names: group[0] may be the family name alone */
    double least, most;       /* NUMBER */
    bool above, below;        /* the bound itself is excluded */
};

struct match {
    tag_t tag;
    vr_t vr;
    enum family family;
    bool several; /* '\' separates values of this VR */
    bool negated;
    bool fuzzy; /* names: match_fuzzy.c */
    enum match_kind kind;
    struct item *item;
    size_t count;
    const char **exact; /* SINGLE items' texts, in order (strcmp) */
    char *prefix;
    struct buf scratch;
};

enum family family_of(vr_t vr);

/* DA, TM, DT as text that compares in order of time: the first or (`last`) the last moment of the value,
 * "YYYYMMDD", "HHMMSS.FFFFFF" or both. False when it is none. A time zone is taken to local time. */
bool time_key(vr_t vr, const char *text, size_t length, bool last, bool lenient, char key[24]);
/* The end of the first part of "A-B": the '-' that separates, or NULL when `text` is no range. */
const char *time_dash(vr_t vr, const char *text, size_t length);
/* today, yesterday, 30d, 2w, 6m, 5y -> YYYYMMDD. */
bool relative_date(const char *text, size_t length, char date[9]);

/* A folded component group against a fuzzy key. */
bool fuzzy_group(const struct match *match, const char *group, size_t length);

bool number_value(const char *text, size_t length, double *value);

#endif

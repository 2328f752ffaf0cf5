/*
 * The one matching language: `Keyword=value` with DICOM attribute matching (PS3.4 C.2.2.2). It
 * means the same in pacs-find, in a route, in a prune policy, in an export and in a C-FIND.
 *
 *   form            example                       matches
 *   --------------  ----------------------------  -------------------------------------------------
 *   single value    PatientID=123                 that value; letter case counts, spaces around do not
 *   universal       PatientID=  PatientID=*       everything: the key is only shown
 *   empty           PatientID=""                  two quotes: no value at all
 *   wild cards      StudyDescription=*head?       * any run of characters, ? one; not for dates, times,
 *                                                 numbers, UIDs
 *   list            Modality=CT,MR  =CT\MR        any of them; '\' always, a comma in all VRs but PN LO SH
 *                                                 UC UR; LT ST UT UR are never lists
 *   UID list        StudyInstanceUID=1.2\1.3      any of them
 *   date            StudyDate=20240131            that day; also 2024-01-31, 2024.01.31
 *                   StudyDate=2024  =202401       all of the year, of the month
 *   time            StudyTime=10  =1030           all of the hour, of the minute
 *   range           StudyDate=20240101-20241231   DA TM DT; both ends belong to it
 *                   StudyDate=20240101-           from that day on
 *                   StudyDate=-20241231           until that day
 *   relative date   StudyDate=today  =yesterday   the day; DA and DT
 *                   StudyDate=30d-                since 30 days ago; units d w m y
 *                   StudyDate=-30d                until 30 days ago: older than that, or as old
 *                   StudyDate=2w-1w               between the two
 *   time zone       =202401311200+0100            DT: the moment; one without a zone is local time
 *   number          KVP=120                       IS DS and binary VRs, compared as numbers: 120.0 too
 *                   SliceThickness=0.5..2         from, to; either may be left out
 *                   Size>10M                      Size takes K M G T, of 1024
 *   comparison      Rows>=512  StudyDate<2024     < <= > >= for numbers, dates and times
 *   person name     PatientName=doe               letter case does not matter. Without '^': the family
 *                                                 name, or a whole component group
 *                   PatientName=doe^j*            with '^': any of the component groups, as given
 *                   PatientName=yamada*=山*         with '=': each group given matches its own
 *   negation        Modality!=CT,MR               what = does not match, no value included
 *                   PatientID!=                   any value
 *
 * Of a value that has several (joined by '\') one is enough.
 */
#ifndef PACS_DICOM_MATCH_H
#define PACS_DICOM_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "dicom/tag.h"

/* What is known of an object beside its attributes has names of its own, and tags that no data set
 * can hold: Size (bytes of the files), Received (DT, local time), CallingAE, Path
 * (absolute). */
#define TAG_SIZE       TAG(0x0001, 0x0001)
#define TAG_RECEIVED   TAG(0x0001, 0x0002)
#define TAG_CALLING_AE TAG(0x0001, 0x0003)
#define TAG_PATH       TAG(0x0001, 0x0004)

/* A keyword as users write it: those above, then as dict_parse. */
int keyword_parse(const char *text, tag_t *tag, struct err *err);
/* The length of the first entry of a list of keywords and tags: to its comma, which in "0010,0020" is
 * part of it. */
size_t keyword_span(const char *list);
/* The name of a tag: its keyword, or "gggg,eeee" written into `space`. */
const char *keyword_name(tag_t tag, char space[10]);
vr_t keyword_vr(tag_t tag);

/* Appends the next component group of a person name (they are separated by '=', several names by '\\') as
 * it is compared: folded, without spaces around components and empty components at the end. Returns
 * where the rest begins, at the terminating NUL when there is none. */
const char *name_key(const char *name, struct buf *key);

enum match_kind {
    MATCH_UNIVERSAL,
    MATCH_EMPTY,
    MATCH_SINGLE,
    MATCH_WILD,
    MATCH_LIST,   /* any of several, each single or wild */
    MATCH_RANGE,  /* low..high in normalised text, either may be NULL: open */
    MATCH_NUMBER, /* low..high as numbers */
};

struct match; /* one compiled key; for one thread at a time */

/* From `Keyword=value` (or an operator < <= > >= !=). Returns NULL with ERR_INPUT: no operator,
 * unknown keyword with suggestions, a bad date. Free with match_free. */
struct match *match_parse(const char *expression, struct err *err);
/* From the parts, as C-FIND gives them (`value` UTF-8, DICOM syntax only: no commas as list
 * separator, no relative dates or parts of dates, no "..", no quotes; padding at its end is ignored). */
struct match *match_new(tag_t tag, vr_t vr, const char *value, size_t length, struct err *err);
/* From now on a key on a person name also matches what is like it: PS3.4 C.2.2.2.1, match_fuzzy.c. Others
 * stay. */
void match_fuzzy(struct match *match);
void match_free(struct match *match);

tag_t match_tag(const struct match *match);
vr_t match_vr(const struct match *match);
enum match_kind match_kind(const struct match *match);
bool match_negated(const struct match *match);

/* Whether a value matches: UTF-8 text as scan_text writes it (several values joined by '\': any of
 * them may match); NULL or empty is "no value". Never fails. */
bool match_test(const struct match *match, const char *text, size_t length);

/* For an index to narrow the candidates before match_test decides. All are borrowed and NULL when
 * they do not apply. `exact`: count strings of which the value must equal one (not for PN).
 * `prefix`: the (folded for PN) literal start of a wild card pattern. `low`, `high`: bounds of a
 * range, inclusive, as normalised DA/TM/DT text. */
size_t match_exact(const struct match *match, const char *const **values);
const char *match_prefix(const struct match *match);
/* Names only: whether one folded component group (name_key) can be what a name matches by. True for some
 * group of every name that matches, if it is false for "". */
bool match_group(const struct match *match, const char *group, size_t length);
const char *match_low(const struct match *match);
const char *match_high(const struct match *match);

/* For asking a peer by C-FIND: appends values, each with a NUL after it, that between them let in all that
 * the match does and as little else as DICOM can say (match_ask.c). Returns how many; 0: nothing can be said,
 * the key is asked for without a value. Lists of UIDs share a value, other lists have one each, names
 * one for each spelling. At most MATCH_ASK_MAX, UIDs aside. */
#define MATCH_ASK_MAX 32
size_t match_ask(const struct match *match, struct buf *values);

#endif

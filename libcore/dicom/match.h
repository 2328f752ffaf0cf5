/*
 * The one matching language: `Keyword=value` with DICOM attribute matching (PS3.4 C.2.2.2). It
 * means the same in pacs-find, in a route, in a prune policy, in an export and in a C-FIND.
 *
 *   single value     PatientID=123            exact, letter case counts
 *   universal        PatientID=               matches everything (the key is only shown); also "*"
 *   empty            PatientID=""             the two quotes: no value at all
 *   wildcards        PatientName=DOE^J*       * any run, ? one character; not for dates, numbers,
 * UIDs list             Modality=CT\MR or CT,MR  any of them (comma not in text VRs LT ST UT, nor
 * PN, LO, SH) UID list         StudyInstanceUID=1.2\1.3 range StudyDate=20240101-20241231,
 * 20240101-, -20241231; DA TM DT relative dates   StudyDate=today, yesterday, -30d (older than or
 * equal 30 days ago is `-30d` as the end of an open range: "-30d" means until 30 days ago; "30d-"
 * since 30 days ago; units d w m y) numbers          SliceThickness<2, Rows>=512, KVP!=120,
 * SliceThickness=0.5..2  (IS DS and binary VRs; compared as numbers) person names     letter case
 * does not matter; a pattern without '^' is the whole family name or any component group as given
 * with wildcards; groups separated by '=' match each alone
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

struct match; /* one compiled key */

/* From `Keyword=value` (or an operator < <= > >= !=). Returns NULL with ERR_INPUT: no operator,
 * unknown keyword with suggestions, a bad date. Free with match_free. */
struct match *match_parse(const char *expression, struct err *err);
/* From the parts, as C-FIND gives them (`value` UTF-8, DICOM syntax only: no commas as list
 * separator, no relative dates, no quotes). */
struct match *match_new(tag_t tag, vr_t vr, const char *value, size_t length, struct err *err);
void match_free(struct match *match);

tag_t match_tag(const struct match *match);
vr_t match_vr(const struct match *match);
enum match_kind match_kind(const struct match *match);
bool match_negated(const struct match *match);

/* Whether a value matches: UTF-8 text as scan_text writes it (several values joined by '\': any of
 * them may match); NULL or empty is "no value". Never fails. */
bool match_test(const struct match *match, const char *text, size_t length);

/* For an index to narrow the candidates before match_test decides. All are borrowed and NULL when
 * they do not apply. `exact`: count strings of which the value must equal one (folded for PN).
 * `prefix`: the (folded for PN) literal start of a wild card pattern. `low`, `high`: bounds of a
 * range, inclusive, as normalised DA/TM/DT text. */
size_t match_exact(const struct match *match, const char *const **values);
const char *match_prefix(const struct match *match);
/* Names only: whether one folded component group (name_key) can be what a name matches by. True for some
 * group of every name that matches, if it is false for "". */
bool match_group(const struct match *match, const char *group, size_t length);
const char *match_low(const struct match *match);
const char *match_high(const struct match *match);

#endif

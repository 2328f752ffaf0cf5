/*
 * From a scanned header to what goes into a row.
 */
#include <string.h>

#include "index/index.h"

const tag_t *index_tags(size_t *count)
{
#define ATTRIBUTE_TAG(name, keyword, group, element, vr, level, column, use) TAG(group, element),
    static const tag_t tags[ATTRIBUTE_COUNT] = {ATTRIBUTES(ATTRIBUTE_TAG)};
#undef ATTRIBUTE_TAG

    *count = ATTRIBUTE_COUNT;
    return tags;
}

/* ACR-NEMA wrote 1994.01.31 (PS3.5 table 6.2-1, DA, note), and some write 1994-01-31: the index holds
 * one form, which sorts. */
static void plain_date(struct buf *arena, size_t start)
{
    char *text = arena->data + start;

    if (arena->length - start != 10 || (text[4] != '.' && text[4] != '-') || text[7] != text[4])
        return;
    memmove(text + 4, text + 5, 2);
    memmove(text + 6, text + 8, 3);
    arena->length -= 2;
}

/* Spaces before a value mean nothing (PS3.5 6.2), except in texts: the index finds values whole. */
static void no_space_before(struct buf *arena, size_t start)
{
    size_t spaces = 0;

    while (start + spaces < arena->length && arena->data[start + spaces] == ' ')
        spaces++;
    if (!spaces)
        return;
    memmove(arena->data + start, arena->data + start + spaces, arena->length - start - spaces + 1);
    arena->length -= spaces;
}

static int check_uid(const struct index_record *record, enum attribute attribute, struct err *err)
{
    const char *uid = record->value[attribute];

    if (!uid || !*uid)
        return err_set(err, ERR_INPUT, "%s is missing", attributes[attribute].keyword);
    if (!uid_valid(uid, strlen(uid)))
        return err_set(err, ERR_INPUT, "%s is no UID: \"%.80s\"", attributes[attribute].keyword,
                       uid);
    return 0;
}

int index_record_from_scan(const struct scanner *scanner, struct index_record *record,
                           struct buf *arena, struct err *err)
{
    static const enum attribute uids[] = {ATTRIBUTE_SOP_CLASS_UID, ATTRIBUTE_SOP_INSTANCE_UID,
                                          ATTRIBUTE_STUDY_INSTANCE_UID,
                                          ATTRIBUTE_SERIES_INSTANCE_UID};
    size_t start[ATTRIBUTE_COUNT];

    memset(record, 0, sizeof *record);
    /* The arena moves while it grows: pointers come last. */
    buf_reserve(arena, 4096);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        start[i] = arena->length;
        if (i == ATTRIBUTE_TRANSFER_SYNTAX_UID)
            buf_adds(arena, scan_info(scanner)->transfer_syntax);
        else
            scan_text(scanner, attributes[i].tag, arena);
        if (arena->length == start[i])
            continue;
        if (attributes[i].vr != VR_LT)
            no_space_before(arena, start[i]);
        if (attributes[i].vr == VR_DA)
            plain_date(arena, start[i]);
        if (arena->length > start[i])
            buf_addc(arena, '\0');
    }
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        size_t end = i + 1 < ATTRIBUTE_COUNT ? start[i + 1] : arena->length;

        record->value[i] = end > start[i] ? arena->data + start[i] : NULL;
    }
    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++)
        if (check_uid(record, uids[i], err) < 0)
            return -1;
    return 0;
}

/*
 * From a scanned header to what goes into a row.
 */
#include <stdlib.h>
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

/* ---- the record before ---- */

#define TAG_CHARSET TAG(0x0008, 0x0005)
#define RAW_MAX     128 /* longer values are made anew: they are rare, and the memory stays small */
#define TEXT_MAX    (3 * RAW_MAX + 1)

/* Of each attribute the bytes that it had last and the text that they gave, with its NUL. Their order in
 * memory is that in which they are looked at. */
struct remembered {
    vr_t vr;       /* VR_NONE: nothing */
    uint16_t size; /* of the bytes */
    uint16_t text_size;
    bool uid_valid; /* the text was found to be a UID */
    char raw[RAW_MAX];
    char text[TEXT_MAX];
};

struct index_record_memory {
    size_t charset_size;
    char charset[RAW_MAX];
    struct remembered attribute[ATTRIBUTE_COUNT];
};

struct index_record_memory *index_record_memory_new(void)
{
    return xcalloc(1, sizeof(struct index_record_memory));
}

void index_record_memory_free(struct index_record_memory *memory)
{
    free(memory);
}

/* Bytes that are the same mean the same only in the same character set. */
static void begin_record(struct index_record_memory *memory, const struct scanner *scanner)
{
    const struct scan_value *charset = scan_value(scanner, TAG_CHARSET);
    size_t size = charset ? charset->size : 0;

    if (size == memory->charset_size &&
        (size == 0 || memcmp(memory->charset, charset->data, size) == 0))
        return;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        memory->attribute[i].vr = VR_NONE; /* and is judged anew */
    memory->charset_size = size > RAW_MAX ? SIZE_MAX : size;
    if (size && size <= RAW_MAX)
        memcpy(memory->charset, charset->data, size);
}

/* ---- a record ---- */

static void make_text(const struct scanner *scanner, size_t i, struct buf *arena)
{
    size_t start = arena->length;

    if (i == ATTRIBUTE_TRANSFER_SYNTAX_UID)
        buf_adds(arena, scan_info(scanner)->transfer_syntax);
    else
        scan_text(scanner, attributes[i].tag, arena);
    if (arena->length == start)
        return;
    if (arena->data[start] == ' ' && attributes[i].vr != VR_LT)
        no_space_before(arena, start);
    if (attributes[i].vr == VR_DA)
        plain_date(arena, start);
    if (arena->length > start)
        buf_addc(arena, '\0');
}

static void add_text(const struct scanner *scanner, struct index_record_memory *memory, size_t i,
                     struct buf *arena)
{
    const struct scan_value *value = scan_value(scanner, attributes[i].tag);
    size_t start = arena->length;
    struct remembered *last = memory ? &memory->attribute[i] : NULL;

    if (!value)
        return;
    if (!last || value->size > RAW_MAX) {
        if (last) {
            last->vr = VR_NONE;
            last->uid_valid = false;
        }
        make_text(scanner, i, arena);
        return;
    }
    if (last->vr == value->vr && last->size == value->size &&
        memcmp(last->raw, value->data, value->size) == 0) {
        buf_add(arena, last->text, last->text_size);
        return;
    }
    make_text(scanner, i, arena);
    last->vr = VR_NONE;
    last->uid_valid = false;
    if (arena->length - start > TEXT_MAX)
        return;
    last->vr = value->vr;
    last->size = (uint16_t)value->size;
    last->text_size = (uint16_t)(arena->length - start);
    memcpy(last->raw, value->data, value->size);
    memcpy(last->text, arena->data + start, last->text_size);
}

int index_record_from_scan(const struct scanner *scanner, struct index_record_memory *memory,
                           struct index_record *record, struct buf *arena, struct err *err)
{
    static const enum attribute uids[] = {ATTRIBUTE_SOP_CLASS_UID, ATTRIBUTE_SOP_INSTANCE_UID,
                                          ATTRIBUTE_STUDY_INSTANCE_UID,
                                          ATTRIBUTE_SERIES_INSTANCE_UID};
    size_t start[ATTRIBUTE_COUNT + 1];

    /* Numbers in another byte order are other numbers. */
    if (scan_info(scanner)->big_endian)
        memory = NULL;
    if (memory)
        begin_record(memory, scanner);
    memset(record, 0, sizeof *record);
    /* The arena moves while it grows: pointers come last. */
    buf_reserve(arena, 4096);
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
        start[i] = arena->length;
        if (i == ATTRIBUTE_TRANSFER_SYNTAX_UID)
            make_text(scanner, i, arena);
        else
            add_text(scanner, memory, i, arena);
    }
    start[ATTRIBUTE_COUNT] = arena->length;
    for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
        record->value[i] = start[i + 1] > start[i] ? arena->data + start[i] : NULL;
    for (size_t i = 0; i < sizeof uids / sizeof uids[0]; i++) {
        if (memory && record->value[uids[i]] && memory->attribute[uids[i]].uid_valid)
            continue;
        if (check_uid(record, uids[i], err) < 0)
            return -1;
        if (memory)
            memory->attribute[uids[i]].uid_valid = true;
    }
    return 0;
}

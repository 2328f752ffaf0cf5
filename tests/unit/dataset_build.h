/*
 * For the tests of small data sets: encodings put together byte by byte.
 */
#ifndef PACS_TESTS_DATASET_BUILD_H
#define PACS_TESTS_DATASET_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/dataset.h"
#include "dicom/uid.h"

#define UNUSED __attribute__((unused))

static struct err err;
static struct buf text;

static UNUSED struct dataset *parse(const struct buf *bytes, const char *syntax)
{
    return dataset_parse(buf_text(bytes), bytes->length, syntax, &err);
}

static UNUSED struct dataset *parsed(const struct buf *bytes, const char *syntax)
{
    struct dataset *dataset = parse(bytes, syntax);

    if (!dataset)
        fail_msg("dataset_parse: %s", err.text);
    return dataset;
}

static UNUSED void assert_refused(const struct buf *bytes, const char *syntax, const char *why)
{
    memset(&err, 0, sizeof err);
    assert_null(parse(bytes, syntax));
    assert_int_equal(err.code, ERR_INPUT);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static UNUSED const char *text_of(const struct dataset *dataset, tag_t tag)
{
    buf_clear(&text);
    return dataset_text(dataset, tag, &text) ? buf_text(&text) : NULL;
}

static UNUSED void put_number(struct buf *out, uint32_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        buf_addc(out, (char)(value >> 8 * i & 0xff));
}

static UNUSED void put_head(struct buf *out, tag_t tag, uint32_t length)
{
    put_number(out, TAG_GROUP(tag), 2);
    put_number(out, TAG_ELEMENT(tag), 2);
    put_number(out, length, 4);
}

static UNUSED void put_implicit(struct buf *out, tag_t tag, const char *value)
{
    put_head(out, tag, (uint32_t)strlen(value));
    buf_adds(out, value);
}

static UNUSED void put_short(struct buf *out, tag_t tag, const char *vr, const char *value)
{
    put_number(out, TAG_GROUP(tag), 2);
    put_number(out, TAG_ELEMENT(tag), 2);
    buf_add(out, vr, 2);
    put_number(out, (uint32_t)strlen(value), 2);
    buf_adds(out, value);
}

static UNUSED void put_long(struct buf *out, tag_t tag, const char *vr, uint32_t length)
{
    put_number(out, TAG_GROUP(tag), 2);
    put_number(out, TAG_ELEMENT(tag), 2);
    buf_add(out, vr, 2);
    put_number(out, 0, 2);
    put_number(out, length, 4);
}

#define ITEM     TAG(0xfffe, 0xe000)
#define ITEM_END TAG(0xfffe, 0xe00d)
#define SEQ_END  TAG(0xfffe, 0xe0dd)
#define SEQUENCE TAG(0x0008, 0x1140)
#define NAME     TAG(0x0010, 0x0010)
#define ID       TAG(0x0010, 0x0020)
#define STUDY    TAG(0x0020, 0x000d)
#define OPEN     0xffffffffu

static UNUSED int free_text(void **state)
{
    (void)state;
    buf_free(&text);
    return 0;
}

#endif

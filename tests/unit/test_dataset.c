/*
 * dataset.h: what comes from a peer is taken or refused, never believed; what was put comes back; what is
 * written is parsed to the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/dataset.h"
#include "dicom/uid.h"

#define LATIN "ISO_IR 100"

static struct err err;
static struct buf text;

static struct dataset *parse(const struct buf *bytes, const char *syntax)
{
    return dataset_parse(buf_text(bytes), bytes->length, syntax, &err);
}

static struct dataset *parsed(const struct buf *bytes, const char *syntax)
{
    struct dataset *dataset = parse(bytes, syntax);

    if (!dataset)
        fail_msg("dataset_parse: %s", err.text);
    return dataset;
}

static void assert_refused(const struct buf *bytes, const char *syntax, const char *why)
{
    memset(&err, 0, sizeof err);
    assert_null(parse(bytes, syntax));
    assert_int_equal(err.code, ERR_INPUT);
    if (!strstr(err.text, why))
        fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static const char *text_of(const struct dataset *dataset, tag_t tag)
{
    buf_clear(&text);
    return dataset_text(dataset, tag, &text) ? buf_text(&text) : NULL;
}

static void put_number(struct buf *out, uint32_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        buf_addc(out, (char)(value >> 8 * i & 0xff));
}

static void put_head(struct buf *out, tag_t tag, uint32_t length)
{
    put_number(out, TAG_GROUP(tag), 2);
    put_number(out, TAG_ELEMENT(tag), 2);
    put_number(out, length, 4);
}

static void put_implicit(struct buf *out, tag_t tag, const char *value)
{
    put_head(out, tag, (uint32_t)strlen(value));
    buf_adds(out, value);
}

static void put_short(struct buf *out, tag_t tag, const char *vr, const char *value)
{
    put_number(out, TAG_GROUP(tag), 2);
    put_number(out, TAG_ELEMENT(tag), 2);
    buf_add(out, vr, 2);
    put_number(out, (uint32_t)strlen(value), 2);
    buf_adds(out, value);
}

static void put_long(struct buf *out, tag_t tag, const char *vr, uint32_t length)
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

/* ---- limits ---- */

static void test_every_cut_is_refused(void **state)
{
    static const char *const syntax[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE};
    struct dataset *dataset = dataset_new(), *item;

    (void)state;
    dataset_put(dataset, NAME, "Doe^John");
    item = dataset_add_item(dataset_add_item(dataset, SEQUENCE), SEQUENCE);
    dataset_put(item, STUDY, "1.2.3");
    for (size_t s = 0; s < 2; s++) {
        struct buf bytes = {0};
        size_t whole;

        dataset_write(dataset, syntax[s], &bytes);
        whole = bytes.length;
        /* Of exactly the right size, so that a sanitizer sees a byte read too far. Between elements a
         * cut makes a shorter data set. */
        for (size_t length = 0; length < whole; length++) {
            char *copy = malloc(length ? length : 1);
            struct dataset *cut;

            assert_non_null(copy);
            memcpy(copy, bytes.data, length);
            cut = dataset_parse(copy, length, syntax[s], &err);
            free(copy);
            assert_int_equal(cut != NULL, length == 0 || length == whole - 16);
            dataset_free(cut);
        }
        buf_free(&bytes);
    }
    dataset_free(dataset);
}

static void test_lengths(void **state)
{
    static const uint32_t length[] = {9, 0x7fffffff, 0x80000000, 0xfffffffe};
    struct buf bytes = {0};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        buf_clear(&bytes);
        put_head(&bytes, ID, length[i]);
        buf_adds(&bytes, "12345678");
        assert_refused(&bytes, UID_IMPLICIT_LE, "claims");
        buf_clear(&bytes);
        put_head(&bytes, SEQUENCE, 16);
        put_head(&bytes, ITEM, length[i]);
        put_head(&bytes, ID, 0);
        assert_refused(&bytes, UID_IMPLICIT_LE, "claims");
    }
    /* Longer than its item, though not than the data set. */
    buf_clear(&bytes);
    put_head(&bytes, SEQUENCE, 16);
    put_head(&bytes, ITEM, 8);
    put_head(&bytes, ID, 4);
    buf_adds(&bytes, "abcd");
    assert_refused(&bytes, UID_IMPLICIT_LE, "claims 4 bytes, 0 are there");
    buf_free(&bytes);
}

static void test_delimiters(void **state)
{
    static const tag_t stray[] = {ITEM, ITEM_END, SEQ_END};
    struct buf bytes = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        buf_clear(&bytes);
        put_head(&bytes, stray[i], 0);
        assert_refused(&bytes, UID_IMPLICIT_LE, "delimiter");
    }
    buf_clear(&bytes);
    put_head(&bytes, SEQUENCE, OPEN);
    put_head(&bytes, ITEM, OPEN);
    assert_refused(&bytes, UID_IMPLICIT_LE, "an item has no end");
    put_head(&bytes, ITEM_END, 0);
    assert_refused(&bytes, UID_IMPLICIT_LE, "(0008,1140) has no end");
    put_head(&bytes, ID, 0);
    assert_refused(&bytes, UID_IMPLICIT_LE, "no item");
    bytes.length -= 8;
    put_head(&bytes, SEQ_END, 0);
    dataset_free(parsed(&bytes, UID_IMPLICIT_LE));
    buf_free(&bytes);
}

static void nest(struct buf *bytes, int depth)
{
    buf_clear(bytes);
    for (int i = 0; i < depth; i++) {
        put_head(bytes, SEQUENCE, OPEN);
        put_head(bytes, ITEM, OPEN);
    }
    for (int i = 0; i < depth; i++) {
        put_head(bytes, ITEM_END, 0);
        put_head(bytes, SEQ_END, 0);
    }
}

static void test_depth(void **state)
{
    struct buf bytes = {0};

    (void)state;
    nest(&bytes, DATASET_DEPTH_MAX);
    dataset_free(parsed(&bytes, UID_IMPLICIT_LE));
    nest(&bytes, DATASET_DEPTH_MAX + 1);
    assert_refused(&bytes, UID_IMPLICIT_LE, "nested");
    nest(&bytes, 20000);
    assert_refused(&bytes, UID_IMPLICIT_LE, "nested");
    /* Also where nothing of it is kept. */
    nest(&bytes, DATASET_DEPTH_MAX + 1);
    bytes.data[2] = bytes.data[3] = 0;
    assert_refused(&bytes, UID_IMPLICIT_LE, "nested");
    buf_free(&bytes);
}

static void test_counts(void **state)
{
    struct buf bytes = {0};
    struct dataset *dataset;

    (void)state;
    for (unsigned i = 0; i < DATASET_ELEMENTS_MAX; i++)
        put_head(&bytes, TAG(0x0009, 0x0100 + i), 0);
    dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_int_equal(dataset_count(dataset), DATASET_ELEMENTS_MAX);
    dataset_free(dataset);
    put_head(&bytes, TAG(0x0011, 0x0100), 0);
    assert_refused(&bytes, UID_IMPLICIT_LE, "more than 32768 elements");
    /* Items count, and group lengths that are not kept. */
    buf_clear(&bytes);
    put_head(&bytes, SEQUENCE, DATASET_ELEMENTS_MAX * 8);
    for (unsigned i = 0; i < DATASET_ELEMENTS_MAX; i++)
        put_head(&bytes, ITEM, 0);
    assert_refused(&bytes, UID_IMPLICIT_LE, "more than 32768 elements");
    buf_clear(&bytes);
    for (unsigned i = 0; i <= DATASET_ELEMENTS_MAX; i++)
        put_head(&bytes, TAG(0x0008, 0), 0);
    assert_refused(&bytes, UID_IMPLICIT_LE, "more than 32768 elements");
    buf_free(&bytes);
}

static void test_bytes(void **state)
{
    struct buf bytes = {0};
    size_t size;

    (void)state;
    put_head(&bytes, ID, DATASET_BYTES_MAX - 8);
    memset(buf_reserve(&bytes, DATASET_BYTES_MAX - 8), 'x', DATASET_BYTES_MAX - 8);
    bytes.length = DATASET_BYTES_MAX;
    struct dataset *dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_non_null(dataset_bytes(dataset, ID, &size));
    assert_int_equal(size, DATASET_BYTES_MAX - 8);
    dataset_free(dataset);
    buf_addc(&bytes, 'x');
    assert_refused(&bytes, UID_IMPLICIT_LE, "at most");
    buf_free(&bytes);
}

static void test_other_syntaxes(void **state)
{
    static const char *const syntax[] = {UID_EXPLICIT_BE, UID_DEFLATED_LE, "", "1.2"};
    struct buf bytes = {0};

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_refused(&bytes, syntax[i], "transfer syntax");
    dataset_free(parsed(&bytes, UID_EXPLICIT_LE));
}

/* ---- what is kept ---- */

/* The first of a tag counts, in whatever order they come, few or many. */
static void test_order_and_duplicates(void **state)
{
    struct buf bytes = {0};
    struct dataset *dataset;
    size_t size;

    (void)state;
    put_implicit(&bytes, STUDY, "1.2.");
    put_head(&bytes, SEQUENCE, 8);
    put_head(&bytes, ITEM, 0);
    put_implicit(&bytes, ID, "first ");
    put_implicit(&bytes, NAME, "Doe ");
    put_implicit(&bytes, ID, "second");
    put_head(&bytes, SEQUENCE, 16);
    put_head(&bytes, ITEM, 0);
    put_head(&bytes, ITEM, 0);
    put_implicit(&bytes, ID, "third ");
    dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_int_equal(dataset_count(dataset), 4);
    assert_int_equal(dataset_tag(dataset, 0), SEQUENCE);
    assert_int_equal(dataset_tag(dataset, 1), NAME);
    assert_int_equal(dataset_tag(dataset, 2), ID);
    assert_int_equal(dataset_tag(dataset, 3), STUDY);
    assert_string_equal(text_of(dataset, ID), "first");
    assert_int_equal(dataset_items(dataset, SEQUENCE), 1);
    dataset_free(dataset);

    buf_clear(&bytes);
    for (unsigned i = DATASET_ELEMENTS_MAX; i-- > 0;) {
        put_head(&bytes, TAG(0x0009 + 2 * (i >> 10), 0x1000 + (i & 1023)), 4);
        put_number(&bytes, i, 4);
    }
    dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_int_equal(dataset_count(dataset), DATASET_ELEMENTS_MAX);
    for (unsigned i = 0; i < DATASET_ELEMENTS_MAX; i += 1021) {
        const char *value =
            dataset_bytes(dataset, TAG(0x0009 + 2 * (i >> 10), 0x1000 + (i & 1023)), &size);

        assert_int_equal(size, 4);
        assert_int_equal((unsigned char)value[0] | (unsigned char)value[1] << 8, i);
    }
    dataset_free(dataset);
    buf_free(&bytes);
}

static void test_left_out(void **state)
{
    struct buf bytes = {0};
    struct dataset *dataset;

    (void)state;
    put_implicit(&bytes, TAG(0x0000, 0x0100), "ab");
    put_implicit(&bytes, TAG(0x0002, 0x0010), "1.2 ");
    put_implicit(&bytes, TAG(0x0010, 0x0000), "abcd");
    put_head(&bytes, TAG(0x0001, 0x0010), OPEN);
    put_head(&bytes, ITEM, OPEN);
    put_implicit(&bytes, ID, "in it ");
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, SEQ_END, 0);
    put_implicit(&bytes, ID, "kept");
    dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_int_equal(dataset_count(dataset), 1);
    assert_string_equal(text_of(dataset, ID), "kept");
    dataset_free(dataset);
    buf_free(&bytes);
}

/* UN holds implicit VR, and so does all within it: PS3.5 6.2.2. */
static void test_un(void **state)
{
    struct buf bytes = {0}, inner = {0};
    struct dataset *dataset, *item;

    (void)state;
    put_implicit(&inner, ID, "deep");
    /* Undefined length, of a private tag; a sequence of it again inside. */
    put_long(&bytes, TAG(0x0009, 0x1001), "UN", OPEN);
    put_head(&bytes, ITEM, OPEN);
    put_head(&bytes, TAG(0x0009, 0x1002), OPEN);
    put_head(&bytes, ITEM, (uint32_t)inner.length);
    buf_add(&bytes, inner.data, inner.length);
    put_head(&bytes, SEQ_END, 0);
    put_implicit(&bytes, ID, "flat");
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, SEQ_END, 0);
    /* The same tag again, to be left out. */
    put_long(&bytes, TAG(0x0009, 0x1001), "UN", OPEN);
    put_head(&bytes, ITEM, OPEN);
    put_implicit(&bytes, ID, "copy");
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, SEQ_END, 0);
    /* Defined length: what the dictionary says. */
    put_long(&bytes, NAME, "UN", 8);
    buf_adds(&bytes, "Doe^Jane");
    put_long(&bytes, TAG(0x0008, 0x1111), "UN", (uint32_t)inner.length + 8);
    put_head(&bytes, ITEM, (uint32_t)inner.length);
    buf_add(&bytes, inner.data, inner.length);
    put_long(&bytes, TAG(0x0009, 0x1003), "UN", 4);
    buf_adds(&bytes, "abcd");
    dataset = parsed(&bytes, UID_EXPLICIT_LE);
    assert_int_equal(dataset_count(dataset), 4);
    assert_int_equal(dataset_vr(dataset, TAG(0x0009, 0x1001)), VR_SQ);
    item = dataset_item(dataset, TAG(0x0009, 0x1001), 0);
    assert_string_equal(text_of(item, ID), "flat");
    item = dataset_item(item, TAG(0x0009, 0x1002), 0);
    assert_string_equal(text_of(item, ID), "deep");
    assert_int_equal(dataset_vr(dataset, NAME), VR_PN);
    assert_string_equal(text_of(dataset, NAME), "Doe^Jane");
    assert_string_equal(text_of(dataset_item(dataset, TAG(0x0008, 0x1111), 0), ID), "deep");
    assert_int_equal(dataset_vr(dataset, TAG(0x0009, 0x1003)), VR_UN);
    assert_null(text_of(dataset, TAG(0x0009, 0x1003)) && text.length ? "text" : NULL);
    dataset_free(dataset);
    buf_free(&bytes);
    buf_free(&inner);
}

static void test_strange_vrs(void **state)
{
    struct buf bytes = {0}, out = {0};
    struct dataset *dataset;

    (void)state;
    put_short(&bytes, NAME, "ZZ", "Doe^Jane");
    put_short(&bytes, ID, "\0\0", "1234");
    put_short(&bytes, STUDY, "LO", "1.2 ");
    dataset = parsed(&bytes, UID_EXPLICIT_LE);
    assert_int_equal(dataset_vr(dataset, NAME), VR_PN);
    assert_string_equal(text_of(dataset, NAME), "Doe^Jane");
    assert_int_equal(dataset_vr(dataset, ID), VR_LO);
    assert_int_equal(dataset_vr(dataset, STUDY), VR_LO); /* as it was said */
    assert_int_equal(dataset_vr(dataset, SEQUENCE), VR_NONE);
    assert_null(dataset_item(dataset, SEQUENCE, 0));
    assert_int_equal(dataset_items(dataset, NAME), 0);
    dataset_write(dataset, UID_EXPLICIT_LE, &out);
    assert_non_null(memmem(out.data, out.length, "PN\x08\0Doe^Jane", 12));
    dataset_free(dataset);
    buf_free(&bytes);
    buf_free(&out);
}

/* ---- character sets ---- */

static void test_charset_of_items(void **state)
{
    struct buf bytes = {0};
    struct dataset *dataset, *item;

    (void)state;
    put_implicit(&bytes, TAG(0x0008, 0x0005), LATIN);
    put_head(&bytes, SEQUENCE, OPEN);
    put_head(&bytes, ITEM, OPEN); /* inherits */
    put_implicit(&bytes, NAME, "M\xfcller");
    put_head(&bytes, SEQUENCE, OPEN); /* also two levels down */
    put_head(&bytes, ITEM, OPEN);
    put_implicit(&bytes, NAME, "\xd6");
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, SEQ_END, 0);
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, ITEM, OPEN); /* has its own, which comes after what it is for */
    put_implicit(&bytes, NAME, "\xd0\x98\xd0\x92");
    put_implicit(&bytes, TAG(0x0008, 0x0005), "ISO_IR 192");
    put_head(&bytes, ITEM_END, 0);
    put_head(&bytes, SEQ_END, 0);
    put_implicit(&bytes, NAME, "\xe4");
    dataset = parsed(&bytes, UID_IMPLICIT_LE);
    assert_string_equal(text_of(dataset, NAME), "ä");
    item = dataset_item(dataset, SEQUENCE, 0);
    assert_string_equal(text_of(item, NAME), "Müller");
    assert_string_equal(text_of(dataset_item(item, SEQUENCE, 0), NAME), "Ö");
    assert_string_equal(text_of(dataset_item(dataset, SEQUENCE, 1), NAME), "ИВ");
    assert_null(dataset_item(dataset, SEQUENCE, 2));

    /* All of it in one set. */
    dataset_choose_charset(dataset, LATIN);
    assert_string_equal(text_of(dataset, TAG(0x0008, 0x0005)), "ISO_IR 192");
    assert_false(dataset_has(dataset_item(dataset, SEQUENCE, 1), TAG(0x0008, 0x0005)));
    assert_string_equal(text_of(dataset_item(dataset, SEQUENCE, 1), NAME), "ИВ");
    buf_clear(&bytes);
    dataset_write(dataset, UID_EXPLICIT_LE, &bytes);
    dataset_free(dataset);
    dataset = parsed(&bytes, UID_EXPLICIT_LE);
    item = dataset_item(dataset, SEQUENCE, 0);
    assert_string_equal(text_of(item, NAME), "Müller");
    assert_string_equal(text_of(dataset_item(item, SEQUENCE, 0), NAME), "Ö");
    assert_string_equal(text_of(dataset_item(dataset, SEQUENCE, 1), NAME), "ИВ");
    dataset_free(dataset);
    buf_free(&bytes);
}

static void choose(const char *name, const char *inner, const char *wanted, const char *expected,
                   const char *bytes)
{
    struct dataset *dataset = dataset_new(), *again;
    struct buf out = {0};
    size_t size;
    const char *value;

    dataset_put(dataset, NAME, name);
    dataset_put(dataset_add_item(dataset, SEQUENCE), NAME, inner);
    dataset_put(dataset, TAG(0x0008, 0x0060), "CT");
    dataset_choose_charset(dataset, wanted);
    if (expected)
        assert_string_equal(text_of(dataset, TAG(0x0008, 0x0005)), expected);
    else
        assert_false(dataset_has(dataset, TAG(0x0008, 0x0005)));
    /* It still reads as what was put. */
    assert_string_equal(text_of(dataset, NAME), name);
    dataset_write(dataset, UID_EXPLICIT_LE, &out);
    again = parsed(&out, UID_EXPLICIT_LE);
    assert_string_equal(text_of(again, NAME), name);
    assert_string_equal(text_of(dataset_item(again, SEQUENCE, 0), NAME), inner);
    value = dataset_bytes(again, NAME, &size);
    assert_true(size >= strlen(bytes));
    assert_memory_equal(value, bytes, strlen(bytes));
    dataset_free(again);
    dataset_free(dataset);
    buf_free(&out);
}

static void test_choose_charset(void **state)
{
    (void)state;
    choose("Doe^John", "Roe", LATIN, NULL, "Doe^John");
    choose("Doe^John", "Roe", NULL, NULL, "Doe^John");
    choose("Müller", "Roe", LATIN, LATIN, "M\xfcller");
    choose("Doe", "Müller", LATIN, LATIN, "Doe");
    choose("Müller", "Roe", NULL, "ISO_IR 192", "Müller");
    choose("Müller", "Roe", "", "ISO_IR 192", "Müller");
    choose("Müller", "Roe", "ISO_IR 144", "ISO_IR 192", "Müller");
    /* One value out of many decides for all. */
    choose("Müller", "Иванов", LATIN, "ISO_IR 192", "Müller");
    choose("Müller", "Roe", "ISO_IR 999", "ISO_IR 192", "Müller");
    choose("Yamada=山田=やまだ", "Roe", "\\ISO 2022 IR 87", "\\ISO 2022 IR 87",
           "Yamada=\x1b$B;3ED\x1b(B=\x1b$B$d$^$@\x1b(B");
    choose("김^희중", "Roe", "\\ISO 2022 IR 149", "\\ISO 2022 IR 149",
           "\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1\xc1\xdf");
}

/* ---- making and writing ---- */

static void test_put(void **state)
{
    struct dataset *dataset = dataset_new();
    struct buf out = {0};
    size_t size;

    (void)state;
    dataset_put(dataset, NAME, "one");
    dataset_put(dataset, NAME, "two");
    dataset_put(dataset, ID, NULL);
    dataset_put(dataset, STUDY, "");
    dataset_put(dataset, TAG(0x0028, 0x0010), "512");
    dataset_put(dataset, TAG(0x0008, 0x0008), "ORIGINAL\\PRIMARY");
    dataset_put_vr(dataset, TAG(0x0009, 0x1001), VR_LO, "private");
    dataset_put_vr(dataset, TAG(0x0009, 0x1002), VR_FD, "0.5\\-2");
    assert_int_equal(dataset_count(dataset), 7);
    assert_string_equal(text_of(dataset, NAME), "two");
    assert_true(dataset_has(dataset, ID));
    assert_null(dataset_bytes(dataset, ID, &size));
    assert_false(dataset_text(dataset, ID, &text));
    assert_string_equal(text_of(dataset, TAG(0x0028, 0x0010)), "512");
    assert_string_equal(text_of(dataset, TAG(0x0009, 0x1002)), "0.5\\-2");
    /* A sequence takes the place of a value, and a value that of a sequence. */
    assert_non_null(dataset_add_item(dataset, NAME));
    assert_null(dataset_bytes(dataset, NAME, &size));
    dataset_add_item(dataset, NAME);
    assert_int_equal(dataset_items(dataset, NAME), 2);
    dataset_put_sequence(dataset, NAME);
    assert_int_equal(dataset_items(dataset, NAME), 0);
    dataset_put(dataset, NAME, "three");
    assert_int_equal(dataset_vr(dataset, NAME), VR_PN);
    dataset_remove(dataset, NAME);
    dataset_remove(dataset, NAME);
    assert_false(dataset_has(dataset, NAME));
    assert_int_equal(dataset_count(dataset), 6);
    dataset_free(dataset);
    dataset_free(NULL);
    dataset = dataset_new();
    dataset_write(dataset, UID_EXPLICIT_LE, &out);
    assert_int_equal(out.length, 0);
    dataset_free(dataset);
}

static void test_encoding(void **state)
{
    /* By hand from PS3.5 7.1: odd texts get a space, UIDs a NUL, sequences defined lengths. */
    static const char wanted[] = "\x08\0\x16\0UI\x04\0" "1.2\0"
                                 "\x08\0\x40\x11SQ\0\0\x1a\0\0\0"
                                 "\xfe\xff\0\xe0\x0a\0\0\0" "\x10\0\x20\0LO\x02\0" "7 "
                                 "\xfe\xff\0\xe0\0\0\0\0"
                                 "\x10\0\x10\0PN\x04\0" "Doe "
                                 "\x28\0\x10\0US\x02\0\0\x02"
                                 "\x40\0\x60\xa1UT\0\0\x02\0\0\0" "x ";
    struct dataset *dataset = dataset_new();
    struct buf out = {0};

    (void)state;
    dataset_put(dataset, TAG(0x0028, 0x0010), "512");
    dataset_put_vr(dataset, TAG(0x0040, 0xa160), VR_UT, "x");
    dataset_put(dataset, NAME, "Doe");
    dataset_put(dataset_add_item(dataset, SEQUENCE), ID, "7");
    dataset_add_item(dataset, SEQUENCE);
    dataset_put(dataset, TAG(0x0008, 0x0016), "1.2");
    dataset_write(dataset, UID_EXPLICIT_LE, &out);
    assert_int_equal(out.length, sizeof wanted - 1);
    assert_memory_equal(out.data, wanted, out.length);
    dataset_free(dataset);
    buf_free(&out);
}

/* 65,534 bytes fit a short length; more goes as UN, and is read as what the dictionary says. */
static void test_long_values(void **state)
{
    static const size_t size[] = {65533, 65534, 65535, 65536, 70001};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct dataset *dataset = dataset_new(), *again;
        struct buf list = {0}, out = {0};

        for (size_t n = 1; n < size[i]; n++)
            buf_addc(&list, n % 8 == 0 ? '\\' : '1');
        buf_addc(&list, '1');
        dataset_put(dataset, STUDY, list.data);
        dataset_write(dataset, UID_EXPLICIT_LE, &out);
        assert_memory_equal(out.data + 4, size[i] > 65534 ? "UN" : "UI", 2);
        again = parsed(&out, UID_EXPLICIT_LE);
        assert_int_equal(dataset_vr(again, STUDY), VR_UI);
        assert_string_equal(text_of(again, STUDY), list.data);
        dataset_free(again);
        buf_clear(&out);
        dataset_write(dataset, UID_IMPLICIT_LE, &out);
        again = parsed(&out, UID_IMPLICIT_LE);
        assert_string_equal(text_of(again, STUDY), list.data);
        dataset_free(again);
        dataset_free(dataset);
        buf_free(&out);
        buf_free(&list);
    }
}

/* What has been written is parsed to what writes the same. */
static void fill(struct dataset *dataset, unsigned *seed, int depth)
{
    static const tag_t tags[] = {NAME,
                                 ID,
                                 STUDY,
                                 TAG(0x0028, 0x0010),
                                 TAG(0x0008, 0x0060),
                                 TAG(0x0008, 0x1030),
                                 TAG(0x0018, 0x9073),
                                 TAG(0x0020, 0x4000)};
    static const char *const values[] = {"Doe^John", "7", "1.2.3", "65535", "CT", "", "-1.5", "a\\b"};

    for (unsigned n = rand_r(seed) % 8; n > 0; n--)
        dataset_put(dataset, tags[rand_r(seed) % 8], values[rand_r(seed) % 8]);
    for (unsigned n = rand_r(seed) % 3; n > 0 && depth < 4; n--)
        fill(dataset_add_item(dataset, TAG(0x0008, 0x1110 + rand_r(seed) % 2)), seed, depth + 1);
}

static void test_round_trips(void **state)
{
    static const char *const syntax[] = {UID_IMPLICIT_LE, UID_EXPLICIT_LE};
    unsigned seed = 20240131;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct dataset *dataset = dataset_new();

        fill(dataset, &seed, 0);
        for (size_t s = 0; s < 2; s++) {
            struct buf once = {0}, twice = {0};
            struct dataset *again;

            dataset_write(dataset, syntax[s], &once);
            again = parsed(&once, syntax[s]);
            dataset_write(again, syntax[s], &twice);
            assert_int_equal(once.length, twice.length);
            if (once.length)
                assert_memory_equal(once.data, twice.data, once.length);
            dataset_free(again);
            buf_free(&once);
            buf_free(&twice);
        }
        dataset_free(dataset);
    }
}

static int free_text(void **state)
{
    (void)state;
    buf_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_other_syntaxes),
        cmocka_unit_test(test_order_and_duplicates),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_un),
        cmocka_unit_test(test_strange_vrs),
        cmocka_unit_test(test_charset_of_items),
        cmocka_unit_test(test_choose_charset),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, free_text);
}

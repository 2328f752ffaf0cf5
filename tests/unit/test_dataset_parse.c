/*
 * dataset_parse: what comes from a peer is taken or refused, never believed.
 */
#include "dataset_build.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, free_text);
}

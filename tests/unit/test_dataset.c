/*
 * dataset.h: what was put comes back, in whichever character set; what is written is parsed to the same.
 */
#include "dataset_build.h"

#define LATIN "ISO_IR 100"

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
    static const char wanted[] = "\x08\0\x16\0UI\x04\0"
                                 "1.2\0"
                                 "\x08\0\x40\x11SQ\0\0\x1a\0\0\0"
                                 "\xfe\xff\0\xe0\x0a\0\0\0"
                                 "\x10\0\x20\0LO\x02\0"
                                 "7 "
                                 "\xfe\xff\0\xe0\0\0\0\0"
                                 "\x10\0\x10\0PN\x04\0"
                                 "Doe "
                                 "\x28\0\x10\0US\x02\0\0\x02"
                                 "\x40\0\x60\xa1UT\0\0\x02\0\0\0"
                                 "x ";
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
    static const char *const values[] = {"Doe^John", "7", "1.2.3", "65535",
                                         "CT",       "",  "-1.5",  "a\\b"};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_charset_of_items),
        cmocka_unit_test(test_choose_charset),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, free_text);
}

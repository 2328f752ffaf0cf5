/*
 * libcore/dicom/scan: values as text. What character sets mean is tested with charset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scan_build.h"

#define ONE TAG(0x0018, 0x9999) /* where the tests put their value, whatever its VR */

/* The text of one value of explicit VR, after ISO_IR 100. */
static void check_text(enum form form, vr_t vr, const void *raw, size_t length,
                       const char *expected)
{
    tag_t tag = ONE;
    struct scanner *scanner = scanner_new(&tag, 1);
    struct buf file = {0}, out = {0};

    preamble(&file);
    meta(&file, form == BIG ? UID_EXPLICIT_BE : UID_EXPLICIT_LE);
    text(&file, form, TAG(0x0008, 0x0005), VR_CS, "ISO_IR 100");
    text(&file, form, TAG(0x0008, 0x0060), VR_CS, "CT");
    bytes(&file, form, ONE, vr, raw, length);
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    buf_adds(&out, "before");
    assert_true(scan_text(scanner, ONE, &out)); /* appends */
    assert_memory_equal(buf_text(&out), "before", 6);
    assert_string_equal(buf_text(&out) + 6, expected);
    assert_int_equal(out.length, 6 + strlen(expected));
    scanner_free(scanner);
    buf_free(&file);
    buf_free(&out);
}

#define TEXT(vr, raw, expected) check_text(EXPLICIT, vr, raw, sizeof(raw) - 1, expected)
#define NUMBER(vr, little, big, expected)                           \
    check_text(EXPLICIT, vr, little, sizeof(little) - 1, expected); \
    check_text(BIG, vr, big, sizeof(big) - 1, expected)

static void padding_goes(void **state)
{
    (void)state;
    TEXT(VR_UI, "1.2.3\0", "1.2.3");
    TEXT(VR_UI, "1.2.3 ", "1.2.3");
    TEXT(VR_LO, "text  ", "text");
    TEXT(VR_LO, "text\0\0", "text");
    TEXT(VR_LO, "  text ", "text");
    TEXT(VR_SH, " a b ", "a b");
    TEXT(VR_CS, " CT ", "CT");
    TEXT(VR_AE, " AET", "AET");
    TEXT(VR_DS, " 1.5 ", "1.5");
    TEXT(VR_IS, " 12 ", "12");
    TEXT(VR_LO, "      ", "");
    TEXT(VR_LO, "\0\0", "");
    TEXT(VR_LO, "", "");
    /* Spaces before these mean something (PS3.5 6.2). */
    TEXT(VR_PN, " Doe^J ", " Doe^J");
    TEXT(VR_LT, "  text  ", "  text");
    TEXT(VR_UT, " text ", " text");
    TEXT(VR_UC, " text ", " text");
}

static void several_values(void **state)
{
    (void)state;
    TEXT(VR_LO, "one \\ two\\three ", "one\\two\\three");
    TEXT(VR_CS, "A\\B\\\\C", "A\\B\\\\C");
    TEXT(VR_DS, " 1.0 \\ -2.5 \\3", "1.0\\-2.5\\3");
    TEXT(VR_UI, "1.2\0\\1.3\0", "1.2\\1.3");
    TEXT(VR_PN, "A^B \\C^D ", "A^B\\C^D");
    TEXT(VR_LO, "\\", "\\");
    TEXT(VR_LO, "\\ \\", "\\\\");
    /* A letter like any other here. */
    TEXT(VR_LT, "a \\ b ", "a \\ b");
    TEXT(VR_ST, "a \\ b", "a \\ b");
    TEXT(VR_UT, "a \\ b", "a \\ b");
    TEXT(VR_UR, "http://x/ \\b ", "http://x/ \\b");
}

static void letters(void **state)
{
    (void)state;
    TEXT(VR_PN, "M\xfcller^J\xf6rg ", "Müller^Jörg");
    TEXT(VR_LO, "\xfc\\\xf6", "ü\\ö");
    TEXT(VR_LO, "a\0b ",
         "a\xef\xbf\xbd"
         "b");
    TEXT(VR_LO, "\0a\0\0b\0",
         "\xef\xbf\xbd"
         "a\xef\xbf\xbd\xef\xbf\xbd"
         "b");
    TEXT(VR_LO, "a\tb\n", "a\tb\n");
}

static void character_set_of_the_object(void **state)
{
    static const struct {
        const char *set, *raw, *expected;
    } cases[] = {
        {"ISO_IR 192", "M\xc3\xbcller", "Müller"},
        {"ISO_IR 144", "\xbb\xee\xda", "Люк"},
        {"\\ISO 2022 IR 87", "Yamada^Tarou=\x1b$B;3ED\x1b(B", "Yamada^Tarou=山田"},
        {"GB18030", "Wang=\xcd\xf5", "Wang=王"},
        /* a byte that looks like a backslash inside a letter parts nothing */
        {"GBK", "\x81\x5c a", "乗 a"},
    };
    tag_t tag = TAG(0x0010, 0x0010);
    struct scanner *scanner = scanner_new(&tag, 1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int item = 0; item < 2; item++) {
            struct buf file = {0};

            text(&file, EXPLICIT, TAG(0x0008, 0x0005), VR_CS, cases[i].set);
            text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
            if (item) { /* one inside an item is not the object's */
                head(&file, EXPLICIT, TAG(0x0008, 0x1140), VR_SQ, UNDEFINED);
                head(&file, EXPLICIT, ITEM, 0, UNDEFINED);
                text(&file, EXPLICIT, TAG(0x0008, 0x0005), VR_CS, "ISO_IR 126");
                head(&file, EXPLICIT, ITEM_END, 0, 0);
                head(&file, EXPLICIT, SQ_END, 0, 0);
            }
            text(&file, EXPLICIT, TAG(0x0010, 0x0010), VR_PN, cases[i].raw);
            assert_int_equal(scan_as_file(scanner, &file), SCAN_OK);
            assert_string_equal(value(scanner, tag), cases[i].expected);
            buf_free(&file);
        }
    scanner_free(scanner);
}

static void numbers(void **state)
{
    (void)state;
    NUMBER(VR_US, "\x00\x02\xff\xff", "\x02\x00\xff\xff", "512\\65535");
    NUMBER(VR_SS, "\x00\x02\xff\xff", "\x02\x00\xff\xff", "512\\-1");
    NUMBER(VR_UL, "\xff\xff\xff\xff", "\xff\xff\xff\xff", "4294967295");
    NUMBER(VR_SL, "\xfe\xff\xff\xff", "\xff\xff\xff\xfe", "-2");
    NUMBER(VR_UV, "\x01\0\0\0\0\0\0\x80", "\x80\0\0\0\0\0\0\x01", "9223372036854775809");
    NUMBER(VR_SV, "\xff\xff\xff\xff\xff\xff\xff\xff", "\xff\xff\xff\xff\xff\xff\xff\xff", "-1");
    NUMBER(VR_FL, "\xcd\xcc\xcc\x3d", "\x3d\xcc\xcc\xcd", "0.1");
    NUMBER(VR_FL, "\0\0\x80\x3f\0\0\xc0\xbf", "\x3f\x80\0\0\xbf\xc0\0\0", "1\\-1.5");
    NUMBER(VR_FD, "\x9a\x99\x99\x99\x99\x99\xb9\x3f", "\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1");
    NUMBER(VR_FD, "\x18\x2d\x44\x54\xfb\x21\x09\x40", "\x40\x09\x21\xfb\x54\x44\x2d\x18",
           "3.141592653589793");
    NUMBER(VR_AT, "\x10\x00\x1d\x00\xe0\x7f\x10\x00", "\x00\x10\x00\x1d\x7f\xe0\x00\x10",
           "0010,001d\\7fe0,0010");
    NUMBER(VR_US, "", "", "");
    NUMBER(VR_US, "\x01", "\x01", "");                  /* not whole */
    NUMBER(VR_US, "\x01\x00\x05", "\x00\x01\x05", "1"); /* and a bit of rest */
}

static void nothing_to_read(void **state)
{
    (void)state;
    TEXT(VR_OB, "text", "");
    TEXT(VR_OW, "text", "");
    TEXT(VR_OF, "text", "");
    TEXT(VR_UN, "text", ""); /* the dictionary does not know this tag */
    TEXT(VR_SQ, "", "");
    TEXT(VR('Z', 'Z'), "text", "");
}

static void missing_values(void **state)
{
    struct scanner *scanner = scanner_new(wanted, WANTED);
    struct buf file = {0}, out = {0};

    (void)state;
    dataset(&file, EXPLICIT, NULL);
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    assert_false(scan_text(scanner, TAG(0x0002, 0x0010), &out)); /* not there */
    assert_false(scan_text(scanner, TAG(0x0008, 0x0070), &out)); /* not wanted */
    assert_int_equal(out.length, 0);
    assert_true(scan_text(scanner, TAG(0x0008, 0x0005), &out)); /* always scanned */
    assert_string_equal(buf_text(&out), "ISO_IR 100");
    scanner_free(scanner);
    buf_free(&file);
    buf_free(&out);
}

/* Where the object does not say the VR, or says UN, the dictionary does. */
static void vrs_from_the_dictionary(void **state)
{
    static const enum form forms[] = {IMPLICIT, EXPLICIT, BIG};
    tag_t tags[] = {TAG(0x0008, 0x0000), TAG(0x0009, 0x0010), TAG(0x0009, 0x1001),
                    TAG(0x0010, 0x0010), TAG(0x0028, 0x0010)};
    struct scanner *scanner = scanner_new(tags, 5);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct buf file = {0};
        enum form form = forms[i];

        preamble(&file);
        head(&file, form, TAG(0x0008, 0x0000), VR_UN, 4);
        number(&file, 70, 4, false); /* UN is little endian (PS3.5 6.2.2) */
        text(&file, form, TAG(0x0008, 0x0005), VR_CS, "ISO_IR 100");
        text(&file, form, TAG(0x0009, 0x0010), VR_UN, "CREATOR ");
        text(&file, form, TAG(0x0009, 0x1001), VR_UN, "bytes ");
        text(&file, form, TAG(0x0010, 0x0010), VR_UN, "J\xf6rg");
        head(&file, form, TAG(0x0028, 0x0010), VR_UN, 2);
        number(&file, 512, 2, false);
        assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
        assert_int_equal(scan_value(scanner, tags[0])->vr, VR_UL);
        assert_string_equal(value(scanner, tags[0]), "70");
        assert_int_equal(scan_value(scanner, tags[1])->vr, VR_LO);
        assert_string_equal(value(scanner, tags[1]), "CREATOR");
        assert_int_equal(scan_value(scanner, tags[2])->vr, VR_UN);
        assert_memory_equal(scan_value(scanner, tags[2])->data, "bytes ", 6);
        assert_string_equal(value(scanner, tags[3]), "Jörg");
        assert_string_equal(value(scanner, tags[4]), "512");
        buf_free(&file);
    }
    scanner_free(scanner);
}

static void sequences_as_values(void **state)
{
    tag_t tags[] = {TAG(0x0008, 0x1140), TAG(0x0008, 0x1199)};
    struct scanner *scanner = scanner_new(tags, 2);
    struct buf file = {0};
    const struct scan_value *found;

    (void)state;
    text(&file, EXPLICIT, TAG(0x0008, 0x0018), VR_UI, "1.2.3.40");
    text(&file, EXPLICIT, TAG(0x0008, 0x0060), VR_CS, "CT");
    head(&file, EXPLICIT, TAG(0x0008, 0x1140), VR_SQ, 8);
    head(&file, EXPLICIT, ITEM, 0, 0);
    head(&file, EXPLICIT, TAG(0x0008, 0x1199), VR_SQ, UNDEFINED);
    head(&file, EXPLICIT, ITEM, 0, 0);
    head(&file, EXPLICIT, SQ_END, 0, 0);
    assert_int_equal(scan_bytes(scanner, &file), SCAN_OK);
    found = scan_value(scanner, tags[0]);
    assert_int_equal(found->vr, VR_SQ);
    assert_int_equal(found->size, 8); /* its bytes */
    assert_memory_equal(found->data, "\xfe\xff\x00\xe0", 4);
    found = scan_value(scanner, tags[1]);
    assert_int_equal(found->length, UNDEFINED);
    assert_int_equal(found->size, 0); /* known of, not kept */
    assert_true(found->cut);
    assert_string_equal(value(scanner, tags[1]), "");
    scanner_free(scanner);
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_goes),
        cmocka_unit_test(several_values),
        cmocka_unit_test(letters),
        cmocka_unit_test(character_set_of_the_object),
        cmocka_unit_test(numbers),
        cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(missing_values),
        cmocka_unit_test(vrs_from_the_dictionary),
        cmocka_unit_test(sequences_as_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * value.h: numbers at the limits of every binary VR, both ways; what is no number; texts and their padding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/value.h"

/* The text's encoding is these bytes, and they read as the text. */
static void assert_both_ways(vr_t vr, const char *text, const char *bytes, size_t size)
{
    struct buf out = {0}, back = {0};
    char *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    value_from_text(vr, text, &out);
    if (out.length != size || (size && memcmp(out.data, bytes, size) != 0))
        fail_msg("%c%c %s: %zu bytes, not the %zu expected", vr >> 8, vr & 0xff, text, out.length,
                 size);
    value_to_text(vr, false, copy, size, NULL, 0, &back);
    assert_string_equal(buf_text(&back), text);
    /* The same in big endian: each number's bytes the other way round. */
    buf_clear(&back);
    size_t width = vr == VR_US || vr == VR_SS || vr == VR_AT   ? 2
                   : vr == VR_UV || vr == VR_SV || vr == VR_FD ? 8
                                                               : 4;
    for (size_t at = 0; at + width <= size; at += width)
        for (size_t i = 0; i < width; i++)
            copy[at + i] = bytes[at + width - 1 - i];
    value_to_text(vr, true, copy, size, NULL, 0, &back);
    assert_string_equal(buf_text(&back), text);
    free(copy);
    buf_free(&out);
    buf_free(&back);
}

#define BOTH_WAYS(vr, text, bytes) assert_both_ways(vr, text, bytes, sizeof(bytes) - 1)

static void test_limits(void **state)
{
    (void)state;
    BOTH_WAYS(VR_US, "0", "\0\0");
    BOTH_WAYS(VR_US, "65535", "\xff\xff");
    BOTH_WAYS(VR_US, "1\\258\\65535", "\1\0\2\1\xff\xff");
    BOTH_WAYS(VR_SS, "-32768", "\0\x80");
    BOTH_WAYS(VR_SS, "32767", "\xff\x7f");
    BOTH_WAYS(VR_SS, "-1\\1", "\xff\xff\1\0");
    BOTH_WAYS(VR_UL, "4294967295", "\xff\xff\xff\xff");
    BOTH_WAYS(VR_UL, "2147483648", "\0\0\0\x80");
    BOTH_WAYS(VR_SL, "-2147483648", "\0\0\0\x80");
    BOTH_WAYS(VR_SL, "2147483647", "\xff\xff\xff\x7f");
    BOTH_WAYS(VR_UV, "18446744073709551615", "\xff\xff\xff\xff\xff\xff\xff\xff");
    BOTH_WAYS(VR_UV, "9223372036854775808", "\0\0\0\0\0\0\0\x80");
    BOTH_WAYS(VR_SV, "-9223372036854775808", "\0\0\0\0\0\0\0\x80");
    BOTH_WAYS(VR_SV, "9223372036854775807", "\xff\xff\xff\xff\xff\xff\xff\x7f");
    BOTH_WAYS(VR_AT, "0010,0020", "\x10\0\x20\0");
    BOTH_WAYS(VR_AT, "fffe,e00d\\0000,0000", "\xfe\xff\x0d\xe0\0\0\0\0");
    BOTH_WAYS(VR_FL, "1.5", "\0\0\xc0\x3f");
    BOTH_WAYS(VR_FL, "3.4028235e+38", "\xff\xff\x7f\x7f");
    BOTH_WAYS(VR_FL, "1.4013e-45", "\1\0\0\0");
    BOTH_WAYS(VR_FL, "0.1", "\xcd\xcc\xcc\x3d");
    BOTH_WAYS(VR_FD, "-2", "\0\0\0\0\0\0\0\xc0");
    BOTH_WAYS(VR_FD, "1.7976931348623157e+308", "\xff\xff\xff\xff\xff\xff\xef\x7f");
    BOTH_WAYS(VR_FD, "4.94065645841247e-324", "\1\0\0\0\0\0\0\0");
    BOTH_WAYS(VR_FD, "inf\\-inf", "\0\0\0\0\0\0\xf0\x7f\0\0\0\0\0\0\xf0\xff");
}

static void assert_nothing(vr_t vr, const char *text)
{
    struct buf out = {0};

    value_from_text(vr, text, &out);
    if (out.length)
        fail_msg("%c%c: \"%s\" made %zu bytes", vr >> 8, vr & 0xff, text, out.length);
    buf_free(&out);
}

static void test_no_numbers(void **state)
{
    static const vr_t all[] = {VR_US, VR_SS, VR_UL, VR_SL, VR_UV, VR_SV, VR_FL, VR_FD, VR_AT};
    static const char *const never[] = {
        "",
        " ",
        "\\",
        "\\\\\\",
        "x",
        "1x",
        "--1",
        "0x10",
        "1 2",
        "1,5",
        "1e",
        "+",
        "-",
        "- 1",
        "11111111111111111111111111111111111111111111111111111111111111111111111111111111"};

    (void)state;
    for (size_t v = 0; v < 9; v++)
        for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
            assert_nothing(all[v], never[i]);
    assert_nothing(VR_US, "65536");
    assert_nothing(VR_US, "-1");
    assert_nothing(VR_US, " -1");
    assert_nothing(VR_US, "1.0");
    assert_nothing(VR_SS, "32768");
    assert_nothing(VR_SS, "-32769");
    assert_nothing(VR_UL, "4294967296");
    assert_nothing(VR_UL, "-4294967295");
    assert_nothing(VR_SL, "2147483648");
    assert_nothing(VR_SL, "-2147483649");
    assert_nothing(VR_UV, "18446744073709551616");
    assert_nothing(VR_UV, " -5");
    assert_nothing(VR_SV, "9223372036854775808");
    assert_nothing(VR_SV, "-9223372036854775809");
    assert_nothing(VR_FL, "3.5e38");
    assert_nothing(VR_FL, "-1e39");
    assert_nothing(VR_FD, "1e309");
    assert_nothing(VR_AT, "0010,002");
    assert_nothing(VR_AT, "0010,00201");
    assert_nothing(VR_AT, "0010-0020");
    assert_nothing(VR_AT, "0010,00g0");
    assert_nothing(VR_AT, "+010,-020");
    assert_nothing(VR_AT, "00100020");
    /* Not numbers at all. */
    assert_nothing(VR_IS, "1");
    assert_nothing(VR_OB, "1");
    assert_nothing(VR_SQ, "1");
}

static void test_left_out(void **state)
{
    struct buf out = {0};

    (void)state;
    value_from_text(VR_US, "1\\70000\\x\\\\ 2 \\+3", &out);
    assert_int_equal(out.length, 6);
    assert_memory_equal(out.data, "\1\0\2\0\3\0", 6);
    buf_free(&out);
}

/* A number that is cut counts for nothing. */
static void test_odd_sizes(void **state)
{
    static const vr_t all[] = {VR_US, VR_SS, VR_UL, VR_SL, VR_UV, VR_SV, VR_FL, VR_FD, VR_AT};
    static const size_t width[] = {2, 2, 4, 4, 8, 8, 4, 8, 4};

    (void)state;
    for (size_t v = 0; v < 9; v++)
        for (size_t size = 0; size <= 3 * width[v]; size++) {
            char *bytes = calloc(1, size ? size : 1);
            struct buf out = {0};
            size_t values = 0;

            assert_non_null(bytes);
            value_to_text(all[v], false, bytes, size, NULL, 0, &out);
            for (const char *at = buf_text(&out); *at; at++)
                values += *at == '\\';
            assert_int_equal(values + (out.length > 0), size / width[v]);
            buf_free(&out);
            free(bytes);
        }
}

static void assert_text(vr_t vr, const char *bytes, size_t size, const char *set, const char *text)
{
    struct buf out = {0};

    buf_adds(&out, "<");
    value_to_text(vr, false, bytes, size, set, set ? strlen(set) : 0, &out);
    buf_adds(&out, ">");
    assert_int_equal(strlen(out.data), out.length);
    assert_string_equal(out.data, text);
    buf_free(&out);
}

#define TEXT(vr, bytes, set, text) assert_text(vr, bytes, sizeof(bytes) - 1, set, text)

static void test_texts(void **state)
{
    (void)state;
    TEXT(VR_LO, "  a \\ b  ", NULL, "<a\\b>");
    TEXT(VR_PN, "  a \\ b  ", NULL, "<  a\\ b>"); /* leading spaces of a name are its own */
    TEXT(VR_LT, "  a \\ b  ", NULL, "<  a \\ b>");
    TEXT(VR_UI, "1.2\0", NULL, "<1.2>");
    TEXT(VR_UI, "1.2\\1.3\0", NULL, "<1.2\\1.3>");
    TEXT(VR_LO, "a\0b", NULL,
         "<a\xef\xbf\xbd"
         "b>");
    TEXT(VR_LO, "\0\0  ", NULL, "<>");
    TEXT(VR_CS, "", NULL, "<>");
    TEXT(VR_PN, "M\xfcller", "ISO_IR 100", "<Müller>");
    TEXT(VR_PN, "M\xc3\xbcller", "ISO_IR 192", "<Müller>");
    TEXT(VR_DS, " 1.5 \\ 2", NULL, "<1.5\\2>");
    TEXT(VR_CS, "\\ISO 2022 IR 87", NULL, "<\\ISO 2022 IR 87>");
    TEXT(VR_SQ, "abcd", NULL, "<>");
    TEXT(VR_UN, "abcd", NULL, "<>");
    TEXT(VR_OB, "abcd", NULL, "<>");
}

static void test_kinds(void **state)
{
    static const char texts[] = "AEASCSDADSDTISLOLTPNSHSTTMUCUIURUT", sets[] = "LOLTPNSHSTUCUT",
                      numbers[] = "ATFDFLSLSSSVULUSUV", others[] = "OBODOFOLOVOWSQUNZZ";

    (void)state;
    for (const char *at = texts; *at; at += 2) {
        assert_true(value_is_text(VR(at[0], at[1])));
        assert_false(value_is_number(VR(at[0], at[1])));
    }
    for (const char *at = sets; *at; at += 2)
        assert_true(value_has_charset(VR(at[0], at[1])));
    for (const char *at = numbers; *at; at += 2) {
        assert_true(value_is_number(VR(at[0], at[1])));
        assert_false(value_is_text(VR(at[0], at[1])) || value_has_charset(VR(at[0], at[1])));
    }
    for (const char *at = others; *at; at += 2)
        assert_false(value_is_text(VR(at[0], at[1])) || value_is_number(VR(at[0], at[1])) ||
                     value_has_charset(VR(at[0], at[1])));
    assert_false(value_has_charset(VR_CS) || value_has_charset(VR_UR) || value_has_charset(VR_UI));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_no_numbers),
        cmocka_unit_test(test_left_out), cmocka_unit_test(test_odd_sizes),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * UTF-8: validity; folding, whose letter case equals the C library's in the four scripts, and which changes
 * nothing when done twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wctype.h>

#include "dicom/charset_internal.h"

static void utf8_validity(void **state)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xe5\xb1",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe",
        "\xf0\x9f\x98",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];

        assert_false(utf8_valid(bad[i], strlen(bad[i])));
        snprintf(text, sizeof text, "long enough for words: %s and more", bad[i]);
        assert_false(utf8_valid(text, strlen(text)));
    }
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0b", 3));
    /* Every character there is, and each cut short. */
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4];
        size_t length = utf8_encode(c, text), bad_bytes;
        uint32_t back = 0;

        if (c >= 0xd800 && c < 0xe000) {
            assert_false(utf8_valid(text, length));
            continue;
        }
        assert_int_equal(utf8_decode(text, length, &back, &bad_bytes), length);
        assert_int_equal(back, c);
        for (size_t cut = 1; cut < length; cut++)
            assert_false(utf8_valid(text, cut));
    }
}

/* ---- letter case ---- */

static void check_fold(const char *text, const char *expected)
{
    struct buf out = {0};

    buf_addc(&out, '<');
    utf8_fold(text, strlen(text), &out);
    assert_string_equal(buf_text(&out) + 1, expected);
    assert_int_equal(out.length, strlen(expected) + 1);
    buf_free(&out);
}

static void folding(void **state)
{
    (void)state;
    check_fold("", "");
    check_fold("DOE^John 123", "doe^john 123");
    check_fold("MÜLLER ÅNGSTRÖM ŁUKASZ ÿŸ İI", "müller ångström łukasz ÿÿ ii");
    check_fold("ΔΙΟΝΎΣΙΟΣ ς", "διονύσιοσ ς");
    check_fold("ЛЮКСЕМБУРГ ЀЁЍ ҐІЇ", "люксембург ѐёѝ ґії");
    check_fold("ԱՐԵՒ և", "արեւ և");
    check_fold("ẞ ǅ Ⅳ ＡＢ", "ß ǆ ⅳ ａｂ");
    check_fold("\u023a\u023e", "\u2c65\u2c66"); /* grow by a byte */
    check_fold("e\u0301 山田 ᎠᏰ Ა 𐐀 ｱ", "e\u0301 山田 ᎠᏰ Ა 𐐀 ｱ");
    /* What is no UTF-8 stays. */
    check_fold("A\xff"
               "B\xc3",
               "a\xff"
               "b\xc3");
}

/* The scripts as blocks of Unicode. */
static bool folds(uint32_t c)
{
    static const uint32_t blocks[][2] = {
        {0x0000, 0x024f}, {0x0370, 0x03ff}, {0x0400, 0x052f}, {0x0530, 0x058f},
        {0x1c80, 0x1c8f}, {0x1e00, 0x1eff}, {0x1f00, 0x1fff}, {0x2126, 0x2126},
        {0x212a, 0x212b}, {0x2132, 0x2132}, {0x2160, 0x218f}, {0x2c60, 0x2c7f},
        {0xa640, 0xa69f}, {0xa720, 0xa7ff}, {0xab30, 0xab6f}, {0xff21, 0xff5a},
    };

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (c >= blocks[i][0] && c <= blocks[i][1])
            return true;
    return false;
}

static void folding_equals_the_c_library(void **state)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

    (void)state;
    assert_non_null(locale);
    for (uint32_t c = 0; c < 0x110000; c++) {
        char text[4], expected[4];
        size_t length = utf8_encode(c, text), size;
        struct buf once = {0}, twice = {0};

        if (c >= 0xd800 && c < 0xe000)
            continue;
        size = utf8_encode(folds(c) ? (uint32_t)towlower_l((wint_t)c, locale) : c, expected);
        utf8_fold(text, length, &once);
        utf8_fold(buf_text(&once), once.length, &twice);
        if (once.length != size || memcmp(once.data, expected, size) != 0)
            fail_msg("U+%04X", c);
        assert_int_equal(once.length, twice.length);
        assert_memory_equal(once.data, twice.data, size);
        buf_free(&once);
        buf_free(&twice);
    }
    freelocale(locale);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_validity),
        cmocka_unit_test(folding),
        cmocka_unit_test(folding_equals_the_c_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * UTF-8 as a terminal shows it: decoding against mbrtowc, widths against wcwidth of the C library, both
 * in a UTF-8 locale.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

static size_t encode(uint32_t code, char out[5])
{
    mbstate_t state = {0};
    size_t length = wcrtomb(out, (wchar_t)code, &state);

    if (length != (size_t)-1)
        out[length] = '\0';
    return length;
}

static int set_locale(void **state)
{
    (void)state;
    return setlocale(LC_ALL, "C.UTF-8") ? 0 : -1;
}

static void every_character_is_read_back(void **state)
{
    char bytes[8];
    uint32_t code;

    (void)state;
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        size_t length = encode(c, bytes);

        if (length == (size_t)-1)
            continue; /* surrogates */
        assert_int_equal(text_next(bytes, &code), length);
        assert_int_equal(code, c);
    }
}

/* Any three bytes: what mbrtowc takes for a character, and nothing else, is one. */
static void what_is_no_character_is_one_byte(void **state)
{
    char bytes[4] = {0};

    (void)state;
    for (uint32_t n = 0; n < 1u << 19; n++) {
        mbstate_t mb = {0};
        wchar_t wide;
        uint32_t code;

        bytes[0] = (char)(0x80 | (n >> 12 & 0x7f)); /* a high byte first, then any two */
        bytes[1] = (char)(n >> 4 & 0xfc);
        bytes[2] = (char)(n << 2 & 0xfc);
        size_t expected = mbrtowc(&wide, bytes, 3, &mb), length = text_next(bytes, &code);
        if (expected == (size_t)-1 || expected == (size_t)-2) {
            assert_int_equal(length, 1);
            assert_int_equal(code, TEXT_INVALID);
        } else {
            assert_int_equal(length, expected);
            assert_int_equal(code, wide);
        }
    }
    assert_int_equal(text_next("\xf5\x80\x80\x80", &(uint32_t){0}), 1);
    assert_int_equal(text_next("\xf4\x90\x80\x80", &(uint32_t){0}), 1);
}

/* The scripts of names: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Devanagari, Thai, kana,
 * Hangul, Han. */
static void widths_are_those_of_a_terminal(void **state)
{
    static const uint32_t blocks[][2] = {
        {0x20, 0x7e},     {0xae, 0x58f},    {0x590, 0x603},   {0x606, 0x61b},
        {0x61d, 0x6dc},   {0x6de, 0x6ff},   {0x900, 0x939},   {0x93c, 0x94d},
        {0xe00, 0xe7f},   {0x1e00, 0x1fff}, {0x3041, 0x30ff}, {0x3105, 0x312f},
        {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0xff01, 0xff9f}, {0x20000, 0x2a6df},
    };
    unsigned compared = 0;

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        for (uint32_t code = blocks[i][0]; code <= blocks[i][1]; code++) {
            int width = wcwidth((wchar_t)code);

            if (width < 0)
                continue; /* not assigned */
            if (width != text_code_width(code))
                fail_msg("U+%04X is %d wide, not %d", code, width, text_code_width(code));
            compared++;
        }
    assert_true(compared > 70000);
}

static void controls_are_made_visible(void **state)
{
    char text[] = "a\033[2Jb\n\xc2\x9b"
                  "1mc\x7f\xc2\xa9\x9b\xff";

    (void)state;
    text_make_printable(text);
    assert_string_equal(text, "a?[2Jb??1mc?\xc2\xa9\x9b\xff");
    assert_int_equal(text_width("M\xc3\xbcller"), 6);
    assert_int_equal(text_width("\xe5\xb1\xb1\xe7\x94\xb0"), 4);
    assert_int_equal(text_width("e\xcc\x81"), 1);
    assert_true(text_is_directional(0x202e) && !text_is_directional(0x5d0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_read_back),
        cmocka_unit_test(what_is_no_character_is_one_byte),
        cmocka_unit_test(widths_are_those_of_a_terminal),
        cmocka_unit_test(controls_are_made_visible),
    };

    return cmocka_run_group_tests(tests, set_locale, NULL);
}

/*
 * libcore/export/name: whatever the value, the name is safe and portable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "export/name.h"

static void check_value(const char *value, size_t length, size_t limit, bool ascii,
                        const char *expected)
{
    struct buf out = {0};

    name_add_value(&out, value, length, limit, ascii);
    assert_string_equal(buf_text(&out), expected);
    buf_free(&out);
}

static void check_component(const char *text, size_t limit, size_t keep, const char *expected)
{
    struct buf out = {0};

    buf_adds(&out, text);
    name_finish_component(&out, limit, keep);
    assert_string_equal(buf_text(&out), expected);
    buf_free(&out);
}

#define VALUE(value, expected) check_value(value, sizeof(value) - 1, 120, false, expected)
#define ASCII(value, expected) check_value(value, sizeof(value) - 1, 120, true, expected)

static void values_lose_what_is_not_portable(void **state)
{
    (void)state;
    VALUE("77654033", "77654033");
    VALUE("Doe^Peter", "Doe_Peter");
    VALUE("a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j");
    VALUE("../../etc/passwd", ".._.._etc_passwd");
    VALUE("$(rm -rf ~); `id` & 'x' !", "rm_-rf_id_x");
    VALUE("line\nbreak\ttab\033[31m", "line_break_tab_31m");
    VALUE("nul\0inside", "nul_inside");
    VALUE("  blanks   around  ", "blanks_around");
    VALUE("", "");
    VALUE("///", "");
    VALUE("_own_", "own");
}

static void other_scripts_stay(void **state)
{
    (void)state;
    VALUE("Müller^Jürgen", "Müller_Jürgen");
    VALUE("山田^太郎", "山田_太郎");
    VALUE("Люкceмбypг", "Люкceмбypг");
    /* Direction overrides, zero width, no-break blanks, replacement characters. */
    VALUE("a\u202eb\u200bc\u00a0d\ufffde\ufefff", "a_b_c_d_e_f");
    /* Bytes that are no UTF-8: alone, overlong, cut, surrogate, beyond the end. */
    VALUE("a\xff"
          "b\xc0\xaf"
          "c\xe5\xb1",
          "a_b_c");
    VALUE("a\xed\xa0\x80"
          "b\xf4\x90\x80\x80"
          "c\xe0\x80\xaf"
          "d",
          "a_b_c_d");
    VALUE("\xc2\x85"
          "c1",
          "c1");
}

static void ascii_transliterates(void **state)
{
    (void)state;
    ASCII("Müller^Jürgen", "Mueller_Juergen");
    ASCII("Ångström Søren Łukasz Œuvre", "Angstroem_Soren_Lukasz_OEuvre");
    ASCII("Žižek Ðorđe Åke ÿ", "Zizek_Dorde_Ake_y");
    ASCII("Cafe\u0301", "Cafe");
    ASCII("山田", "");
}

static void values_are_cut_between_characters(void **state)
{
    (void)state;
    check_value("abcdef", 6, 3, false, "abc");
    check_value("ab cdef", 7, 3, false, "ab");
    check_value("äöü", 6, 3, false, "ä");
    check_value("äöü", 6, 4, false, "äö");
    check_value("äöü", 6, 3, true, "ae");
    check_value("abc", 3, 0, false, "");
}

static void components_stand_for_themselves(void **state)
{
    (void)state;
    check_component("", 120, 0, "unknown");
    check_component(".", 120, 0, "unknown");
    check_component("..", 120, 0, "unknown");
    check_component(".dcm", 120, 4, "unknown.dcm");
    check_component("..dcm", 120, 4, "unknown.dcm");
    check_component(".hidden", 120, 0, "hidden");
    check_component("-rf", 120, 0, "rf");
    check_component("--help.dcm", 120, 4, "help.dcm");
    check_component("ends. . ", 120, 0, "ends");
    check_component("ends. .dcm", 120, 4, "ends.dcm");
    check_component("a.b", 120, 0, "a.b");
}

static void devices_are_no_names(void **state)
{
    (void)state;
    check_component("CON", 120, 0, "_CON");
    check_component("nul.dcm", 120, 4, "_nul.dcm");
    check_component("Com1", 120, 0, "_Com1");
    check_component("lpt9.a.b", 120, 0, "_lpt9.a.b");
    check_component("COM", 120, 0, "COM");
    check_component("COM10", 120, 0, "COM10");
    check_component("CONTRAST", 120, 0, "CONTRAST");
}

static void components_are_cut_before_their_ending(void **state)
{
    (void)state;
    check_component("abcdefgh.dcm", 8, 4, "abcd.dcm");
    check_component("abcdefgh", 5, 0, "abcde");
    check_component("ab. cdefgh.dcm", 8, 4, "ab.dcm");
    check_component("äöü.dcm", 7, 4, "ä.dcm");
}

/* All pairs of bytes, as a value and as a component: never a separator, a control or "..". */
static void no_pair_of_bytes_escapes(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char value[2] = {(char)(pair >> 8), (char)(pair & 255)};
        struct buf out = {0};

        name_add_value(&out, value, 2, 120, false);
        name_finish_component(&out, 120, 0);
        assert_true(out.length > 0);
        assert_null(strpbrk(out.data, "/\\:*?\"<>|\n\r\t\177\033"));
        assert_int_equal(strlen(out.data), out.length);
        assert_int_not_equal(out.data[0], '.');
        assert_int_not_equal(out.data[0], '-');
        assert_int_not_equal(out.data[out.length - 1], '.');
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_lose_what_is_not_portable),
        cmocka_unit_test(other_scripts_stay),
        cmocka_unit_test(ascii_transliterates),
        cmocka_unit_test(values_are_cut_between_characters),
        cmocka_unit_test(components_stand_for_themselves),
        cmocka_unit_test(devices_are_no_names),
        cmocka_unit_test(components_are_cut_before_their_ending),
        cmocka_unit_test(no_pair_of_bytes_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

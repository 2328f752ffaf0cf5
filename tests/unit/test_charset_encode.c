/*
 * charset_from_utf8: what it writes is read as what it was, or it writes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset_internal.h"

/* NULL: nothing. */
static void writes(const char *set, vr_t vr, const char *text, const char *bytes)
{
    struct buf out = {0};
    bool done;

    buf_adds(&out, "before ");
    done = charset_from_utf8(set, vr, text, strlen(text), &out);
    if (done != (bytes != NULL))
        fail_msg("%s: \"%s\" %s", set, text, done ? "was written" : "was not written");
    assert_memory_equal(out.data, "before ", 7);
    if (strcmp(out.data + 7, bytes ? bytes : "") != 0)
        fail_msg("%s: \"%s\" became \"%s\", not \"%s\"", set, text, out.data + 7,
                 bytes ? bytes : "");
    assert_int_equal(out.length, strlen(out.data));
    buf_free(&out);
}

static void test_examples(void **state)
{
    (void)state;
    /* PS3.5 annexes H, I, J, K. */
    writes("\\ISO 2022 IR 87", VR_PN, "Yamada^Tarou=山田^太郎=やまだ^たろう",
           "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B");
    writes("ISO 2022 IR 13\\ISO 2022 IR 87", VR_PN, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
           "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J="
           "\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J");
    writes("\\ISO 2022 IR 149", VR_PN, "Hong^Gildong=洪^吉洞=홍^길동",
           "Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)"
           "C\xb1\xe6\xb5\xbf");
    writes("ISO_IR 192", VR_PN, "Wang^XiaoDong=王^小东=", "Wang^XiaoDong=王^小东=");
    writes("GB18030", VR_PN, "Wang^XiaoDong=王^小东=", "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=");
    writes("ISO_IR 144", VR_PN, "Люкceмбypг", "\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3");
    writes("ISO_IR 126", VR_PN, "Διονυσιος", "\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2");
    writes("ISO_IR 138", VR_PN, "שרון^דבורה", "\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4");
}

static void test_terms(void **state)
{
    (void)state;
    writes("", VR_LO, "plain", "plain");
    writes("ISO_IR 6", VR_LO, "plain", "plain");
    writes("ISO_IR 100", VR_LO, "é", "\xe9");
    writes("ISO 2022 IR 100", VR_LO, "é", "\xe9");
    writes("", VR_LO, "é", NULL);
    /* Not as the standard spells or puts them together. */
    writes("ISO-IR 100", VR_LO, "é", NULL);
    writes("iso_ir 100", VR_LO, "é", NULL);
    writes("ISO_IR 100 ", VR_LO, "é", NULL);
    writes("latin1", VR_LO, "é", NULL);
    writes("ISO_IR 999", VR_LO, "plain", NULL);
    writes("ISO 2022 IR 6\\ISO 2022 IR 999", VR_LO, "plain", NULL);
    writes("ISO_IR 100\\ISO_IR 144", VR_LO, "é", NULL);
    writes("ISO_IR 100\\ISO 2022 IR 144", VR_LO, "é", NULL);
    writes("ISO 2022 IR 87", VR_LO, "山", NULL);
    writes("ISO_IR 192\\ISO 2022 IR 100", VR_LO, "é", NULL);
    writes("ISO 2022 IR 100\\", VR_LO, "é", NULL);
    writes("\\\\ISO 2022 IR 87", VR_LO, "山", NULL);
    writes("\\ISO_IR 192", VR_LO, "é", NULL);
    writes("\\GB18030", VR_LO, "é", NULL);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    writes("ISO_IR 100", VR_LO, "aИ", NULL);
    writes("ISO_IR 144", VR_LO, "é", NULL);
    writes("GBK", VR_LO, "\xf0\x9f\x98\x80", NULL);
    writes("GB18030", VR_LO, "\xf0\x9f\x98\x80", "\x94\x39\xfc\x36");
    writes("ISO_IR 192", VR_LO, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80");
    writes("ISO_IR 13", VR_LO, "~", NULL); /* an overline there, and no escape sequences */
    writes("ISO_IR 13", VR_LO, "‾", "~");
    writes("ISO_IR 13", VR_LO, "ｱ\\ｲ", "\xb1\\\xb2"); /* separates values */
    writes("ISO_IR 13", VR_LT, "ｱ\\ｲ", NULL);         /* would be a yen sign */
    writes("ISO_IR 13", VR_LT, "ｱ¥ｲ", "\xb1\\\xb2");
    /* No UTF-8, and what would begin an escape sequence. */
    writes("ISO_IR 192", VR_LO, "\xff", NULL);
    writes("ISO_IR 100", VR_LO, "\xc3", NULL);
    writes("GB18030", VR_LO, "\xed\xa0\x80", NULL);
    writes("ISO_IR 100", VR_LO, "\x1b(B", NULL);
    writes("\\ISO 2022 IR 87", VR_LO, "a\x1b$B", NULL);
}

/* The sets of the first value are in use again where a reader may count on it: PS3.5 6.1.2.5.3. */
static void test_delimiters(void **state)
{
    const char *set = "ISO 2022 IR 100\\ISO 2022 IR 144";

    (void)state;
    writes(set, VR_PN, "éИ^é", "\xe9\x1b-L\xb8\x1b-A^\xe9");
    writes(set, VR_LO, "Иé\\é", "\x1b-L\xb8\x1b-A\xe9\\\xe9");
    writes(set, VR_LT, "И\r\né", "\x1b-L\xb8\x1b-A\r\n\xe9");
    writes(set, VR_LO, "И", "\x1b-L\xb8\x1b-A");
    /* '^' is a letter outside of names: the set stays, and saying it again does no harm. */
    writes("\\ISO 2022 IR 149", VR_LO, "김^희", "\x1b$)C\xb1\xe8^\x1b$)C\xc8\xf1");
    writes("\\ISO 2022 IR 87", VR_LT, "山\n田", "\x1b$B;3\x1b(B\n\x1b$BED\x1b(B");
    writes("\\ISO 2022 IR 87", VR_LO, "山 田", "\x1b$B;3\x1b(B \x1b$BED\x1b(B");
}

/* Random strings of characters that the sets have, and some that they have not. */
static const char *const sets[] = {
    "",
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 126",
    "ISO_IR 127",
    "ISO_IR 138",
    "ISO_IR 144",
    "ISO_IR 148",
    "ISO_IR 166",
    "ISO_IR 203",
    "ISO_IR 13",
    "ISO_IR 192",
    "GB18030",
    "GBK",
    "\\ISO 2022 IR 87",
    "ISO 2022 IR 13\\ISO 2022 IR 87",
    "\\ISO 2022 IR 87\\ISO 2022 IR 159",
    "\\ISO 2022 IR 149",
    "\\ISO 2022 IR 58",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126\\ISO 2022 IR 13",
    "ISO 2022 IR 101\\ISO 2022 IR 149\\ISO 2022 IR 58\\ISO 2022 IR 87",
    "ISO 2022 IR 6\\ISO 2022 IR 127\\ISO 2022 IR 138\\ISO 2022 IR 148\\ISO 2022 IR 166",
};

static uint32_t some_character(unsigned *seed, const struct charset *charset)
{
    static const char plain[] = "aZ09 ^=\\~.\r\n\t";
    unsigned which = (unsigned)rand_r(seed) % 16;
    enum repertoire set;
    uint32_t character = 0;

    if (which < 3)
        return (unsigned char)plain[(size_t)rand_r(seed) % (sizeof plain - 1)];
    if (which == 3)
        return 0x80 + (uint32_t)rand_r(seed) % 0xd000;
    for (int tries = 0; tries < 2000 && !character; tries++) {
        set = (enum repertoire)(1 + rand_r(seed) % (SET_UTF8 - 1));
        if (charset->whole == SET_UTF8)
            set = SET_KANJI;
        else if (charset->whole == SET_GBK)
            set = SET_GBK;
        else if (charset->whole == SET_GB18030)
            set = SET_GB18030;
        else if (!(charset->declared >> set & 1))
            continue;
        character = repertoire_char(set, (unsigned)rand_r(seed) % (set >= SET_KANJI ? 8836 : 128));
        if (character < 0x20 || character == 0x7f)
            character = 0;
    }
    return character ? character : 'x';
}

static void test_round_trips(void **state)
{
    static const vr_t vrs[] = {VR_PN, VR_LO, VR_LT};
    unsigned seed = 42;

    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        struct charset charset;
        unsigned written = 0;

        charset_read(&charset, sets[s], strlen(sets[s]));
        for (int round = 0; round < 1500; round++) {
            vr_t vr = vrs[round % 3];
            struct buf text = {0}, bytes = {0}, back = {0};

            for (int n = rand_r(&seed) % 12; n >= 0; n--) {
                char utf8[4];

                buf_add(&text, utf8, utf8_encode(some_character(&seed, &charset), utf8));
            }
            if (charset_from_utf8(sets[s], vr, text.data, text.length, &bytes)) {
                written++;
                assert_true(charset_to_utf8(sets[s], strlen(sets[s]), vr, buf_text(&bytes),
                                            bytes.length, &back));
                assert_string_equal(buf_text(&back), text.data);
            } else {
                assert_int_equal(bytes.length, 0);
            }
            buf_free(&text);
            buf_free(&bytes);
            buf_free(&back);
        }
        /* About half of them have a character from anywhere. */
        if (written < (*sets[s] ? 400 : 20))
            fail_msg("%s: only %u of 1500 strings were written", sets[s], written);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),          cmocka_unit_test(test_terms),
        cmocka_unit_test(test_what_does_not_fit), cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Character sets: every defined term, every escape sequence, the resets of PS3.5 6.1.2.5.3, hostile
 * bytes. Whole code tables are checked against iconv's stateful ISO 2022 converters and ISO 8859 ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <iconv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dicom/charset_internal.h"

#define ESC "\033"

static bool decode(const char *specific, vr_t vr, const char *bytes, size_t length, struct buf *out)
{
    return charset_to_utf8(specific, specific ? strlen(specific) : 0, vr, bytes, length, out);
}

static void check_text(const char *specific, vr_t vr, const char *bytes, size_t length,
                       const char *expected, bool sure, int line)
{
    struct buf out = {0};
    bool result;

    buf_adds(&out, "<"); /* is appended to, not replaced */
    result = decode(specific, vr, bytes, length, &out);
    if (strcmp(buf_text(&out) + 1, expected) != 0 || out.length != strlen(expected) + 1 ||
        out.data[0] != '<' || result != sure)
        fail_msg("line %d: %s: got \"%s\" (%s), not \"%s\" (%s)", line, specific ? specific : "",
                 buf_text(&out) + 1, result ? "sure" : "guessed", expected,
                 sure ? "sure" : "guessed");
    buf_free(&out);
}

#define SURE(specific, vr, bytes, expected) \
    check_text(specific, vr, bytes, sizeof(bytes) - 1, expected, true, __LINE__)
#define GUESS(specific, vr, bytes, expected) \
    check_text(specific, vr, bytes, sizeof(bytes) - 1, expected, false, __LINE__)

/* ---- what the standard shows: PS3.5 annexes H, I, J, K and PS3.3 C.12.1.1.2 ---- */

static void examples_of_the_standard(void **state)
{
    (void)state;
    SURE("\\ISO 2022 IR 87", VR_PN,
         "Yamada^Tarou=" ESC "$B;3ED" ESC "(B^" ESC "$BB@O:" ESC "(B=" ESC "$B$d$^$@" ESC "(B^" ESC
         "$B$?$m$&" ESC "(B",
         "Yamada^Tarou=山田^太郎=やまだ^たろう");
    SURE("ISO 2022 IR 13\\ISO 2022 IR 87", VR_PN,
         "\xd4\xcf\xc0\xde^\xc0\xdb\xb3=" ESC "$B;3ED" ESC "(J^" ESC "$BB@O:" ESC "(J=" ESC
         "$B$d$^$@" ESC "(J^" ESC "$B$?$m$&" ESC "(J",
         "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
    SURE("\\ISO 2022 IR 149", VR_PN,
         "Hong^Gildong=" ESC "$)C\xfb\xf3^" ESC "$)C\xd1\xce\xd4\xd7=" ESC "$)C\xc8\xab^" ESC
         "$)C\xb1\xe6\xb5\xbf",
         "Hong^Gildong=洪^吉洞=홍^길동");
    SURE("ISO_IR 192", VR_PN, "Wang^XiaoDong=王^小東=", "Wang^XiaoDong=王^小東=");
    SURE("GB18030", VR_PN, "Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东=");
    SURE("\\ISO 2022 IR 58", VR_PN, "Zhang^XiaoDong=" ESC "$)A\xd5\xc5^" ESC "$)A\xd0\xa1\xb6\xab=",
         "Zhang^XiaoDong=张^小东=");
    SURE("\\ISO 2022 IR 58", VR_LT,
         "The first line includes" ESC "$)A\xd6\xd0\xce\xc4.\r\n" ESC
         "$)A\xb5\xda\xb6\xfe\xd0\xd0, too.\r\n",
         "The first line includes中文.\r\n第二行, too.\r\n");
    SURE("ISO_IR 144", VR_PN, "\xbb\xee\xda\x63\x65\xdc\xd1\x79\x70\xd3", "Люкceмбypг");
}

/* ---- terms ---- */

/* 'A' with what is only in that set, so that no two can be mistaken for each other. */
static const struct {
    const char *number;
    const char *bytes;
    const char *text;
    const char *escape; /* to the right half */
} singles[] = {
    {"100", "\xc5\xfe", "Åþ", "-A"}, {"101", "\xa3\xf8", "Łř", "-B"},
    {"109", "\xa1\xfe", "Ħŝ", "-C"}, {"110", "\xbd\xfe", "Ŋū", "-D"},
    {"144", "\xb0\xff", "Аџ", "-L"}, {"127", "\xc7\xea", "اي", "-G"},
    {"126", "\xc1\xfe", "Αώ", "-F"}, {"138", "\xe0\xfa", "את", "-H"},
    {"148", "\xd0\xfd", "Ğı", "-M"}, {"203", "\xa4\xbd", "€œ", "-b"},
    {"166", "\xa1\xfb", "ก๛", "-T"}, {"13", "\xb1\xdd", "ｱﾝ", ")I"},
};

static void every_single_byte_term(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        static const char *const spellings[] = {
            "ISO_IR %s",      "ISO 2022 IR %s", "iso_ir %s",   "ISO-IR %s",
            "ISO IR %s",      "ISO_IR_%s",      " ISO_IR %s ", "iso 2022 ir %s",
            "ISO_2022_IR_%s", "ISO_IR%s",       "ISO2022IR%s", "ISO 2022-IR %s\\ISO 2022 IR 87",
        };

        for (size_t k = 0; k < sizeof spellings / sizeof spellings[0]; k++) {
            char term[64];

            snprintf(term, sizeof term, spellings[k], singles[i].number);
            check_text(term, VR_LO, singles[i].bytes, 2, singles[i].text, true, (int)i);
            check_text(term, VR_PN, "A^B", 3, "A^B", true, (int)i);
        }
    }
}

static void every_single_byte_escape(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        char term[64], bytes[32], text[32];

        /* Declared as the second value: after the escape, and no further than the delimiter. */
        snprintf(term, sizeof term, "ISO 2022 IR 100\\ISO 2022 IR %s", singles[i].number);
        snprintf(bytes, sizeof bytes, "\xc5" ESC "%s%s^\xc5", singles[i].escape, singles[i].bytes);
        snprintf(text, sizeof text, "Å%s^Å", singles[i].text);
        check_text(term, VR_PN, bytes, strlen(bytes), text, true, (int)i);
        /* Not declared: read, but not sure. */
        if (strcmp(singles[i].number, "100") != 0)
            check_text("ISO 2022 IR 100", VR_PN, bytes, strlen(bytes), text, false, (int)i);
        /* Back to ASCII leaves the right half alone. */
        snprintf(bytes, sizeof bytes, ESC "%s" ESC "(Bx%s", singles[i].escape, singles[i].bytes);
        snprintf(text, sizeof text, "x%s", singles[i].text);
        check_text(term, VR_LO, bytes, strlen(bytes), text, true, (int)i);
    }
}

static void other_terms(void **state)
{
    (void)state;
    SURE("ISO_IR 6", VR_LO, "abc", "abc");
    SURE("ISO 2022 IR 6", VR_LO, "abc" ESC "(Bdef", "abcdef");
    SURE("UTF8", VR_LO, "ü", "ü");
    SURE("utf-8", VR_LO, "ü", "ü");
    SURE("ISO 2022 IR 192", VR_LO, "ü", "ü");
    SURE("ISO_IR 192\\ISO 2022 IR 87", VR_LO, "ü", "ü");
    GUESS("\\ISO_IR 192", VR_LO, "ü", "ü");
    SURE("GBK", VR_LO, "\x81\x40\xb0\xa1", "丂啊");
    /* U+FFFD is a character that GB18030 can write. */
    SURE("gb18030", VR_LO, "\x81\x30\x81\x30\x90\x30\x81\x30\x84\x31\xa4\x37",
         "\xc2\x80\U00010000\ufffd");
    SURE("GB2312", VR_LO, "\xb0\xa1", "啊");
    SURE("ISO-8859-1", VR_LO, "\xfc", "ü");
    /* The first value is empty or of spaces: the default repertoire. */
    SURE("  \\ISO 2022 IR 149", VR_LO, "x" ESC "$)C\xb0\xa1", "x가");
    SURE("ISO 2022 IR 6\\ISO 2022 IR 149", VR_LO, "x" ESC "$)C\xb0\xa1", "x가");
}

static void text_without_a_known_set(void **state)
{
    (void)state;
    static const char *const specifics[] = {NULL, "", " ", "ISO_IR 6", "ISO 2022 IR 6"};

    for (size_t i = 0; i < sizeof specifics / sizeof specifics[0]; i++) {
        GUESS(specifics[i], VR_PN, "M\xfcller", "Müller");
        GUESS(specifics[i], VR_PN, "Müller", "Müller");
        SURE(specifics[i], VR_PN, "Muller", "Muller");
        /* Escapes that nothing announced. */
        GUESS(specifics[i], VR_PN, "a" ESC "$B;3ED" ESC "(Bb", "a山田b");
    }
    GUESS("ISO_IR 999", VR_PN, "M\xfcller", "Müller");
    GUESS("ISO_IR 999", VR_PN, "Müller", "Müller");
    SURE("ISO_IR 999", VR_PN, "Muller", "Muller");
    GUESS("nonsense\\ISO 2022 IR 149", VR_PN, ESC "$)C\xb0\xa1", "가");
    GUESS("ISO_IR 100000000000000000000000000000100", VR_PN, "\xfc", "ü");
    GUESS("192192", VR_PN, "\xfc", "ü");
    /* What is declared wins over what it looks like. */
    SURE("ISO_IR 100", VR_PN, "Müller", "MÃ¼ller");
}

/* ---- ISO 2022 ---- */

static void resets(void **state)
{
    static const char korean[] = "\\ISO 2022 IR 149";
    static const char mixed[] = "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 87";

    (void)state;
    /* The right half is Latin-1 again after each. */
    SURE(mixed, VR_PN, ESC "-L\xb0^\xc5", "А^Å");
    SURE(mixed, VR_PN, ESC "-L\xb0=\xc5", "А=Å");
    SURE(mixed, VR_PN, ESC "-L\xb0\\\xc5", "А\\Å");
    SURE(mixed, VR_LO, ESC "-L\xb0\\\xc5", "А\\Å");
    SURE(mixed, VR_LT, ESC "-L\xb0\r\xc5", "А\rÅ");
    SURE(mixed, VR_LT, ESC "-L\xb0\n\xc5", "А\nÅ");
    SURE(mixed, VR_LT, ESC "-L\xb0\f\xc5", "А\fÅ");
    SURE(mixed, VR_LT, ESC "-L\xb0\t\xc5", "А\tÅ");
    /* No delimiters there. */
    SURE(mixed, VR_LO, ESC "-L\xb0^=\xb0", "А^=А");
    SURE(mixed, VR_LT, ESC "-L\xb0^=\\\xb0", "А^=\\А");
    SURE(mixed, VR_PN, ESC "-L\xb0 \xb0", "А А");
    /* Kanji that consist of '^', '=' and '\' are kanji; a line end ends them. */
    SURE(mixed, VR_PN, ESC "$B==^^\\\\" ESC "(B^", "十湎樛^");
    SURE(mixed, VR_LT, ESC "$B;3\r\n;3", "山\r\n;3");
    SURE(mixed, VR_LO, ESC "$B;3" ESC "(B\\;3", "山\\;3");
    SURE(mixed, VR_LO, ESC "$B;3 ;3", "山 山");
    /* A right half that was declared but not switched to again is what was meant. */
    GUESS(korean, VR_PN, ESC "$)C\xb0\xa1^\xb0\xa1", "가^가");
    GUESS(korean, VR_PN, "\xb0\xa1", "가");
    SURE("ISO 2022 IR 149", VR_PN, "\xb0\xa1", "가");
}

static void yen_and_backslash(void **state)
{
    (void)state;
    /* 0x5c is a yen sign in JIS X 0201, but where it separates values it is the separator. */
    SURE("ISO_IR 13", VR_LT, "\\~\xb1", "¥‾ｱ");
    SURE("ISO_IR 13", VR_LT, "\\~", "¥‾");
    SURE("ISO_IR 13", VR_LO, "\\~\xb1", "\\‾ｱ");
    SURE("ISO_IR 13", VR_CS, "A\\B~", "A\\B~");
    SURE("ISO_IR 13", VR_CS, "A\\\xb1~", "A\\ｱ~");
    SURE("\\ISO 2022 IR 13", VR_LT, "\\" ESC "(J\\" ESC "(B\\", "\\¥\\");
    /* Second bytes of GBK. */
    SURE("GBK", VR_LO, "\x81\x5c\\\x81\x7c", "乗\\亅");
    SURE("GB18030", VR_PN, "\x81\x5c^\x81\x5e=\\", "乗^乛=\\");
}

struct thread_case {
    const char *specific, *bytes, *text;
    bool failed;
};

static void *decode_often(void *context)
{
    struct thread_case *own = context;
    struct buf out = {0};

    for (int i = 0; i < 2000; i++) {
        buf_clear(&out);
        if (!decode(own->specific, VR_LO, own->bytes, strlen(own->bytes), &out) ||
            strcmp(buf_text(&out), own->text) != 0)
            own->failed = true;
    }
    buf_free(&out);
    return NULL;
}

/* Before any other test, when no table has been made yet. */
static void threads_share_the_tables(void **state)
{
    struct thread_case cases[] = {
        {"ISO_IR 101", "\xa3", "Ł", false},
        {"\\ISO 2022 IR 87", ESC "$B;3", "山", false},
        {"GB18030", "\x81\x30\x81\x30", "\xc2\x80", false},
        {"\\ISO 2022 IR 87", ESC "$B;3", "山", false},
    };
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, decode_often, &cases[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_false(cases[i].failed);
    }
}

/* ---- whole tables, against converters that come to them another way ---- */

/* What iconv makes of the bytes, or "" when it refuses them. */
static const char *by_iconv(const char *encoding, const char *bytes, size_t length, char text[64])
{
    iconv_t converter = iconv_open("UTF-8", encoding);
    char *from = (char *)bytes, *to = text;
    size_t room = 63;

    assert_true(converter != (iconv_t)-1);
    if (iconv(converter, &from, &length, &to, &room) == (size_t)-1 || length)
        to = text;
    *to = '\0';
    iconv_close(converter);
    return text;
}

static void right_halves_equal_iconv(void **state)
{
    static const struct {
        const char *specific, *encoding;
    } halves[] = {
        {"ISO_IR 100", "L1"},          {"ISO_IR 101", "L2"},       {"ISO_IR 109", "L3"},
        {"ISO_IR 110", "L4"},          {"ISO_IR 144", "CYRILLIC"}, {"ISO_IR 127", "ARABIC"},
        {"ISO_IR 126", "GREEK"},       {"ISO_IR 138", "HEBREW"},   {"ISO_IR 148", "L5"},
        {"ISO_IR 203", "ISO_8859-15"}, {"ISO_IR 166", "TIS-620"},  {"ISO_IR 13", "SHIFT_JIS"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        size_t defined = 0;

        for (unsigned c = 0xa1; c < 0x100; c++) {
            char byte = (char)c, text[64];
            const char *expected = by_iconv(halves[i].encoding, &byte, 1, text);

            defined += *expected != '\0';
            check_text(halves[i].specific, VR_PN, &byte, 1, *expected ? expected : "\ufffd",
                       *expected != '\0', (int)c);
        }
        assert_in_range(defined, 49, 95);
    }
}

/* Each of the 94 x 94 places; `characters`: how many of them are taken. */
static void check_square(const char *specific, const char *escape, bool high, const char *encoding,
                         const char *prefix, size_t characters)
{
    size_t defined = 0;

    for (unsigned place = 0; place < 94 * 94; place++) {
        char pair[3] = {(char)(0x21 + place / 94), (char)(0x21 + place % 94), 0};
        char bytes[32], text[64];
        struct buf out = {0};
        const char *expected;

        snprintf(bytes, sizeof bytes, "%s%s", prefix, pair);
        expected = by_iconv(encoding, bytes, strlen(bytes), text);
        if (!*expected)
            continue; /* vendors' characters may be there */
        defined++;
        for (int i = 0; high && i < 2; i++)
            pair[i] = (char)(pair[i] | 0x80);
        snprintf(bytes, sizeof bytes, "%s%s", escape, pair);
        if (!decode(specific, VR_LO, bytes, strlen(bytes), &out) ||
            strcmp(buf_text(&out), expected) != 0)
            fail_msg("%s: place %u: %s, not %s", specific, place, buf_text(&out), expected);
        buf_free(&out);
    }
    assert_int_equal(defined, characters);
}

static void squares_equal_iconv(void **state)
{
    (void)state;
    check_square("\\ISO 2022 IR 87", ESC "$B", false, "ISO-2022-JP", ESC "$B", 6879);
    check_square("\\ISO 2022 IR 87", ESC "$@", false, "ISO-2022-JP", ESC "$B", 6879);
    check_square("\\ISO 2022 IR 159", ESC "$(D", false, "ISO-2022-JP-2", ESC "$(D", 6067);
    check_square("\\ISO 2022 IR 149", ESC "$)C", true, "ISO-2022-KR", ESC "$)C\x0e", 8227);
    check_square("\\ISO 2022 IR 58", ESC "$)A", true, "ISO-2022-CN", ESC "$)A\x0e", 7445);
}

static void check_gb(const char *specific, const char *bytes, size_t length)
{
    char text[64];
    struct buf out = {0};
    const char *expected = by_iconv(specific, bytes, length, text);

    if (*expected &&
        (!decode(specific, VR_LO, bytes, length, &out) || strcmp(buf_text(&out), expected) != 0))
        fail_msg("%s: %02x %02x: %s, not %s", specific, (unsigned char)bytes[0],
                 (unsigned char)bytes[1], buf_text(&out), expected);
    if (!*expected && decode(specific, VR_LO, bytes, length, &out))
        fail_msg("%s: %02x %02x is no character", specific, (unsigned char)bytes[0],
                 (unsigned char)bytes[1]);
    buf_free(&out);
}

static void gb_equals_iconv(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (unsigned pair = 0x8100; pair < 0x10000; pair += 3) {
        char bytes[2] = {(char)(pair >> 8), (char)pair};

        check_gb("GBK", bytes, 2);
        check_gb("GB18030", bytes, 2);
    }
    for (int i = 0; i < 20000; i++) {
        char bytes[4];

        random = random * 1664525 + 1013904223;
        bytes[0] = (char)(0x81 + (random >> 8) % (i & 1 ? 4 : 0x63));
        bytes[1] = (char)(0x30 + (random >> 16) % 10);
        bytes[2] = (char)(0x81 + (random >> 20) % 126);
        bytes[3] = (char)(0x30 + (random >> 27) % 10);
        check_gb("GB18030", bytes, 4);
    }
    check_gb("GB18030", "\x84\x31\xa4\x39", 4); /* the last of the plane, and one more */
    check_gb("GB18030", "\x84\x31\xa5\x30", 4);
    check_gb("GB18030", "\xe3\x32\x9a\x35", 4); /* U+10FFFF, and one more */
    check_gb("GB18030", "\xe3\x32\x9a\x36", 4);
}

/* ---- hostile ---- */

static void broken_bytes_are_replaced(void **state)
{
    (void)state;
    /* UTF-8: one U+FFFD for each maximal part, as Unicode 3.9 recommends. */
    GUESS("ISO_IR 192", VR_LO, "M\xfcller", "M\ufffdller");
    GUESS("ISO_IR 192", VR_LO,
          "a\xc0\xaf"
          "b\xed\xa0\x80"
          "c\xf4\x90\x80\x80",
          "a\ufffd\ufffdb\ufffd\ufffd\ufffdc\ufffd\ufffd\ufffd\ufffd");
    GUESS("ISO_IR 192", VR_LO, "\xe5\xb1^\xf0\x9f\x98", "\ufffd^\ufffd");
    /* Sets with holes. */
    GUESS("ISO_IR 127", VR_LO, "\xa1\xc7", "\ufffdا");
    GUESS("ISO_IR 13", VR_LO, "\x80\xe0\xff\xb1", "\ufffd\ufffd\ufffdｱ");
    /* Escapes: unknown, cut, at the end; the text after them is kept. */
    GUESS("\\ISO 2022 IR 87", VR_LO, "a" ESC "b", "a\ufffdb");
    GUESS("\\ISO 2022 IR 87", VR_LO, "a" ESC, "a\ufffd");
    GUESS("\\ISO 2022 IR 87", VR_LO, "a" ESC "$", "a\ufffd$");
    GUESS("\\ISO 2022 IR 87", VR_LO, "a" ESC "$(", "a\ufffd$(");
    GUESS("\\ISO 2022 IR 87", VR_LO, ESC ESC "$B;3", "\ufffd山");
    /* Two-byte characters: half of one, none at that place, halves that differ. */
    GUESS("\\ISO 2022 IR 87", VR_LO, ESC "$B;", "\ufffd");
    GUESS("\\ISO 2022 IR 87", VR_LO, ESC "$B;3;" ESC "(Bx", "山\ufffdx");
    GUESS("\\ISO 2022 IR 87", VR_LO, ESC "$B;\n;", "\ufffd\n;");
    GUESS("\\ISO 2022 IR 87", VR_LO, ESC "$B)!;3", "\ufffd山");
    GUESS("\\ISO 2022 IR 149", VR_LO, ESC "$)C\xb0!\xb0\xa1\xb0", "\ufffd!가\ufffd");
    GUESS("\\ISO 2022 IR 149", VR_LO, ESC "$)C\x80\xb0\xa1\xff\xa0", "\ufffd가\ufffd\ufffd");
    SURE("\\ISO 2022 IR 87", VR_PN, "Yamada^Tarou=" ESC "$B;3ED", "Yamada^Tarou=山田");
    /* GB: an ASCII byte that is no second byte is not swallowed. */
    GUESS("GBK", VR_LO, "\xb0\\\xb0", "癨\ufffd");
    GUESS("GBK", VR_LO, "\xb0!\xff\x80\xb0", "\ufffd!\ufffd\ufffd\ufffd");
    GUESS("GB18030", VR_LO, "\x81\x30\x81", "\ufffd0\ufffd");
    GUESS("GB18030", VR_LO, "\x81\x30\\", "\ufffd0\\");
    GUESS("GB18030", VR_LO, "\xff\x30\x81\x30", "\ufffd0\ufffd0");
}

static void nul_is_kept(void **state)
{
    static const char *const specifics[] = {"ISO_IR 100", "GBK", "ISO_IR 192", ""};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buf out = {0};

        decode(specifics[i], VR_LO, "a\0\xc3\xa9", 4, &out);
        assert_memory_equal(buf_text(&out), "a\0", 2);
        assert_true(out.length >= 4);
        buf_clear(&out);
        assert_true(decode(specifics[i], VR_LO, "a\0b", 3, &out));
        assert_int_equal(out.length, 3);
        buf_free(&out);
    }
}

/* Random bytes rich in escapes, under every set: UTF-8 comes out, of bounded length. */
static void noise_becomes_utf8(void **state)
{
    static const char *const specifics[] = {
        "",           "ISO_IR 100", "\\ISO 2022 IR 87\\ISO 2022 IR 159", "ISO 2022 IR 13",
        "ISO_IR 192", "GB18030",    "\\ISO 2022 IR 149\\ISO 2022 IR 58", "GBK",
        "ISO_IR 166", "nonsense",
    };
    static const vr_t vrs[] = {VR_PN, VR_LO, VR_LT, VR_CS};
    static const char pieces[][5] = {"\033$B", "\033$)C", "\033(J", "\033-F", "\033)I", "\033$(D"};
    uint32_t random = 7;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char bytes[64];
        size_t length = 0;
        struct buf out = {0};

        while (length < 50) {
            random = random * 1664525 + 1013904223;
            if (random >> 28 == 0) {
                const char *piece = pieces[(random >> 8) % 6];

                memcpy(bytes + length, piece, strnlen(piece, 5));
                length += strnlen(piece, 5);
            } else {
                bytes[length++] = (char)(random >> 16);
            }
        }
        decode(specifics[round % 10], vrs[round / 10 % 4], bytes, length, &out);
        assert_true(utf8_valid(buf_text(&out), out.length));
        assert_true(out.length <= 3 * length);
        assert_int_equal(strlen(buf_text(&out)) == out.length, !memchr(bytes, 0, length));
        buf_free(&out);
    }
}

static void long_lists_of_sets(void **state)
{
    struct buf specific = {0};

    (void)state;
    buf_adds(&specific, "ISO 2022 IR 100");
    for (int i = 0; i < 100000; i++)
        buf_adds(&specific, "\\ISO 2022 IR 87");
    SURE(buf_text(&specific), VR_LO, "\xfc" ESC "$B;3", "ü山");
    buf_free(&specific);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_the_tables),
        cmocka_unit_test(examples_of_the_standard),
        cmocka_unit_test(every_single_byte_term),
        cmocka_unit_test(every_single_byte_escape),
        cmocka_unit_test(other_terms),
        cmocka_unit_test(text_without_a_known_set),
        cmocka_unit_test(resets),
        cmocka_unit_test(yen_and_backslash),
        cmocka_unit_test(right_halves_equal_iconv),
        cmocka_unit_test(squares_equal_iconv),
        cmocka_unit_test(gb_equals_iconv),
        cmocka_unit_test(broken_bytes_are_replaced),
        cmocka_unit_test(nul_is_kept),
        cmocka_unit_test(noise_becomes_utf8),
        cmocka_unit_test(long_lists_of_sets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

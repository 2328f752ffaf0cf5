/*
 * match_fuzzy.c: what is like a name and what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "dicom/match.h"

#define NAME TAG(0x0010, 0x0010)

static struct err err;

static bool fits(const char *key, const char *name, bool fuzzy)
{
    struct match *match = match_new(NAME, VR_PN, key, strlen(key), &err);
    struct buf group = {0};
    bool result, narrowed = false;

    if (!match)
        fail_msg("%s: %s", key, err.text);
    if (fuzzy)
        match_fuzzy(match);
    result = match_test(match, name, strlen(name));
    /* What an index narrows by must let every match through. */
    for (const char *at = name; *at;) {
        buf_clear(&group);
        at = name_key(at, &group);
        narrowed = narrowed || match_group(match, buf_text(&group), group.length);
    }
    if (result && match_kind(match) != MATCH_UNIVERSAL && !match_group(match, "", 0))
        assert_true(narrowed);
    if (fuzzy)
        assert_null(match_prefix(match));
    buf_free(&group);
    match_free(match);
    return result;
}

static void like(const char *key, const char *name)
{
    if (!fits(key, name, true))
        fail_msg("%s should be like %s", name, key);
}

static void unlike(const char *key, const char *name)
{
    if (fits(key, name, true))
        fail_msg("%s should not be like %s", name, key);
}

static void test_letters(void **state)
{
    (void)state;
    like("Muller", "Müller^Jörg");
    like("müller^jorg", "Muller^Jorg");
    like("Dvorak", "Dvořák^Antonín");
    like("Lodz", "Łódź");
    like("ŞAHİN", "Sahin");
    like("Muller", "Mu\xcc\x88ller"); /* a mark that stands alone */
    like("ИВАНОВ", "Иванов^Иван");
    unlike("Muller", "Moeller");
}

static void test_order(void **state)
{
    (void)state;
    like("john doe", "Doe^John");
    like("Doe^John", "John^Doe");
    like("john", "Doe^John");
    like("smith-jones", "Jones^Smith");
    like("berg", "van der Berg^Ada");
    unlike("john doe", "Doe^Jane");
    unlike("doe doe", "Doe^John"); /* each word has its own */
    unlike("doe^john^x", "Doe^John");
}

static void test_beginnings(void **state)
{
    (void)state;
    like("joh", "Doe^Johanna");
    unlike("jo", "Doe^Johanna");
    like("li", "Li^Wei");
    unlike("anna", "Doe^Johanna");
}

static void test_slips(void **state)
{
    (void)state;
    like("Petr", "Doe^Peter");    /* left out */
    like("Petter", "Doe^Peter");  /* added */
    like("Pater", "Doe^Peter");   /* changed */
    like("Pteer", "Doe^Peter");   /* swapped */
    unlike("Ptr", "Doe^Peter");   /* two, and short */
    unlike("Pedro", "Doe^Peter"); /* two */
    like("Johanesen", "Johannessen");
    like("Johanesin", "Johannesen");
    unlike("Johinisin", "Johannesen"); /* three */
    unlike("Dow", "Doe");              /* three letters have none to lose */
    unlike("Doe", "Dow");
}

/* The first word that fits is not the one to take when another needs it. */
static void test_pairs(void **state)
{
    (void)state;
    like("mar maria", "Maria^Mark");
    like("maria mar", "Maria^Mark");
    like("ann anna annab", "Annabel^Anna^Ann");
    unlike("maria maria", "Maria^Mark");
}

static void test_groups(void **state)
{
    (void)state;
    like("山田", "Yamada^Tarou=山田^太郎=やまだ^たろう");
    like("tarou", "Yamada^Tarou=山田^太郎");
    unlike("tarou 山田", "Yamada^Tarou=山田^太郎"); /* in one group */
}

/* Whatever matches by the letter matches loosely. */
static void test_superset(void **state)
{
    static const char *const key[] = {"Doe", "doe^j*", "D?e",  "*oe*",       "*",    "doe^john",
                                      "j*",  "^jo*",   "=山*", "doe*=山田*", "D*^*n"};
    static const char *const name[] = {"Doe^John", "Doe^John=山田^太郎", "DOE", "Roe^Jo", "X=Doe",
                                       "Doe^J^^"};

    (void)state;
    for (size_t k = 0; k < sizeof key / sizeof key[0]; k++)
        for (size_t n = 0; n < sizeof name / sizeof name[0]; n++)
            if (fits(key[k], name[n], false))
                like(key[k], name[n]);
}

static void test_hostile(void **state)
{
    struct buf many = {0}, marks = {0};

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_addf(&many, "word%d^", i);
    like("word1 word2", buf_text(&many));
    (void)fits(buf_text(&many), "Doe^John", true);
    (void)fits(buf_text(&many), buf_text(&many), true);
    for (int i = 0; i < 5000; i++)
        buf_adds(&marks, "\xcc\x81");
    (void)fits(buf_text(&marks), buf_text(&marks), true);
    (void)fits("a", "\xf0\x9f", true);
    (void)fits("\xff\xfe\xe2", "\xe2\x82", true);
    unlike("doe", "");
    unlike("doe", "^^^");
    /* As many words as are looked at, each like each. */
    like("aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa aaaa",
         "aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa^aaaa");
    buf_free(&many);
    buf_free(&marks);
}

static void test_others_stay(void **state)
{
    struct match *match = match_new(TAG(0x0010, 0x0020), VR_LO, "Petr", 4, &err);

    (void)state;
    match_fuzzy(match);
    assert_false(match_test(match, "Peter", 5));
    assert_true(match_test(match, "Petr", 4));
    match_free(match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters),     cmocka_unit_test(test_order),
        cmocka_unit_test(test_beginnings),  cmocka_unit_test(test_slips),
        cmocka_unit_test(test_pairs),       cmocka_unit_test(test_groups),
        cmocka_unit_test(test_superset),    cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_others_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

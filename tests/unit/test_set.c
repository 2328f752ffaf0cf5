/*
 * libcore/export/set: what was added is there, and nothing else; and the hash is SipHash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/set.h"

#define MANY 200000

static void holds_what_was_added(void **state)
{
    static const enum set_width widths[] = {SET_60_BITS, SET_108_BITS};
    char text[32];

    (void)state;
    for (size_t w = 0; w < 2; w++) {
        struct set *set = set_new(widths[w]);

        assert_false(set_has(set, "", 0));
        for (int i = 0; i < MANY; i++) {
            int length = snprintf(text, sizeof text, "1.2.840.%d", i);
            assert_true(set_add(set, text, (size_t)length));
        }
        for (int i = 0; i < MANY; i++) {
            int length = snprintf(text, sizeof text, "1.2.840.%d", i);
            assert_false(set_add(set, text, (size_t)length));
            assert_true(set_has(set, text, (size_t)length));
            length = snprintf(text, sizeof text, "1.2.841.%d", i);
            assert_false(set_has(set, text, (size_t)length));
        }
        assert_int_equal(set_count(set), MANY);
        set_free(set);
    }
}

static void empty_text_is_a_text(void **state)
{
    struct set *set = set_new(SET_108_BITS);

    (void)state;
    assert_true(set_add(set, "", 0));
    assert_false(set_add(set, "", 0));
    assert_true(set_add(set, "\0", 1));
    set_free(set);
}

/* The vectors of the reference implementation: key 00..0f, message 00..0e and empty. */
static void hash_is_siphash(void **state)
{
    static const unsigned char empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                            0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const unsigned char fifteen[16] = {0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11,
                                              0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf, 0xc3, 0xd9};
    static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    unsigned char message[15];
    uint64_t out[2];

    (void)state;
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (unsigned char)i;
    siphash128(key, message, 0, out);
    assert_memory_equal(out, empty, 16);
    siphash128(key, message, sizeof message, out);
    assert_memory_equal(out, fifteen, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_what_was_added),
        cmocka_unit_test(empty_text_is_a_text),
        cmocka_unit_test(hash_is_siphash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

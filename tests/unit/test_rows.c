/*
 * Rows in memory, in order as the index would give them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/rows.h"

static const char *const table[][3] = {
    {"a", "10", "doe"}, {"b", "9", "DOE"}, {"c", NULL, "abel"},
    {"d", "9.5", NULL}, {"e", "9", "Zoe"},
};

static void check_order(const struct rows_order *order, size_t count, const char *expected)
{
    struct rows *rows = rows_new(3);
    struct buf seen = {0};
    struct err err;
    const char *values[3];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(rows_add(rows, table[i], &err), 0);
    rows_sort(rows, order, count);
    assert_int_equal(rows_count(rows), sizeof table / sizeof *table);
    for (size_t i = 0; i < rows_count(rows); i++) {
        rows_get(rows, i, values);
        buf_adds(&seen, values[0]);
    }
    assert_string_equal(buf_text(&seen), expected);
    buf_free(&seen);
    rows_free(rows);
}

static void test_order(void **state)
{
    (void)state;
    check_order(NULL, 0, "abcde");
    check_order(&(struct rows_order){1, ROWS_NUMBER, false}, 1, "cbeda");
    check_order(&(struct rows_order){1, ROWS_NUMBER, true}, 1, "adbec");
    check_order(&(struct rows_order){1, ROWS_TEXT, false}, 1, "cabed");
    /* Equal ones as they came. */
    check_order(&(struct rows_order){2, ROWS_NAME, false}, 1, "dcabe");
    check_order((struct rows_order[]){{1, ROWS_NUMBER, false}, {2, ROWS_NAME, true}}, 2, "cebda");
}

static void test_nothing(void **state)
{
    struct rows *rows = rows_new(1);

    (void)state;
    rows_sort(rows, &(struct rows_order){0, ROWS_TEXT, false}, 1);
    assert_int_equal(rows_count(rows), 0);
    rows_free(rows);
    rows_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

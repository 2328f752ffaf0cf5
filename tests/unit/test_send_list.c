/*
 * libcore/net/send_list: what goes on comes off, in order, from memory and from a file, through several processes that
 * each claim their part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/send_list.h"

#define CT       "1.2.840.10008.5.1.4.1.1.2"
#define MR       "1.2.840.10008.5.1.4.1.1.4"
#define EXPLICIT "1.2.840.10008.1.2.1"

static struct send_list *filled(uint64_t count)
{
    struct send_list *list = send_list_new();
    struct err err;

    for (uint64_t i = 0; i < count; i++) {
        char path[256], uid[65];

        snprintf(path, sizeof path, "objects/2026/11/25/1.2.3/4.5.6/%0*llu.dcm", (int)(i % 100) + 1,
                 (unsigned long long)i);
        snprintf(uid, sizeof uid, "1.2.3.%llu", (unsigned long long)i);
        struct send_item item = {
            .path = path,
            .class_uid = i % 3 ? CT : MR,
            .instance_uid = uid,
            .transfer_syntax = EXPLICIT,
            .size = i,
        };
        assert_int_equal(send_list_add(list, &item, &err), 1);
    }
    assert_int_equal(send_list_close(list, &err), 0);
    return list;
}

static void check_item(const struct send_item *item, uint64_t number)
{
    char path[256], uid[65];

    snprintf(path, sizeof path, "objects/2026/11/25/1.2.3/4.5.6/%0*llu.dcm",
             (int)(number % 100) + 1, (unsigned long long)number);
    snprintf(uid, sizeof uid, "1.2.3.%llu", (unsigned long long)number);
    assert_string_equal(item->path, path);
    assert_string_equal(item->instance_uid, uid);
    assert_string_equal(item->class_uid, number % 3 ? CT : MR);
    assert_string_equal(item->transfer_syntax, EXPLICIT);
    assert_int_equal(item->size, number);
    assert_int_equal(item->number, number);
}

static void check_all(uint64_t count)
{
    struct send_list *list = filled(count);
    struct send_cursor *cursor = send_cursor_new(list);
    struct send_item item;
    struct err err;
    uint64_t seen = 0, middle = 0;
    size_t pairs;

    while (send_cursor_next(cursor, &item, &err) == 1) {
        check_item(&item, seen);
        if (seen++ == count / 2)
            middle = item.at;
    }
    assert_int_equal(seen, count);
    assert_int_equal(send_cursor_next(cursor, &item, &err), 0);
    assert_int_equal(send_list_count(list), count);
    assert_int_equal(send_list_bytes(list), count * (count - 1) / 2);
    send_list_pairs(list, &pairs);
    assert_int_equal(pairs, 2);
    assert_int_equal(send_cursor_at(cursor, middle, count / 2, &item, &err), 1);
    check_item(&item, count / 2);
    assert_int_equal(send_cursor_at(cursor, UINT64_MAX / 2, 0, &item, &err), -1);
    assert_int_equal(send_cursor_at(cursor, 0, count, &item, &err), -1);
    send_cursor_free(cursor);
    send_list_free(list);
}

static void test_in_memory(void **state)
{
    (void)state;
    check_all(1000);
}

static void test_in_a_file(void **state)
{
    (void)state;
    check_all(120000);
}

static void test_empty(void **state)
{
    struct send_list *list = filled(0);
    struct send_cursor *cursor = send_cursor_new(list);
    struct send_item item;
    struct err err;

    (void)state;
    assert_int_equal(send_cursor_next(cursor, &item, &err), 0);
    send_cursor_free(cursor);
    send_list_free(list);
    send_list_free(NULL);
    send_cursor_free(NULL);
}

static void test_once(void **state)
{
    struct send_list *list = send_list_new();
    struct send_item item = {.path = "/a",
                             .class_uid = CT,
                             .instance_uid = "1.2",
                             .transfer_syntax = EXPLICIT,
                             .size = 7};
    struct err err;
    char name[9000];

    (void)state;
    assert_int_equal(send_list_add(list, &item, &err), 1);
    assert_int_equal(send_list_add(list, &item, &err), 0);
    item.path = "/b";
    assert_int_equal(send_list_add(list, &item, &err), 1);
    item.instance_uid = "1.3";
    assert_int_equal(send_list_add(list, &item, &err), 1);
    assert_int_equal(send_list_count(list), 3);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    item.path = name;
    assert_int_equal(send_list_add(list, &item, &err), -1);
    item.path = "/c";
    name[70] = '\0';
    item.class_uid = name;
    assert_int_equal(send_list_add(list, &item, &err), -1);
    send_list_free(list);
}

static void test_pairs_bounded(void **state)
{
    struct send_list *list = send_list_new();
    struct err err = {0};
    int status = 1, count = 0;

    (void)state;
    for (; status == 1 && count < 10000; count++) {
        char class_uid[65];
        struct send_item item = {.path = "/a",
                                 .class_uid = class_uid,
                                 .instance_uid = class_uid,
                                 .transfer_syntax = EXPLICIT};

        snprintf(class_uid, sizeof class_uid, "1.2.%d", count);
        status = send_list_add(list, &item, &err);
    }
    assert_int_equal(status, -1);
    assert_int_equal(count, 4097);
    assert_int_equal(err.code, ERR_INPUT);
    send_list_free(list);
}

/* Four processes on one list: each item is had by one of them, whole. */
static void test_shared(void **state)
{
    enum { COUNT = 60000, PARTS = 4 };
    struct send_list *list = filled(COUNT);
    uint64_t total = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < PARTS; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            struct send_cursor *cursor = send_cursor_new(list);
            struct send_item item;
            struct err err;
            uint64_t mine = 0, next = 0;

            while (send_cursor_next(cursor, &item, &err) == 1) {
                if (item.number != next++ || strlen(item.path) < 30)
                    _exit(1);
                if (send_list_claim(list, item.number)) {
                    mine++;
                    send_list_set(list, item.number, SEND_STATE_TOLD);
                }
            }
            _exit(next != COUNT || write(ends[1], &mine, sizeof mine) != (ssize_t)sizeof mine);
        }
    }
    close(ends[1]);
    for (int i = 0; i < PARTS; i++) {
        uint64_t mine;
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], &mine, sizeof mine), sizeof mine);
        total += mine;
    }
    close(ends[0]);
    assert_int_equal(total, COUNT);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_int_equal(send_list_state(list, i), SEND_STATE_TOLD);
    send_list_set(list, 5, SEND_STATE_OPEN);
    assert_true(send_list_claim(list, 5));
    assert_false(send_list_claim(list, 5));
    send_list_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),     cmocka_unit_test(test_in_a_file),
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_once),
        cmocka_unit_test(test_pairs_bounded), cmocka_unit_test(test_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

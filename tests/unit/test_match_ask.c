/*
 * Keys as values of a C-FIND identifier: what DICOM can say is said, and nothing that would leave out
 * what the key itself lets in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dicom/match.h"

/* The values joined by " | ". */
static void check_asks(const char *expression, const char *expected)
{
    struct err err = {0};
    struct match *match = match_parse(expression, &err);
    struct buf values = {0}, joined = {0};
    const char *at;

    assert_non_null(match);
    size_t count = match_ask(match, &values);
    at = values.data;
    for (size_t i = 0; i < count; i++) {
        buf_addf(&joined, "%s%s", i ? " | " : "", at);
        at += strlen(at) + 1;
    }
    if (count)
        assert_ptr_equal(at, values.data + values.length);
    assert_string_equal(buf_text(&joined), expected);
    buf_free(&values);
    buf_free(&joined);
    match_free(match);
}

static void test_texts(void **state)
{
    (void)state;
    check_asks("PatientID=123", "123");
    check_asks("PatientID= 123 ", "123");
    check_asks("StudyDescription=*head?", "*head?");
    check_asks("Modality=CT,MR", "CT | MR");
    check_asks("PatientID=a\\b", "a | b");
    check_asks("PatientID=", "");
    check_asks("PatientID=*", "");
    check_asks("PatientID=\"\"", "");
    check_asks("PatientID!=", "");
    check_asks("Modality!=CT", "");
    /* A key may not be longer than a value: its beginning then. */
    check_asks("AccessionNumber=12345678901234567", "123456789012345*");
    check_asks("AccessionNumber=1234567890123456", "1234567890123456");
    check_asks("AccessionNumber=äöüäöüäöüäöüäöüäö", "äöüäöüäöüäöüäöü*");
}

static void test_dates(void **state)
{
    char today[9], expected[64];
    time_t now = time(NULL);

    (void)state;
    check_asks("StudyDate=20240131", "20240131");
    check_asks("StudyDate=2024-01-31", "20240131");
    check_asks("StudyDate=2024", "20240101-20241231");
    check_asks("StudyDate=202402", "20240201-20240229");
    check_asks("StudyDate=20240101-20240630", "20240101-20240630");
    check_asks("StudyDate=20240101-", "20240101-");
    check_asks("StudyDate=-2023", "-20231231");
    check_asks("StudyDate=20240131,2023", "20240131 | 20230101-20231231");
    /* Ends that do not belong to it are asked for, and left out of the answers. */
    check_asks("StudyDate<2024", "-20240101");
    check_asks("StudyDate>=2024", "20240101-");
    strftime(today, sizeof today, "%Y%m%d", localtime(&now));
    check_asks("StudyDate=today", today);
    snprintf(expected, sizeof expected, "-%s", today);
    check_asks("StudyDate=-0d", expected);
}

static void test_times(void **state)
{
    (void)state;
    /* To the minute below: a peer may hold HHMM and compare texts. */
    check_asks("StudyTime=10", "1000-105959.999999");
    check_asks("StudyTime=103015-1100", "1030-110059.999999");
    check_asks("StudyTime=1030-", "1030-");
    check_asks("StudyTime=-1030", "-103059.999999");
    check_asks("StudyTime=0000-", "");
    check_asks("StudyTime=-2359", "");
    check_asks("AcquisitionDateTime=20240101", "");
}

static void test_numbers(void **state)
{
    (void)state;
    check_asks("SeriesNumber=3", "");
    check_asks("Rows>=512", "");
    check_asks("SliceThickness=0.5..2", "");
}

static void test_uids(void **state)
{
    struct buf expression = {0}, values = {0};
    struct err err = {0};
    struct match *match;

    (void)state;
    check_asks("StudyInstanceUID=1.2", "1.2");
    check_asks("StudyInstanceUID=1.2,1.3\\1.4", "1.2\\1.3\\1.4");
    /* No value longer than an element with a length of 16 bits can hold. */
    buf_adds(&expression, "StudyInstanceUID=");
    for (int i = 0; i < 1201; i++)
        buf_addf(&expression, "%s1.2.%d", i ? "," : "", i);
    match = match_parse(buf_text(&expression), &err);
    assert_non_null(match);
    assert_int_equal(match_ask(match, &values), 3);
    const char *third = values.data;
    for (int i = 0; i < 2; i++) {
        assert_true(strlen(third) < 65534);
        third += strlen(third) + 1;
    }
    assert_non_null(strstr(third, "1.2.1200"));
    assert_ptr_equal(third + strlen(third) + 1, values.data + values.length);
    buf_free(&expression);
    buf_free(&values);
    match_free(match);
}

static void test_names(void **state)
{
    (void)state;
    /* Peers may or may not tell letter cases apart. */
    check_asks("PatientName=doe", "doe* | DOE* | Doe*");
    check_asks("PatientName=Doe^Peter", "Doe^Peter* | DOE^PETER* | doe^peter*");
    check_asks("PatientName=*john*", "*john* | *JOHN* | *John*");
    check_asks("PatientName=d?e^p*", "d?e^p* | D?E^P* | D?e^P*");
    check_asks("PatientName=doe^", "doe* | DOE* | Doe*");
    check_asks("PatientName=äneas^rüdiger", "äneas^rüdiger* | ÄNEAS^RÜDIGER* | Äneas^Rüdiger*");
    check_asks("PatientName=люк", "люк* | ЛЮК* | Люк*");
    /* The second or third group of a name, which peers match as one text. */
    check_asks("PatientName=山田", "*山田*");
    check_asks("PatientName==山田", "*=山田*");
    check_asks("PatientName=YAMADA=山田", "YAMADA=山田* | Yamada=山田* | yamada=山田*");
}

static void test_bounds(void **state)
{
    struct buf expression = {0};

    (void)state;
    buf_adds(&expression, "PatientID=0");
    for (int i = 1; i < MATCH_ASK_MAX + 1; i++)
        buf_addf(&expression, "\\%d", i);
    check_asks(buf_text(&expression), "");
    buf_free(&expression);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),   cmocka_unit_test(test_dates), cmocka_unit_test(test_times),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_uids),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

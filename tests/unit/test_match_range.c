/*
 * The matching language: dates, times, numbers and their ranges as match.h describes them.
 */
#include "match_check.h"

#include <time.h>

/* What time it is, for relative dates: stands before the C library's function. */
static time_t now;

time_t time(time_t *into)
{
    if (into)
        *into = now;
    return now;
}

static void set_now(int year, int month, int day, int hour)
{
    struct tm fields = {.tm_year = year - 1900,
                        .tm_mon = month - 1,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_isdst = -1};

    now = mktime(&fields);
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

#define TAG_DATE     TAG(0x0008, 0x0020)
#define TAG_TIME     TAG(0x0008, 0x0030)
#define TAG_DATETIME TAG(0x0008, 0x002a)

/* ---- dates ---- */

static void dates(void **state)
{
    (void)state;
    YES("StudyDate=20240131", "20240131");
    NO("StudyDate=20240131", "20240201");
    NO("StudyDate=20240131", "");
    NO("StudyDate=20240131", NULL);
    NO("StudyDate=20240131", "2024013");
    NO("StudyDate=20240131", "yesterday");
    YES("StudyDate=20240131", "2024.01.31"); /* ACR-NEMA */
    YES("StudyDate=2024-01-31", "20240131");
    YES("StudyDate=2024.01.31", "20240131");
    YES("StudyDate=20240131", " 20240131 ");
    /* Less than a day given: all of it. */
    YES("StudyDate=2024", "20241231");
    YES("StudyDate=202402", "20240229");
    NO("StudyDate=202402", "20240301");
    /* Lists. */
    YES("StudyDate=20240131,20240202", "20240202");
    YES("StudyDate=20240131\\20240202", "20240202");
    YES("StudyDate=2023,20240101-20240110", "20240105");
    NO("StudyDate=2023,20240101-20240110", "20240111");
    /* Any of several values. */
    YES("StudyDate=20240131", "20230101\\20240131");
    /* A day that was never. */
    NO("StudyDate=20240131-", "20240230");
    NO("StudyDate=2023-", "20241301");
    ERROR("StudyDate=20240230", "no date");
    ERROR("StudyDate=20230229", "no date");
    ERROR("StudyDate=20241301", "no date");
    ERROR("StudyDate=20240100", "no date");
    ERROR("StudyDate=2024013", "no date");
    ERROR("StudyDate=31.01.2024", "no date");
    ERROR("StudyDate=2024*", "no date");
    ERROR("StudyDate=x", "no date");
}

static void date_ranges(void **state)
{
    (void)state;
    YES("StudyDate=20240101-20240131", "20240101");
    YES("StudyDate=20240101-20240131", "20240131");
    NO("StudyDate=20240101-20240131", "20231231");
    NO("StudyDate=20240101-20240131", "20240201");
    YES("StudyDate=20240101-", "20991231");
    NO("StudyDate=20240101-", "20231231");
    YES("StudyDate=-20240131", "19000101");
    NO("StudyDate=-20240131", "20240201");
    YES("StudyDate=2023-2024", "20241231");
    NO("StudyDate=2023-2024", "20250101");
    YES("StudyDate=202301-202302", "20230228");
    YES("StudyDate=2024-01-31-2024-02-05", "20240203");
    NO("StudyDate=2024-01-31-2024-02-05", "20240206");
    YES("StudyDate=2024-01-31-20240205", "20240203");
    YES("StudyDate=-2024-01-31", "20240131");
    NO("StudyDate=-2024-01-31", "20240201");
    YES("StudyDate<20240131", "20240130");
    NO("StudyDate<20240131", "20240131");
    YES("StudyDate<=20240131", "20240131");
    YES("StudyDate>=20240131", "20240131");
    NO("StudyDate>20240131", "20240131");
    YES("StudyDate>20240131", "20240201");
    YES("StudyDate>2023", "20240101");
    NO("StudyDate>2023", "20231231");
    YES("StudyDate!=2023", "20240101");
    YES("StudyDate!=2023", NULL);
    NO("StudyDate<20240131", NULL);
    ERROR("StudyDate=-", "without ends");
    ERROR("StudyDate=20240131-20240101", "ends before");
    ERROR("StudyDate=20240131-x", "no date");
    ERROR("StudyDate=20240101-20240102-20240103", "no date");
    ERROR("StudyDate<20240101-20240102", "one value");
    ERROR("StudyDate<", "no date");
    /* As C-FIND gives them. */
    YES_NEW(TAG_DATE, VR_DA, "20240101-20240131", "20240110");
    YES_NEW(TAG_DATE, VR_DA, "20240101-", "20240110");
    YES_NEW(TAG_DATE, VR_DA, "-20240131 ", "20240110");
    NO_NEW(TAG_DATE, VR_DA, "20240110", "20240111");
    YES_NEW(TAG_DATE, VR_DA, "2024.01.10", "20240110");
}

static void no_words_of_a_person_in_c_find(void **state)
{
    static const char *const keys[] = {"today", "30d-",   "-5y",
                                       "2024",  "202401", "20240101,20240102"};
    struct err err = {0};

    (void)state;
    set_now(2024, 3, 31, 12);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_null(match_new(TAG_DATE, VR_DA, keys[i], strlen(keys[i]), &err));
        assert_int_equal(err.code, ERR_INPUT);
    }
}

static void check_relative(const char *text, const char *expected)
{
    char date[9] = "";
    bool found = relative_date(text, strlen(text), date);

    if (found != (expected != NULL) || (expected && strcmp(date, expected) != 0))
        fail_msg("%s: %s, not %s", text, found ? date : "none", expected ? expected : "none");
}

static void relative_dates(void **state)
{
    (void)state;
    set_now(2024, 3, 31, 12);
    check_relative("today", "20240331");
    check_relative("yesterday", "20240330");
    check_relative("0d", "20240331");
    check_relative("1d", "20240330");
    check_relative("31d", "20240229");
    check_relative("366d", "20230331");
    check_relative("2w", "20240317");
    check_relative("1m", "20240229"); /* there is no 31 February */
    check_relative("13m", "20230228");
    check_relative("3m", "20231231");
    check_relative("1y", "20230331");
    check_relative("5y", "20190331");
    check_relative("1000y", "10240331");
    check_relative("12001y", NULL);
    check_relative("3000y", NULL);
    check_relative("999999d", NULL);
    check_relative("1000000d", NULL);
    check_relative("d", NULL);
    check_relative("", NULL);
    check_relative("5", NULL);
    check_relative("5h", NULL);
    check_relative("-5d", NULL);
    check_relative("todays", NULL);
    set_now(2024, 2, 29, 12);
    check_relative("1y", "20230228");
    check_relative("4y", "20200229");
    set_now(2024, 1, 1, 0);
    check_relative("yesterday", "20231231");
    check_relative("1m", "20231201");
    /* The day is the local one, and its length does not matter. */
    set_zone("Europe/Berlin");
    set_now(2024, 3, 31, 0);
    check_relative("today", "20240331");
    check_relative("1d", "20240330");
    set_now(2024, 4, 1, 23);
    check_relative("1d", "20240331");
    set_now(2024, 10, 28, 0);
    check_relative("1d", "20241027");
    check_relative("2d", "20241026");
    set_zone("UTC");
}

static void relative_ranges(void **state)
{
    (void)state;
    set_now(2024, 3, 31, 12);
    YES("StudyDate=today", "20240331");
    NO("StudyDate=today", "20240330");
    YES("StudyDate=yesterday", "20240330");
    /* Until 30 days ago; since then. */
    YES("StudyDate=-30d", "20240301");
    NO("StudyDate=-30d", "20240302");
    YES("StudyDate=30d-", "20240301");
    NO("StudyDate=30d-", "20240229");
    YES("StudyDate=-5y", "20190331");
    NO("StudyDate=-5y", "20190401");
    YES("StudyDate=60d-30d", "20240215");
    NO("StudyDate=60d-30d", "20240302");
    YES("StudyDate=1w-today", "20240324");
    YES("StudyDate=yesterday-today", "20240330");
    YES("StudyDate<2w", "20240316");
    NO("StudyDate<2w", "20240317");
    YES("StudyDate>=2w", "20240317");
    YES("StudyDate=7d", "20240324");
    YES("Received=today", "20240331235959.999999");
    NO("Received=today", "20240401");
    YES("Received=1d-", "20240330000000");
    NO("Received<1d", "20240330000000");
    ERROR("StudyDate=30d-60d", "ends before");
    ERROR("StudyTime=today", "no time");
    ERROR("StudyDate=5x", "no date");
}

/* ---- times ---- */

static void times(void **state)
{
    (void)state;
    YES("StudyTime=103000", "103000");
    YES("StudyTime=103000", "103000.5");
    NO("StudyTime=103000", "103001");
    YES("StudyTime=1030", "103059.999999");
    YES("StudyTime=1030", "1030");
    NO("StudyTime=1030", "1031");
    YES("StudyTime=10", "105959");
    YES("StudyTime=103000.5", "103000.5");
    YES("StudyTime=103000.5", "103000.59");
    NO("StudyTime=103000.5", "103000.6");
    YES("StudyTime=10:30:00", "103000");
    YES("StudyTime=103000", "10:30:00");
    YES("StudyTime=235960", "235960"); /* a leap second */
    YES("StudyTime=0800-1200", "120059");
    NO("StudyTime=0800-1200", "1201");
    NO("StudyTime=0800-1200", "075959.999999");
    YES("StudyTime=0800-", "2359");
    YES("StudyTime=-12", "125959");
    YES("StudyTime=08,10", "1015");
    YES("StudyTime<12", "115959.999999");
    NO("StudyTime<12", "12");
    NO("StudyTime>12", "1259");
    YES("StudyTime>12", "13");
    NO("StudyTime=10-", "");
    NO("StudyTime=10-", "1");
    NO("StudyTime=10-", "1060");
    NO("StudyTime=10-", "2400");
    NO("StudyTime=10-", "103000.1234567");
    NO("StudyTime=10-", "103000.");
    ERROR("StudyTime=24", "no time");
    ERROR("StudyTime=1060", "no time");
    ERROR("StudyTime=103", "no time");
    ERROR("StudyTime=103000.1234567", "no time");
    ERROR("StudyTime=103000,5", "no time");
    ERROR("StudyTime=1200-0800", "ends before");
    YES_NEW(TAG_TIME, VR_TM, "1030-1031", "103159");
    NO_NEW(TAG_TIME, VR_TM, "1030", "103100");
}

static void dates_with_times(void **state)
{
    (void)state;
    YES("AcquisitionDateTime=20240131103000", "20240131103000.000000");
    YES("AcquisitionDateTime=20240131", "20240131235959");
    YES("AcquisitionDateTime=2024", "20240131235959");
    YES("AcquisitionDateTime=2024013110", "202401311059");
    NO("AcquisitionDateTime=2024013110", "202401311100");
    YES("AcquisitionDateTime=2024013110-2024013111", "202401311159");
    YES("AcquisitionDateTime=2024-", "2024");
    YES("AcquisitionDateTime=2024-01-31", "202401311200");
    NO("AcquisitionDateTime=20240131", "202402");
    NO("AcquisitionDateTime=20240131", "2024013124");
    ERROR("AcquisitionDateTime=2024013124", "no date and time");
    ERROR("AcquisitionDateTime=20240131103000+9900", "no date and time");
    /* Zones: the same moment, whatever the clock that showed it; without one, local. */
    YES("AcquisitionDateTime=202401311200+0000", "202401311300+0100");
    YES("AcquisitionDateTime=202401311200", "202401311300+0100");
    YES("AcquisitionDateTime=202401311200+0100", "202401311100");
    YES("AcquisitionDateTime=202401311200-0500", "202401311700");
    YES("AcquisitionDateTime=202401010030+0100", "202312312330");
    NO("AcquisitionDateTime=202401311200-0500", "202401311200");
    YES("AcquisitionDateTime=202401311200-0500-202401311300-0500", "202401311730");
    YES("AcquisitionDateTime=202401311200-0500-", "202402");
    NO("AcquisitionDateTime=202401311200-0500-", "202401311659");
    YES("AcquisitionDateTime=-202401311200-0500", "202401311700");
    NO("AcquisitionDateTime=-202401311200-0500", "202401311701");
    YES("AcquisitionDateTime=20240101-20240131", "20240131");
    set_zone("America/New_York");
    YES("AcquisitionDateTime=202407011200", "202407011600+0000");
    YES("AcquisitionDateTime=202401011200", "202401011700+0000");
    YES("AcquisitionDateTime=20240101", "202401020459+0000");
    set_zone("UTC");
    YES_NEW(TAG_DATETIME, VR_DT, "20240131-20240201", "20240131120000.123");
    YES_NEW(TAG_DATETIME, VR_DT, "202401311200-0500", "202401311700");
}

/* ---- numbers ---- */

static void numbers(void **state)
{
    (void)state;
    YES("Rows=512", "512");
    NO("Rows=512", "5120");
    YES("KVP=120", "120.0");
    YES("KVP=120", "1.2e2 ");
    YES("KVP=+120", "120");
    NO("KVP=120", "");
    NO("KVP=120", NULL);
    NO("KVP=120", "x");
    NO("KVP=120", "120kV");
    YES("Rows>=512", "512");
    NO("Rows>512", "512");
    YES("Rows>512", "513");
    YES("SliceThickness<2", "1.25");
    NO("SliceThickness<2", "2.0");
    YES("SliceThickness<=2", "2.0");
    NO("SliceThickness<2", NULL);
    YES("KVP!=120", "100");
    YES("KVP!=120", NULL);
    NO("KVP!=120", "120.0");
    YES("SliceThickness=0.5..2", "0.5");
    YES("SliceThickness=0.5..2", "2.000");
    NO("SliceThickness=0.5..2", "2.001");
    YES("SliceThickness=2..", "1e300");
    YES("SliceThickness=..2", "-5");
    YES("SliceLocation=-2..-1", "-1.5");
    YES("Rows=256,512", "512");
    YES("Rows=256,512..1024", "600");
    NO("Rows=256,512..1024", "300");
    YES("PixelSpacing<0.5", "0.7\\0.4");
    NO("PixelSpacing<0.5", "0.7\\0.6");
    YES("InstanceNumber=007", "7");
    YES("Size>10M", "10485761");
    NO("Size>10M", "10485760");
    YES("Size=1K..1M", "2048");
    YES("Size<1.5G", "1610612735");
    ERROR("Rows=x", "no number");
    ERROR("Rows=5*", "no number");
    ERROR("Rows=1-5", "no number");
    ERROR("Rows=10M", "no number");
    ERROR("Rows=nan", "no number");
    ERROR("Rows=inf", "no number");
    ERROR("Rows=0x10", "no number");
    ERROR("Rows=--1", "no number");
    ERROR("Rows<", "no number");
    ERROR("Rows<1,2", "no number");
    ERROR("Rows<1..2", "one value");
    ERROR("Rows=2..1", "ends before");
    ERROR("Size=M", "no number");
    YES_NEW(TAG(0x0028, 0x0010), VR_US, "512", "512");
    YES_NEW(TAG(0x0020, 0x0013), VR_IS, "1\\7 ", "7");
    assert_null(match_new(TAG(0x0028, 0x0010), VR_US, "1..2", 4, NULL));
    assert_null(match_new(TAG(0x0028, 0x0010), VR_US, "1,2", 3, NULL));
}

/* ---- what narrows the candidates ---- */

static void check_bounds(const char *expression, enum match_kind kind, const char *low,
                         const char *high)
{
    struct match *match = parse(expression);

    assert_int_equal(match_kind(match), kind);
    assert_string_equal(match_low(match) ? match_low(match) : "", low);
    assert_string_equal(match_high(match) ? match_high(match) : "", high);
    match_free(match);
}

static void bounds(void **state)
{
    (void)state;
    set_now(2024, 3, 31, 12);
    check_bounds("StudyDate=20240131", MATCH_SINGLE, "20240131", "20240131");
    check_bounds("StudyDate=2024", MATCH_SINGLE, "20240101", "20241231");
    check_bounds("StudyDate=2024-", MATCH_RANGE, "20240101", "");
    check_bounds("StudyDate=-202402", MATCH_RANGE, "", "20240229");
    check_bounds("StudyDate<20240131", MATCH_RANGE, "", "20240131");
    check_bounds("StudyDate>=1y", MATCH_RANGE, "20230331", "");
    check_bounds("StudyDate=2023,2024", MATCH_LIST, "", "");
    check_bounds("StudyDate!=2024", MATCH_SINGLE, "", "");
    check_bounds("StudyTime=1030-12", MATCH_RANGE, "103000.000000", "125959.999999");
    check_bounds("AcquisitionDateTime=202401311200+0100", MATCH_SINGLE, "20240131110000.000000",
                 "20240131110059.999999");
    check_bounds("Rows=1..2", MATCH_NUMBER, "", "");
    check_bounds("PatientID=2024", MATCH_SINGLE, "", "");
}

static void moment_of(char *text, vr_t vr)
{
    int date = snprintf(text, 32, "20%02u%02u%02u", random_below(2), 1 + random_below(2),
                        1 + random_below(28));

    if (vr == VR_DA)
        return;
    if (vr == VR_TM)
        date = 0;
    date += snprintf(text + date, 32, "%02u%02u%02u.%u", random_below(4), random_below(60),
                     random_below(60), random_below(100));
    /* Cut to less precision, as a value may be. */
    if (random_below(2))
        text[date - (int)strlen(strchr(text, '.')) - 2 * (int)random_below(2)] = '\0';
    if (vr == VR_DT && random_below(2))
        snprintf(text + strlen(text), 16, "%c%02u00", "+-"[random_below(2)], random_below(12));
}

static void bounds_are_implied(void **state)
{
    static const vr_t vrs[] = {VR_DA, VR_TM, VR_DT};
    static const char *const forms[] = {"%s", "%s-", "-%s", "%s-%s"};
    int matched = 0, missed = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        vr_t vr = vrs[i % 3];
        char from[48], to[48], key[128], value[48], normal[24];
        struct match *match;

        moment_of(from, vr);
        moment_of(to, vr);
        moment_of(value, vr);
        snprintf(key, sizeof key, forms[i / 3 % 4], from, to);
        match = match_new(TAG(0x0009, 0x1001), vr, key, strlen(key), NULL);
        if (!match)
            continue; /* ends before it begins */
        assert_true(time_key(vr, value, strlen(value), false, false, normal));
        if (match_test(match, value, strlen(value))) {
            matched++;
            if ((match_low(match) && strcmp(normal, match_low(match)) < 0) ||
                (match_high(match) && strcmp(normal, match_high(match)) > 0))
                fail_msg("%s, %s", key, value);
        } else {
            missed++;
            if (!(match_low(match) && strcmp(normal, match_low(match)) < 0) &&
                !(match_high(match) && strcmp(normal, match_high(match)) > 0))
                fail_msg("%s, not %s", key, value);
        }
        match_free(match);
    }
    assert_true(matched > 10000);
    assert_true(missed > 10000);
}

static int utc(void **state)
{
    (void)state;
    set_zone("UTC");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),
        cmocka_unit_test(date_ranges),
        cmocka_unit_test(no_words_of_a_person_in_c_find),
        cmocka_unit_test(relative_dates),
        cmocka_unit_test(relative_ranges),
        cmocka_unit_test(times),
        cmocka_unit_test(dates_with_times),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bounds),
        cmocka_unit_test(bounds_are_implied),
    };

    return cmocka_run_group_tests(tests, utc, NULL);
}
